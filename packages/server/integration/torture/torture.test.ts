/**
 * A short run of the torture test. `pnpm torture` runs it for longer.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { isFine } from "./Evidence.ts"
import { report } from "./Report.ts"
import { clientLayer, torture } from "./Torture.ts"

describe("a service that is killed again and again, over a scheduler that does wrong whatever it can", () => {
  it.live(
    "loses nothing that it has acknowledged, and leaves nothing behind that is not wanted",
    () =>
      Effect.gen(function* () {
        const outcome = yield* torture(
          {
            seed: "1",
            kills: 12,
            workers: 500,
            store: "sqlite",
            connections: 48,
            pause: 20,
            settleWithin: Duration.minutes(1)
          },
          () => Effect.void
        )
        assert.isTrue(isFine(outcome), (yield* report(outcome)).join("\n"))
        // Something has happened at all.
        assert.isAbove(outcome.ledger.counts.acknowledged, 300)
      }).pipe(Effect.scoped, Effect.provide([NodeServices.layer, clientLayer])),
    Duration.toMillis("4 minutes")
  )
})
