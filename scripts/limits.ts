/**
 * Writes the tables of `docs/limits.md` from what the code says of them; `--check` only looks whether they are as they would
 * be written.
 */
import { limitCatalogue } from "@muster/server/limits"
import { readFileSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
const page = resolve(import.meta.dirname, "../docs/limits.md")
const begin = "<!-- limits: written by `node scripts/limits.ts` -->"
const end = "<!-- end of limits -->"

const tables = limitCatalogue
  .map(([title, rows]) =>
    [
      `## ${title}`,
      "",
      "| of | at most | beyond | what to do |",
      "| --- | --- | --- | --- |",
      ...rows.map((row) => `| ${row.join(" | ")} |`)
    ].join("\n")
  )
  .join("\n\n")

const text = readFileSync(page, "utf8")
const [before, after] = [text.indexOf(begin), text.indexOf(end)]
if (before === -1 || after < before) throw new Error(`${page} has no place for the limits: ${begin} … ${end}`)
const written = `${text.slice(0, before)}${begin}\n\n${tables}\n\n${text.slice(after)}`

if (!process.argv.includes("--check")) writeFileSync(page, written)
else if (written !== text) {
  console.log("docs/limits.md: the tables are not what the code says: node scripts/limits.ts")
  process.exitCode = 1
}
