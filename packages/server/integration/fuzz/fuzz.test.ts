/**
 * A short run of the fuzz suite: one seed that stays and one that is new each time. `pnpm fuzz` runs it for longer.
 */
import { assert, describe, it } from "@effect/vitest"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fuzz } from "./Fuzz.ts"

describe("Muster, whatever it is given", () => {
  const random = String(Math.floor(Math.random() * 1e9))
  it.each([
    ["1", undefined, 300],
    // The service alone: each process takes a while to start.
    [random, "http", 800]
  ] as const)(
    "answers as it says that it answers, keeps its memory, and goes on working: seed %s, %s",
    async (seed, only, requests) => {
      const { findings, summary } = await fuzz({
        seed,
        requests,
        only,
        rounds: 1,
        folder: join(mkdtempSync(join(tmpdir(), "muster-fuzz-failures-"))),
        say: () => undefined,
        progress: () => undefined
      })
      const told = findings.map(({ area, file = "", input, what }) => `${area} ${input}: ${what} ${file}`)
      assert.deepStrictEqual(told, [], `seed ${seed}\n${summary.join("\n")}`)
    },
    120_000
  )
})
