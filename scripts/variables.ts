/**
 * Writes the tables of variables in `docs/operate.md` from what `muster config` says of them; `--check` only looks
 * whether they are as they would be written.
 */
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { outerEnvironment } from "./environment.ts"

interface Setting {
  readonly name: string
  readonly group: string
  readonly flag: string | null
  readonly description: string
  readonly rule: string
  readonly default: string
}

const root = resolve(import.meta.dirname, "..")
const page = resolve(root, "docs/operate.md")
const begin = "<!-- variables: written by `node scripts/variables.ts` -->"
const end = "<!-- end of variables -->"

const settings = (): ReadonlyArray<Setting> => {
  const env = Object.fromEntries(
    Object.entries(outerEnvironment).filter(([name]) => !/^MUSTER_|^SLURM_CONF$/.test(name))
  )
  const { stderr, stdout } = spawnSync(
    process.execPath,
    [resolve(root, "packages/server/src/bin.js"), "config", "--json"],
    { env, encoding: "utf8" }
  )
  if (stdout === "") throw new Error(stderr)
  return JSON.parse(stdout).settings
}

const cell = (text: string): string => text.replaceAll("|", "\\|")

/** A default in words has its own marks. */
const shownDefault = (text: string): string =>
  text === "" ? "–" : text.includes(" ") && !/^\d/.test(text) ? text : `\`${text}\``

const tables = (): string => {
  const all = settings()
  return Array.from(new Set(all.map(({ group }) => group)), (group) =>
    [
      `### ${group}`,
      "",
      "| variable | what it says | must be | default |",
      "| --- | --- | --- | --- |",
      ...all
        .filter((setting) => setting.group === group)
        .map(({ default: fallback, description, flag, name, rule }) => {
          const what = flag === null ? description : `\`--${flag}\`: ${description}`
          return `| \`${name}\` | ${cell(what)} | ${cell(rule)} | ${cell(shownDefault(fallback))} |`
        })
    ].join("\n")
  ).join("\n\n")
}

const text = readFileSync(page, "utf8")
const [before, after] = [text.indexOf(begin), text.indexOf(end)]
if (before === -1 || after < before)
  throw new Error(`${page} has no place for the variables: ${begin} … ${end}`)
const written = `${text.slice(0, before)}${begin}\n\n${tables()}\n\n${text.slice(after)}`

if (process.argv.includes("--check")) {
  if (written !== text) {
    console.log(
      "docs/operate.md: the tables of variables are not what muster config says: node scripts/variables.ts"
    )
    process.exitCode = 1
  }
} else {
  writeFileSync(page, written)
}
