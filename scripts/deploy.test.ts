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
const notOfTheService = new Set(["MUSTER_BATCH_CONCURRENCY"])
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

describe("docs/operate.md", () => {
  it("has every variable as it is declared; node scripts/variables.ts writes it", () => {
    const script = resolve(root, "scripts/variables.ts")
    const { status, stdout } = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" })
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" })
  })
})
