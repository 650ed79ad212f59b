/**
 * A short run of the soak test. `pnpm soak` runs it for an hour.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { drawSoak } from "./Picture.ts"
import { isFine, report } from "./Report.ts"
import { clientLayer, soak } from "./Soak.ts"

describe("a service under mixed load, over a scheduler that fails, is slow, goes away and forgets", () => {
  it.live(
    "loses nothing, leaves nothing behind, and keeps its memory, open files and store as they are",
    () =>
      Effect.gen(function* () {
        const outcome = yield* soak(
          {
            seed: "1",
            duration: Duration.seconds(20),
            store: "sqlite",
            workers: 200,
            lanes: 4,
            pause: 200,
            pace: 6,
            settleWithin: Duration.minutes(1)
          },
          () => Effect.void
        )
        assert.isTrue(isFine(outcome), report(outcome).join("\n"))
        // Something has happened at all.
        const { counts } = outcome.fleet
        assert.isAbove(counts.registered, 100)
        assert.isAbove(outcome.scheduler.restarts, 0)
        for (const name of ["terminated", "heartbeats", "reads", "events", "exports", "bad"] as const) {
          assert.isAbove(counts[name], 0, name)
        }
        assert.match(drawSoak(outcome.samples), /^<svg [^]*registered or ready[^]*<\/svg>\n$/)
      }).pipe(Effect.scoped, Effect.provide([NodeServices.layer, clientLayer])),
    Duration.toMillis("3 minutes")
  )
})
