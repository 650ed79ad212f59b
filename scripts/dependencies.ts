/**
 * Writes the tables in `docs/dependencies.md`: each dependency of the published packages with its version, licence and
 * what it brings with it. Why it is there is written by people, and kept. `--check` only looks whether the tables are
 * as they would be written, and every reason is given.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  closure,
  type Installed,
  type PublishedName,
  publishedNames,
  readPublished,
  root
} from "./published.ts"

const page = join(root, "docs/dependencies.md")
const text = readFileSync(page, "utf8")

const begin = (name: PublishedName) => `<!-- ${name}: written by \`node scripts/dependencies.ts\` -->`
const end = (name: PublishedName) => `<!-- end of ${name} -->`

const sectionOf = (name: PublishedName) => {
  const from = text.indexOf(begin(name)) + begin(name).length
  const to = text.indexOf(end(name))
  if (from < begin(name).length || to < from) throw new Error(`${page} has no place for ${name}`)
  return { from, to }
}

/** The reasons that the page gives, by the name of the dependency. */
const reasonsIn = (table: string): ReadonlyMap<string, string> =>
  new Map(
    Array.from(table.matchAll(/^\| `([^`]+)` \|.*\| ([^|]*) \|$/gm), ([, name = "", reason = ""]) => [
      name,
      reason.trim()
    ])
  )

/** How many packages come with it, beside those that are in the table themselves. */
const brings = (installed: Installed, listed: ReadonlySet<Installed>): number =>
  closure([installed]).filter((each) => !listed.has(each)).length

const missing: Array<string> = []

const tableOf = (name: PublishedName, reasons: ReadonlyMap<string, string>): string => {
  const { bundled, dependencies, peers } = readPublished(name)
  const kinds = new Map<Installed, string>()
  for (const installed of dependencies) kinds.set(installed, "")
  for (const installed of peers) kinds.set(installed, "peer")
  for (const installed of bundled) kinds.set(installed, "in the console")
  const listed = new Set(kinds.keys())
  const rows = Array.from(kinds, ([installed, kind]) => {
    const { license, manifest } = installed
    const reason = reasons.get(manifest.name) ?? ""
    if (reason === "") missing.push(`docs/dependencies.md: ${name}: ${manifest.name}: why is it there?`)
    // Of a peer that is no part of the package, what it brings is not the package's doing.
    const count = kind === "peer" ? "–" : String(brings(installed, listed))
    const version = manifest.name.startsWith("@muster/") ? "the same" : manifest.version
    return `| \`${manifest.name}\` | ${version} | ${kind} | ${license} | ${count} | ${reason} |`
  })
  return [
    "",
    "",
    "| dependency | version | how | licence | brings | why |",
    "| --- | --- | --- | --- | --: | --- |",
    ...rows.toSorted(),
    "",
    ""
  ].join("\n")
}

const written = publishedNames.reduce((before, name) => {
  const { from, to } = sectionOf(name)
  const old = text.slice(from, to)
  return before.replace(begin(name) + old, () => begin(name) + tableOf(name, reasonsIn(old)))
}, text)

if (process.argv.includes("--check")) {
  if (written !== text) missing.unshift("docs/dependencies.md: run `node scripts/dependencies.ts`")
} else {
  writeFileSync(page, written)
}
for (const problem of missing) console.log(problem)
if (missing.length > 0) process.exitCode = 1
