/**
 * `pnpm run docs`: every relative link in a Markdown file leads to a file and a heading that exist, and every
 * `pnpm` script that a page tells a reader to run exists. Another folder than the repository can be given.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"

const root = resolve(process.argv[2] ?? join(import.meta.dirname, ".."))
const { scripts = {} }: { scripts?: Record<string, string> } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8")
)
const pnpmCommands = new Set(["add", "exec", "install", "pack", "run", "update"])

const isSkipped = (path: string) => ["node_modules", "dist", ".git"].includes(path)
const pages = globSync(["*.md", "{docs,packages,benchmarks,examples,deploy}/**/*.md"], {
  cwd: root,
  exclude: isSkipped
})

const fence = /```[\s\S]*?```/g
const code = /```[\s\S]*?```|`[^`\n]+`/g

/** The anchors of a page's headings, as GitHub forms them. */
const anchors = (text: string) =>
  new Set(
    Array.from(text.replace(fence, "").matchAll(/^#+\s+(.*)$/gm), ([, heading = ""]) =>
      heading
        .trim()
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-")
    )
  )

const problems: Array<string> = []
for (const page of pages) {
  const text = readFileSync(join(root, page), "utf8")
  for (const [, link = ""] of text.replace(code, "").matchAll(/\]\(([^)\s]+)[^)]*\)/g)) {
    if (/^[a-z]+:/.test(link)) continue
    const [path = "", anchor] = link.split("#")
    const target = path === "" ? join(root, page) : resolve(root, dirname(page), path)
    if (!existsSync(target)) {
      problems.push(`${page}: ${link}: there is no ${relative(root, target)}`)
    } else if (anchor !== undefined && !anchors(readFileSync(target, "utf8")).has(anchor)) {
      problems.push(`${page}: ${link}: no heading of ${relative(root, target)} has the anchor ${anchor}`)
    }
  }
  for (const [, name = ""] of (text.match(code) ?? [])
    .join("\n")
    .matchAll(/\bpnpm(?:@\d+)? (?:run )?([a-z][\w:-]*)/g)) {
    if (!pnpmCommands.has(name) && scripts[name] === undefined) {
      problems.push(`${page}: pnpm ${name}: package.json has no such script`)
    }
  }
}

for (const problem of problems) console.log(problem)
if (problems.length > 0) process.exitCode = 1
