import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const root = resolve(import.meta.dirname, "..")

const core = "core imports `effect` and its own files, nothing else."
const byName = "Import another package by its name."

/** One file for each case, at a path of its own: what it holds, and the rule and message it must break. */
const broken: ReadonlyArray<readonly [path: string, source: string, rule: string, message?: string]> = [
  ["packages/core/src/a.ts", `export * from "node:fs"`, "no-restricted-imports", core],
  ["packages/core/src/b.ts", `export * from "fs"`, "no-restricted-imports", core],
  ["packages/core/src/c.ts", `export const os = () => import("node:os")`, "no-restricted-imports", core],
  ["packages/core/src/d.ts", `export * from "@muster/server"`, "no-restricted-imports", core],
  ["packages/core/src/policy/e.ts", `export * from "@muster/testing"`, "no-restricted-imports", core],
  ["packages/core/src/f.ts", `export * from "effectful"`, "no-restricted-imports", core],
  ["packages/core/src/g.ts", `export const environment = process.env`, "no-restricted-globals"],
  ["packages/core/src/h.ts", `export type S = import("node:net").Socket`, "consistent-type-imports"],
  ["packages/core/src/i.ts", `export const fs: unknown = require("node:fs")`, "no-require-imports"],
  ["packages/core/src/j.ts", `export * from "../../server/src/index.ts"`, "no-restricted-imports", byName],
  [
    "packages/core/src/k.test.ts",
    `export * from "@muster/server"`,
    "no-restricted-imports",
    "core knows nothing of the server."
  ],
  [
    "packages/core/integration/l.test.ts",
    `export * from "../../testing/src/index.ts"`,
    "no-restricted-imports",
    byName
  ],
  [
    "packages/testing/src/a.ts",
    `export * from "@muster/server/a"`,
    "no-restricted-imports",
    "The test kit knows nothing of the server."
  ],
  [
    "packages/testing/integration/b.test.ts",
    `export * from "@muster/server"`,
    "no-restricted-imports",
    "The test kit knows nothing of the server."
  ],
  [
    "packages/testing/src/policy/c.ts",
    `export * from "../../../core/src/index.ts"`,
    "no-restricted-imports",
    byName
  ],
  [
    "packages/server/src/a.ts",
    `export * from "@muster/testing"`,
    "no-restricted-imports",
    "Only the server's tests use the test kit."
  ],
  ["packages/server/src/b.ts", `export * from "../../core/src/index.ts"`, "no-restricted-imports", byName],
  [
    "packages/server/integration/c.test.ts",
    `export * from "../../core/dist/index.js"`,
    "no-restricted-imports",
    byName
  ],
  [
    "packages/server/src/j.ts",
    `export { NodeStream } from "@effect/platform-node"`,
    "no-restricted-imports",
    "Import one of its modules: the whole loads a Redis client, 0.2 s of each start."
  ],
  ["scripts/a.ts", `export * from "../packages/core/src/index.ts"`, "no-restricted-imports", byName],
  [
    "examples/src/a.ts",
    `export * from "../../packages/server/src/index.ts"`,
    "no-restricted-imports",
    byName
  ],
  ["packages/server/src/cycle/a.ts", `export * from "./b.ts"`, "no-cycle"],
  ["packages/server/src/cycle/b.ts", `export * from "./a.ts"`, "no-cycle"],
  ["packages/server/src/cycle/c.ts", `import type { D } from "./d.ts"\nexport type C = Array<D>`, "no-cycle"],
  ["packages/server/src/cycle/d.ts", `import type { C } from "./c.ts"\nexport type D = Set<C>`, "no-cycle"],
  ["packages/server/src/d.ts", `export const f = (x: any) => String(x)`, "no-explicit-any"],
  ["packages/server/src/e.ts", `export const f = (x: string | undefined) => x!`, "no-non-null-assertion"],
  ["packages/server/src/f.ts", `export const f = (x: unknown) => x as string`, "no-unsafe-type-assertion"],
  ["packages/server/src/g.ts", `export const f = () => {\n  Promise.resolve(1)\n}`, "no-floating-promises"],
  [
    "packages/server/src/h.test.ts",
    `import { it } from "vitest"\nit.only("is", ({ expect }) => expect(1).toBe(1))`,
    "no-focused-tests"
  ],
  [
    "packages/server/src/i.test.ts",
    `import { it } from "vitest"\nit.skip("is", ({ expect }) => expect(1).toBe(1))`,
    "no-disabled-tests"
  ]
]

const sound: ReadonlyArray<readonly [path: string, source: string]> = [
  [
    "packages/core/src/index.ts",
    `export * from "effect"\nexport * from "effect/http"\nexport * from "./policy/x.ts"`
  ],
  ["packages/core/src/policy/x.ts", `export { value } from "../y.ts"`],
  ["packages/core/src/y.ts", `export const value: ReadonlyArray<1> = [1] as const`],
  [
    "packages/core/src/y.test.ts",
    `export * from "@effect/vitest"\nexport * from "vitest"\nexport * from "@muster/testing"\nexport * from "./y.ts"`
  ],
  [
    "packages/core/integration/z.test.ts",
    `export * from "node:fs"\nexport * from "@muster/core"\nexport * from "@muster/testing"`
  ],
  ["packages/testing/src/index.ts", `export * from "@muster/core"\nexport * from "vitest"`],
  [
    "packages/server/src/index.ts",
    `export * from "node:fs"\nexport * from "@effect/platform-node/NodeStream"\nexport * from "./testing/z.ts"`
  ],
  ["packages/server/src/testing/z.ts", `export const z = 1`],
  ["packages/server/src/z.test.ts", `export * from "@muster/testing"`],
  [
    "packages/server/integration/z.test.ts",
    `export * from "@muster/testing"\nexport * from "../src/index.ts"`
  ]
]

interface Report {
  readonly diagnostics: ReadonlyArray<{
    readonly code: string
    readonly help?: string
    readonly filename: string
  }>
}

// The same layout elsewhere, so that nothing of this is ever seen by another tool or test.
describe("pnpm lint", () => {
  let copy = ""
  let report: Report = { diagnostics: [] }

  /** The rules that a file breaks, with what the rule advises. */
  const found = (path: string) =>
    report.diagnostics
      .filter(({ filename }) => filename === path)
      .map(({ code, help }) => ({ rule: code.replace(/^.*\((.*)\)$/, "$1"), message: help }))

  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), "muster-lint-"))
    for (const file of [".oxlintrc.json", "tsconfig.json", "tsconfig.base.json"]) {
      cpSync(join(root, file), join(copy, file))
    }
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
    for (const [path, source] of [...broken, ...sound]) {
      mkdirSync(dirname(join(copy, path)), { recursive: true })
      writeFileSync(join(copy, path), `${source}\n`)
    }
    const oxlint = join(root, "node_modules/oxlint/bin/oxlint")
    const args = [oxlint, "--format=json", "packages", "scripts", "examples"]
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: copy, encoding: "utf8" })
    if (stderr !== "") throw new Error(stderr)
    report = JSON.parse(stdout)
  })

  afterAll(() => rmSync(copy, { recursive: true, force: true }))

  for (const [path, source, rule, message] of broken) {
    it(`refuses, in ${path}, ${JSON.stringify(source)}`, () => {
      expect(found(path)).toMatchObject([message === undefined ? { rule } : { rule, message }])
    })
  }

  it.each(sound)("accepts, in %s, %j", (path) => {
    expect(found(path)).toEqual([])
  })
})
