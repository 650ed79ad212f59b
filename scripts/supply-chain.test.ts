import { Spec, Validation } from "@cyclonedx/cyclonedx-library"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { outerEnvironment } from "./environment.ts"
import { publishedNames, root } from "./published.ts"

const folder = mkdtempSync(join(tmpdir(), "muster-supply-chain-"))
afterAll(() => rmSync(folder, { recursive: true }))

const script = (name: string) => join(root, "scripts", name)
const run = (name: string, ...args: ReadonlyArray<string>) => {
  const { status, stdout } = spawnSync(process.execPath, [script(name), ...args], { encoding: "utf8" })
  return { status, lines: stdout.trimEnd().split("\n") }
}

describe("pnpm dependencies", () => {
  const hash = `sha512-${"a".repeat(86)}==`
  const pinned = `pnpm@10.0.0+sha512.${"a".repeat(128)}`
  const good = {
    "package.json": { packageManager: pinned, devDependencies: { pnpm: "10.0.0" } },
    "packages/a/package.json": {
      dependencies: { left: "1.0.0" },
      devDependencies: { effect: "4.1.2" },
      peerDependencies: { effect: "^4.1.0" }
    },
    "pnpm-workspace.yaml": {
      packages: ["packages/*"],
      strictDepBuilds: true,
      blockExoticSubdeps: true,
      minimumReleaseAge: 1440,
      onlyBuiltDependencies: ["node"]
    },
    "pnpm-lock.yaml": { packages: { "left@1.0.0": { resolution: { integrity: hash } } } },
    "node_modules/.pnpm/node@1.0.0/node_modules/node/package.json": {
      name: "node",
      scripts: { postinstall: "node install.js" }
    }
  }

  /** What the check says of a repository with these files. */
  const say = (files: Readonly<Record<string, unknown>>) => {
    const repository = mkdtempSync(join(folder, "repository-"))
    for (const [path, content] of Object.entries({ ...good, ...files })) {
      mkdirSync(dirname(join(repository, path)), { recursive: true })
      writeFileSync(join(repository, path), JSON.stringify(content))
    }
    return run("supply-chain.ts", repository)
  }

  it("has nothing to say of exact versions, hashes, and scripts that are allowed", () => {
    expect(say({})).toEqual({ status: 0, lines: [""] })
  })

  it("refuses versions that are not exact", () => {
    const versions = [
      "^1.0.0",
      "~1.0.0",
      "1.x",
      "*",
      "latest",
      "git+https://example.com/l.git",
      "file:../left"
    ]
    const dependencies = Object.fromEntries(versions.map((version, index) => [`left${index}`, version]))
    expect(say({ "packages/a/package.json": { dependencies } })).toEqual({
      status: 1,
      lines: versions.map(
        (version, index) => `packages/a/package.json: left${index}: "${version}" is not an exact version`
      )
    })
  })

  it("refuses ranges of peers that begin elsewhere than at the minor version that is tested", () => {
    const ranges = ["*", "^4.0.0", "^4.1.3", ">=4"]
    const peers = Object.fromEntries(ranges.map((range, index) => [`left${index}`, range]))
    const tested = Object.fromEntries(ranges.map((_, index) => [`left${index}`, "4.1.2"]))
    expect(
      say({ "packages/a/package.json": { devDependencies: tested, peerDependencies: peers } }).lines
    ).toEqual(
      ranges.map(
        (range, index) =>
          `packages/a/package.json: left${index}: "${range}" is not ^ and a version up to the tested one, 4.1.2`
      )
    )
  })

  it("wants pnpm itself pinned, with its hash", () => {
    expect(
      say({ "package.json": { packageManager: "pnpm@10.0.0", devDependencies: { pnpm: "10.0.0" } } })
    ).toEqual({
      status: 1,
      lines: ["package.json: packageManager is not the version of pnpm in devDependencies, with its hash"]
    })
  })

  it("refuses what the lockfile has no hash of, or takes from elsewhere", () => {
    const packages = {
      "left@1.0.0": { resolution: { tarball: "https://example.com/left.tgz", integrity: hash } },
      "right@1.0.0": { resolution: { type: "git", commit: "1234" } }
    }
    expect(say({ "pnpm-lock.yaml": { packages } }).lines).toEqual([
      "pnpm-lock.yaml: left@1.0.0 is from elsewhere: tarball",
      "pnpm-lock.yaml: right@1.0.0 has no hash",
      "pnpm-lock.yaml: right@1.0.0 is from elsewhere: type",
      "pnpm-lock.yaml: right@1.0.0 is from elsewhere: commit"
    ])
  })

  it("refuses scripts of packages that nobody has named", () => {
    const path = "node_modules/.pnpm/left@1.0.0/node_modules/@scope/left/package.json"
    expect(say({ [path]: { name: "@scope/left", scripts: { preinstall: "curl" } } }).lines).toEqual([
      `${path}: @scope/left has preinstall, and pnpm-workspace.yaml does not name it`
    ])
  })
})

