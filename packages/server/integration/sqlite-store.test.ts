import { assert, describe, it } from "@effect/vitest"
import { FleetStore } from "@muster/core/fleet"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { storeLayer } from "../src/store/Stores.ts"
import { assertSteps } from "./StoreSteps.ts"

const writer = fileURLToPath(new URL("./StoreWriter.ts", import.meta.url))

/** Commits steps from `first` on in another process, which is killed as soon as so many were answered; those. */
const writeAndKill = async (path: string, first: number, count: number): Promise<ReadonlyArray<number>> => {
  const child = spawn(process.execPath, [writer, path, String(first)], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  let output = ""
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString()
    if (output.split("\n").length > count) child.kill("SIGKILL")
  })
  await once(child, "close")
  return output.split("\n").slice(0, -1).map(Number)
}

describe("SqliteStore", () => {
  it("has everything that it has answered when its process is killed, and nothing by halves", async () => {
    const directory = mkdtempSync(join(tmpdir(), "muster-store-"))
    try {
      const path = join(directory, "fleet.db")
      const answered: Array<number> = []
      for (const count of [1, 20, 100, 500]) {
        const first = (answered.at(-1) ?? 0) + 2
        const more = await writeAndKill(path, first, count)
        assert.isAtLeast(more.length, count)
        answered.push(...more)
        // The lock went with the process.
        const check = Effect.flatMap(FleetStore, (store) =>
          assertSteps(store, answered, (answered.at(-1) ?? 0) + 1)
        )
        await Effect.runPromise(Effect.provide(check, storeLayer(path)))
      }
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  it("refuses a second process by name while the first one has it open", async () => {
    const directory = mkdtempSync(join(tmpdir(), "muster-store-"))
    try {
      const path = join(directory, "fleet.db")
      const second = Effect.promise(async () => {
        const child = spawn(process.execPath, [writer, path], { stdio: ["ignore", "ignore", "pipe"] })
        let errors = ""
        child.stderr.on("data", (data: Buffer) => (errors += data.toString()))
        await once(child, "close")
        return errors
      })
      const errors = await Effect.runPromise(
        Effect.provide(Effect.andThen(FleetStore, second), storeLayer(path))
      )
      assert.include(errors, `cannot open the store ${path}: another muster has it open`)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})
