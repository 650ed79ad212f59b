import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"

const script = resolve(import.meta.dirname, "docs.ts")

describe("pnpm run docs", () => {
  let root = ""

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "muster-docs-"))
    mkdirSync(join(root, "docs"))
    writeFileSync(join(root, "package.json"), JSON.stringify({ scripts: { check: "true" } }))
    writeFileSync(join(root, "docs/guide.md"), "# The guide\n\n## What it's for\n")
  })

  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const check = (readme: string) => {
    writeFileSync(join(root, "README.md"), readme)
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, root], { encoding: "utf8" })
    if (stderr !== "") throw new Error(stderr)
    return { status, problems: stdout.split("\n").filter((line) => line !== "") }
  }

  it("accepts links to files, headings and other sites, and the scripts that exist", () => {
    expect(
      check(
        "# Top\n[a](docs/guide.md) [b](docs/guide.md#what-its-for) [c](#top) [d](https://effect.website) `pnpm check`"
      )
    ).toEqual({ status: 0, problems: [] })
  })

  it.each([
    ["a missing file", "[a](docs/gone.md)", "README.md: docs/gone.md: there is no docs/gone.md"],
    [
      "a missing heading",
      "[a](docs/guide.md#gone)",
      "README.md: docs/guide.md#gone: no heading of docs/guide.md has the anchor gone"
    ],
    ["a missing script", "```sh\npnpm bake\n```", "README.md: pnpm bake: package.json has no such script"]
  ])("reports %s", (_, readme, problem) => {
    expect(check(readme)).toEqual({ status: 1, problems: [problem] })
  })

  it("does not take code for links", () => {
    expect(check("`[a](gone.md)`\n\n```md\n[a](gone.md)\n```")).toEqual({ status: 0, problems: [] })
  })
})
