/**
 * Every example in a doc comment and in the pages is a program: it is type-checked, and run unless it is a test
 * itself. An example that begins with an import stands alone; others are fragments and are left out. What it calls
 * `program` has to succeed.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "../..")
const folder = join(root, "examples/.documentation")

interface Example {
  readonly origin: string
  readonly file: string
  readonly code: string
}

const examplesOf = (page: string): ReadonlyArray<Example> => {
  const text = readFileSync(join(root, page), "utf8")
  const inComment = page.endsWith(".ts")
  const fences = text.matchAll(inComment ? /^ *\* ```ts\n([\s\S]*?)^ *\* ```/gm : /^```ts\n([\s\S]*?)^```/gm)
  return Array.from(fences, ([, fenced = ""], index) => ({
    origin: `${page}, example ${index + 1}`,
    file: `${page.replaceAll(/[^\w]/g, "-")}-${index + 1}.ts`,
    code: inComment ? fenced.replaceAll(/^ *\* ?/gm, "") : fenced
  })).filter(({ code }) => code.startsWith("import "))
}

const pages = globSync(
  [
    "packages/{core,testing}/src/**/*.ts",
    "packages/server/src/schedulers/*.ts",
    "README.md",
    "packages/*/README.md",
    "docs/**/*.md"
  ],
  { cwd: root }
)
const examples = pages.filter((page) => !page.endsWith(".test.ts")).flatMap(examplesOf)

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
for (const { code, file } of examples) {
  writeFileSync(join(folder, file), /^const program =/m.test(code) ? `${code}\nexport { program }\n` : code)
}
writeFileSync(
  join(folder, "tsconfig.json"),
  JSON.stringify({
    extends: "../../tsconfig.base.json",
    compilerOptions: { noEmit: true, noUnusedLocals: false, types: ["node"] },
    include: ["*.ts"]
  })
)

describe("the examples of the documentation", () => {
  it("are there", () => assert.isAtLeast(examples.length, 10))

  it("have the types that they claim", () => {
    try {
      execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8", stdio: "pipe" })
    } catch (error) {
      assert.fail(error instanceof Error && "stdout" in error ? String(error.stdout) : String(error))
    }
  })

  const programs = examples.filter(
    ({ code }) => !/@effect\/vitest|(?:schedulerPort|fleetStore)Contract/.test(code)
  )
  it.each(programs.map((example) => [example.origin, example] as const))(
    "%s runs",
    { timeout: 30_000 },
    async (_, { file }) => {
      const { program }: { program?: Effect.Effect<unknown, unknown> } = await import(join(folder, file))
      if (program !== undefined) await Effect.runPromise(program)
    }
  )
})
