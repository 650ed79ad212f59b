/**
 * The three packages as users get them: built, packed, and installed into an empty application elsewhere.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { outerEnvironment } from "./environment.ts"

const root = resolve(import.meta.dirname, "..")
const names = ["core", "server", "testing"] as const
type Name = (typeof names)[number]

const env = {
  ...outerEnvironment,
  PATH: `${join(root, "node_modules/node/bin")}:${process.env["PATH"]}`,
  CI: "true"
}

const run = (cwd: string, ...args: ReadonlyArray<string>) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, env, encoding: "utf8" })
  return { status, output: stdout + stderr, stdout }
}

const succeed = (cwd: string, ...args: ReadonlyArray<string>): string => {
  const { status, output, stdout } = run(cwd, ...args)
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}:\n${output}`)
  return stdout
}

const readJson = (...path: ReadonlyArray<string>) => JSON.parse(readFileSync(join(...path), "utf8"))

/** The first TypeScript example of a page. */
const exampleOf = (page: string): string => {
  const [, example] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, page), "utf8")) ?? []
  if (example === undefined) throw new Error(`${page} has no example`)
  return example
}

const pnpm = join(root, "node_modules/pnpm/bin/pnpm.cjs")

describe("the packages", () => {
  let folder = ""
  let application = ""
  const tarball = (name: Name) => join(folder, `${name}.tgz`)
  const filesOf = (name: Name) =>
    spawnSync("tar", ["-tzf", tarball(name)], { encoding: "utf8" })
      .stdout.trimEnd()
      .split("\n")
      .map((path) => path.replace(/^package\//, ""))

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "muster-package-"))
    succeed(root, pnpm, "run", "build")
    for (const name of names) {
      succeed(join(root, "packages", name), pnpm, "pack", "--out", tarball(name))
    }

    application = join(folder, "application")
    mkdirSync(join(application, "src"), { recursive: true })
    const { devDependencies: versions } = readJson(root, "package.json")
    const { devDependencies: testVersions } = readJson(root, "packages/testing/package.json")
    const tarballs = Object.fromEntries(names.map((name) => [`@muster/${name}`, `file:${tarball(name)}`]))
    const manifest = {
      private: true,
      type: "module",
      dependencies: { ...tarballs, effect: versions.effect },
      devDependencies: {
        "@effect/vitest": testVersions["@effect/vitest"],
        "@types/node": versions["@types/node"],
        typescript: versions.typescript,
        vitest: versions.vitest
      },
      // The packages ask for each other by version, which no registry has yet.
      pnpm: { overrides: tarballs }
    }
    const compilerOptions = {
      strict: true,
      target: "ES2024",
      module: "NodeNext",
      types: [],
      rootDir: "src",
      outDir: "out"
    }
    const contract = readFileSync(join(import.meta.dirname, "package/contract.ts"), "utf8")
    const outcome = `
import { Exit } from "effect"
const exit = await Effect.runPromiseExit(program)
console.log(JSON.stringify(Exit.isFailure(exit) ? exit.cause.reasons : exit.value))
`
    for (const [path, text] of [
      ["package.json", JSON.stringify(manifest)],
      ["tsconfig.json", JSON.stringify({ compilerOptions, include: ["src"] })],
      ["src/contract.ts", contract + outcome],
      ["src/core.ts", exampleOf("packages/core/README.md")],
      ["src/testing.test.ts", exampleOf("packages/testing/README.md")]
    ] as const) {
      writeFileSync(join(application, path), text)
    }
    succeed(
      application,
      pnpm,
      "install",
      "--prefer-offline",
      "--no-frozen-lockfile",
      "--strict-peer-dependencies"
    )
  }, 180_000)

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each(names)("%s holds what it needs and no tests", (name) => {
    const files = filesOf(name)
    const always = ["LICENSE", "README.md", "dist/sbom.cdx.json", "package.json"]
    const index = [
      "dist/index.js",
      "dist/index.js.map",
      "dist/index.d.ts",
      "dist/index.d.ts.map",
      "src/index.ts"
    ]
    expect(files).toEqual(expect.arrayContaining([...always, ...index]))
    expect(files.includes("console/dist/index.html.br")).toBe(name === "server")
    const others = files.filter(
      (path) =>
        !/^(console\/dist\/.*\.(html|js|css|svg)(\.(br|gz))?$)|^(dist|src)\/.*[^.]\.(js|ts|map)$/.test(path)
    )
    expect(others.filter((path) => !/^proto\/.*\.proto$/.test(path)).toSorted()).toEqual(always)
    expect(others.includes("proto/muster/scheduler/v1/scheduler.proto")).toBe(name === "server")
    expect(files.filter((path) => /\.test\.|\/Test(Rows|Routes)\./.test(path))).toEqual([])
  })

  it.each([
    ["core", ">=20"],
    ["server", ">=24"],
    ["testing", ">=20"]
  ] as const)("%s says which Node it needs: %s", (name, node) => {
    const manifest = spawnSync("tar", ["-xzOf", tarball(name), "package/package.json"], { encoding: "utf8" })
    expect(JSON.parse(manifest.stdout)).toMatchObject({ engines: { node } })
  })

  it.each(names)("%s is well-formed for publint", (name) => {
    expect(
      run(folder, join(root, "scripts/node_modules/publint/src/cli.js"), "run", tarball(name), "--strict")
    ).toMatchObject({
      status: 0
    })
  })

  it.each(names)("%s has types that every ESM resolution finds", (name) => {
    const attw = join(root, "scripts/node_modules/@arethetypeswrong/cli/dist/index.js")
    expect(run(folder, attw, tarball(name), "--profile", "esm-only", "--no-color")).toMatchObject({
      status: 0
    })
  })

  it("compile into an application, libraries checked too, and run the contract's example", () => {
    succeed(application, "node_modules/typescript/bin/tsc")
    const lines = succeed(application, "out/contract.js").trimEnd().split("\n")

    const [reason, ...others] = JSON.parse(lines.at(-1) ?? "")
    expect(others).toEqual([])
    expect(reason).toMatchObject({
      _tag: "Fail",
      error: {
        _tag: "MaxRetriesExceeded",
        workerId: "ci-7f3a",
        attempts: 6,
        retryable: true,
        lastError: { _tag: "SchedulerUnavailable", message: "connection refused" }
      }
    })

    const generations = lines.flatMap((line) => /\bci-7f3a at (\d+)/.exec(line)?.[1] ?? []).map(Number)
    expect(generations).toHaveLength(3)
    expect(generations).toEqual(Array.from(new Set(generations)).toSorted((a, b) => a - b))
  })

  it("run a test with the test kit", () => {
    const { status, output } = run(application, "node_modules/vitest/vitest.mjs", "run", "src")
    expect(output).toMatch(/1 passed/)
    expect(status).toBe(0)
  })

  it("bring the command muster", () => {
    const muster = spawnSync(join(application, "node_modules/.bin/muster"), ["--version"], {
      env,
      encoding: "utf8"
    })
    expect(muster).toMatchObject({ status: 0, stderr: "" })
    expect(muster.stdout).toContain(readJson(root, "packages/server/package.json").version)
  })

  it("say which Node they need, on an older one", () => {
    const older = `data:text/javascript,Object.defineProperty(process.versions, "node", { value: "20.19.0" })`
    const bin = join(application, "node_modules/@muster/server/dist/bin.js")
    const { output, status } = run(application, "--import", older, bin, "--version")
    expect(output).toBe("muster needs Node 24 or newer; this is Node 20.19.0.\n")
    expect(status).toBe(1)
  })
})
