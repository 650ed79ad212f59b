import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { describe, expect, it } from "vitest"
import { outerEnvironment } from "./environment.ts"
import { bin, startService } from "./RunningService.ts"

const root = resolve(import.meta.dirname, "..")
const file = resolve(root, "deploy/systemd/muster.env")

/** What a shell, and so systemd, reads from the file. */
const variables = Object.fromEntries(
  Array.from(
    spawnSync("env", ["-i", "bash", "-c", `set -a; . '${file}'; env`], { encoding: "utf8" }).stdout.matchAll(
      /^(MUSTER_\w+)=(.*)$/gm
    ),
    ([, name = "", value = ""]): [string, string] => [name, value]
  )
)

/** Of the library, for files. */
const notOfTheService = new Set(["MUSTER_BATCH_CONCURRENCY", "MUSTER_CLUSTER_HOST"])
/** What the file has instead of the default: the unit's directory, and a number that others decide. */
const elsewhere = new Map([
  ["MUSTER_STORE", "/var/lib/muster/fleet.db"],
  ["MUSTER_CALLS", "16"]
])

const settings = async (env: Readonly<Record<string, string>>) => {
  const { announcement, stop } = await startService(env)
  await stop()
  const { url: _, ...others } = announcement
  return others
}

describe("deploy/systemd/muster.env", () => {
  it("names the variables of the service that have a default, each with it", () => {
    const { stdout } = spawnSync(process.execPath, [bin, "config", "--json"], {
      env: outerEnvironment,
      encoding: "utf8"
    })
    const settings: ReadonlyArray<{ name: string; group: string; default: string }> =
      JSON.parse(stdout).settings
    const expected = settings.filter(
      ({ default: value, group, name }) =>
        !["Scheduler", "Commands"].includes(group) && value !== "" && !notOfTheService.has(name)
    )
    expect(expected.length).toBeGreaterThan(30)
    const given = expected.map(({ name }) => [name, variables[name]?.toLowerCase()])
    expect(given).toEqual(
      expected.map(({ default: value, name }) => [name, (elsewhere.get(name) ?? value).toLowerCase()])
    )
  })

  it("has the defaults", async () => {
    expect(await settings(variables)).toEqual(await settings({}))
  })

  it("keeps the store where the unit lets the service write", () => {
    const unit = readFileSync(resolve(root, "deploy/systemd/muster.service"), "utf8")
    const [, directory] = /^StateDirectory=(.*)$/m.exec(unit) ?? []
    expect(variables["MUSTER_STORE"]).toBe(`/var/lib/${directory}/fleet.db`)
  })
})

describe("deploy/systemd/muster.service", () => {
  const path = resolve(root, "deploy/systemd/muster.service")
  const settings = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => !line.startsWith("#"))

  it.each([
    "DynamicUser=yes",
    "PrivateUsers=yes",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "RestrictSUIDSGID=yes",
    "UMask=0077",
    "StateDirectoryMode=0700",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectProc=invisible",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "RestrictNamespaces=yes",
    "LockPersonality=yes"
  ])("has %s", (setting) => {
    expect(settings).toContain(setting)
  })

  it("lets Node compile, and names no secret", () => {
    expect(settings.filter((line) => line.startsWith("MemoryDenyWriteExecute="))).toEqual([])
    expect(settings.filter((line) => /PASSWORD|TOKEN|SECRET/.test(line))).toEqual([])
  })

  const analyze = (...args: ReadonlyArray<string>) => {
    const { status, stderr, stdout } = spawnSync("systemd-analyze", args, { encoding: "utf8" })
    return { status, said: stdout + stderr }
  }
  const hasSystemd = analyze("--version").status === 0
  if (!hasSystemd) console.log("systemd-analyze is missing (Debian: systemd): the unit is only read as text")

  it.skipIf(!hasSystemd)("is what systemd understands", () => {
    expect(analyze("verify", path)).toEqual({ status: 0, said: "" })
  })

  it.skipIf(!hasSystemd)("is rated as docs/security.md says", () => {
    const page = readFileSync(resolve(root, "docs/security.md"), "utf8")
    const [, rating = ""] = /rates it ([\d.]+)/.exec(page) ?? []
    const most = String(Math.round(Number(rating) * 10))
    const { said, status } = analyze("security", "--offline=true", `--threshold=${most}`, "--no-pager", path)
    expect({ status, said }).toMatchObject({ status: 0 })
  })
})

describe("docs/operate.md", () => {
  it("has every variable as it is declared; node scripts/variables.ts writes it", () => {
    const script = resolve(root, "scripts/variables.ts")
    const { status, stdout } = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" })
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" })
  })
})
