import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { describe, expect, it } from "vitest"
import { startService } from "./RunningService.ts"

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

const settings = async (env: Readonly<Record<string, string>>) => {
  const { announcement, stop } = await startService(env)
  await stop()
  const { url: _, ...others } = announcement
  return others
}

describe("deploy/systemd/muster.env", () => {
  it("names the variables of the service", () => {
    const [, table = ""] =
      /\| variable \|([\s\S]*?)\n\n/.exec(readFileSync(resolve(root, "docs/http-api.md"), "utf8")) ?? []
    const documented = table.match(/`MUSTER_\w+`/g) ?? []
    expect(documented.length).toBeGreaterThan(5)
    expect(Object.keys(variables).map((name) => `\`${name}\``)).toEqual(expect.arrayContaining(documented))
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