describe("the bills of materials", () => {
  const read = (name: string, where = "1") => readFileSync(join(folder, where, name, "sbom.cdx.json"), "utf8")

  beforeAll(() => {
    for (const where of ["1", "2"]) run("sbom.ts", join(folder, where))
  })

  it.each(publishedNames)("%s: is what the schema of CycloneDX asks for", async (name) => {
    const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6)
    expect(await validator.validate(read(name))).toBeNull()
    expect(
      await validator.validate(read(name).replace('"type": "library"', '"type": "books"'))
    ).not.toBeNull()
  })

  it.each(publishedNames)("%s: is the same each time", (name) => {
    expect(read(name)).toBe(read(name, "2"))
  })

  it("server: has what is needed directly and indirectly, and what is built in, each with licence and hash", () => {
    const { components } = JSON.parse(read("server"))
    const found = new Map(
      components.map((each: { purl: string }) => [each.purl.replace(/@[\d.]+$/, ""), each])
    )
    for (const purl of [
      "pkg:npm/%40grpc/grpc-js",
      "pkg:npm/protobufjs",
      "pkg:npm/preact",
      "pkg:npm/effect"
    ]) {
      expect(found.get(purl)).toMatchObject({ licenses: [{}], hashes: [{ alg: "SHA-512" }] })
    }
    expect(found.has("pkg:npm/vitest")).toBe(false)
  })
})

describe("pnpm advisories", () => {
  /** What is said with a registry that answers so. */
  const ask = async (status: number, answer: unknown) => {
    const registry = createServer((request, response) => {
      request.resume()
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer))
    })
    registry.listen(0, "127.0.0.1")
    await once(registry, "listening")
    const address = registry.address()
    const port = address !== null && typeof address === "object" ? address.port : 0
    const child = spawn(process.execPath, [script("advisories.ts"), `--registry=http://127.0.0.1:${port}/`], {
      env: outerEnvironment
    })
    let output = ""
    child.stdout.on("data", (data: Buffer) => (output += data.toString()))
    const [code] = await once(child, "close")
    registry.close()
    return { code, output }
  }

  const advisories = (severity: string) => ({
    advisories: {
      1: {
        id: 1,
        module_name: "left",
        vulnerable_versions: "<2.0.0",
        severity,
        title: "It is not right",
        url: "https://example.com/1",
        findings: []
      }
    },
    metadata: { vulnerabilities: { info: 0, low: 0, moderate: 0, high: 0, critical: 0, [severity]: 1 } }
  })

  it.each([
    ["critical", 1],
    ["high", 1],
    ["moderate", 0]
  ])("%s: ends with %i", async (severity, code) => {
    const said = await ask(200, advisories(severity))
    expect(said.output).toContain(`${severity}: left <2.0.0: It is not right (https://example.com/1)`)
    expect(said.code).toBe(code)
  })

  it("fails where it was not even asked", () => {
    expect(run("advisories.ts", "--no-such-option")).toMatchObject({
      status: 1,
      lines: expect.arrayContaining(["pnpm audit failed:"])
    })
  })

  it("says so where the registry does not answer", async () => {
    const said = await ask(405, {})
    expect(said.output).toContain("gave none: nothing is known of vulnerabilities")
    expect(said.code).toBe(0)
  })
})
