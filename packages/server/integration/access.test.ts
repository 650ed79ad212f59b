/**
 * Who may do what, from the outside: a service that asks for tokens, and the commands that show them.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { bin, Muster, Service } from "./ServiceProcess.ts"

const folder = mkdtempSync(join(tmpdir(), "muster-access-"))
const operator = join(folder, "operator.token")
const page = readFileSync(fileURLToPath(new URL("../../../docs/access.md", import.meta.url)), "utf8")

let service: Service
beforeAll(async () => {
  await using generate = new Muster(["tokens", "generate"])
  assert.strictEqual(await generate.exit(), 0)
  writeFileSync(operator, generate.output, { mode: 0o600 })
  service = await Service.start({ env: { MUSTER_AUTH: "on", MUSTER_OPERATOR_TOKEN_FILE: operator } })
})
afterAll(async () => {
  await service[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const shell = (script: string, env: Record<string, string> = {}) =>
  spawnSync("sh", ["-c", `muster() { '${process.execPath}' '${bin}' "$@"; }\n${script}`], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, MUSTER_SERVER: service.url, MUSTER_TOKEN_FILE: operator, ...env }
  })

/** Without what differs each time. */
const steady = (text: string) =>
  text
    .replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, "ADDRESS")
    .replaceAll(/\b[0-9a-f]{64}\b/g, "HASH")
    .replaceAll(/\b[0-9a-f]{16}\b/g, "ID")
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z/g, "TIME")
    .replaceAll(/"generation":\d+/g, '"generation":N')
    .replaceAll(/ +$/gm, "")

describe("docs/access.md", () => {
  it("has a session in which a machine joins, and another one with the same token does not", () => {
    const [, session = ""] = /<!-- session:[^>]*-->\s*```console\n([\s\S]*?)```/.exec(page) ?? []
    const script = session
      .split("\n")
      .filter((line) => line.startsWith("$ "))
      .map((line) => line.slice(2))
      // Each answer of curl on a line of its own, as it is shown.
      .map((line) => (line.startsWith("curl") ? `${line}; echo` : line))
    const { stdout } = shell(`exec 2>&1\n${script.join("\n")}`)
    const printed = session
      .split("\n")
      .filter((line) => !line.startsWith("$ "))
      .join("\n")
    assert.strictEqual(steady(stdout), steady(printed))
    // For its user alone.
    assert.strictEqual(statSync(join(folder, "worker.token")).mode & 0o777, 0o600)
    assert.throws(() => statSync(join(folder, "other.token")), /ENOENT/)
  })

  it("says what the service says that others would reach", async () => {
    await using refused = new Muster(["serve", "--host", "0.0.0.0", "--port", "0"])
    assert.strictEqual(await refused.exit(), 2)
    const [, told = ""] = /\$ muster serve --host 0\.0\.0\.0\n([\s\S]*?)```/.exec(page) ?? []
    assert.strictEqual(refused.errors.replaceAll(/\s+/g, " "), told.replaceAll(/\s+/g, " "))
  })
})

describe("the commands", () => {
  it("show the token of the environment, and say what to do without one", () => {
    const without = shell("muster workers", { MUSTER_TOKEN_FILE: "" })
    assert.strictEqual(without.status, 1)
    assert.match(without.stderr, /status 401: This service asks for a token.*MUSTER_TOKEN_FILE/)
    assert.strictEqual(shell("muster workers").status, 0)
  })

  it("find what was changed in an exported audit log", () => {
    const exported = shell("muster audit list --json > audit.ndjson && muster audit verify audit.ndjson")
    assert.match(exported.stdout, /^The audit log is whole: \d+ entries/)
    const [, place = ""] = /last one (\S+)/.exec(exported.stdout) ?? []
    assert.strictEqual(shell(`muster audit verify --expect ${place}`).status, 0)
    const forged = shell(
      "sed s/ci-7f3a/ci-7f3c/ audit.ndjson > forged.ndjson && muster audit verify forged.ndjson"
    )
    assert.strictEqual(forged.status, 1)
    assert.match(forged.stderr, /^The audit log is not whole: entry 2 is not what was written\.\n$/)
    const other = shell(`muster audit verify --expect 2:${"0".repeat(64)}`)
    assert.match(other.stderr, /entry 2 is not the one that was there before/)
  })
})
