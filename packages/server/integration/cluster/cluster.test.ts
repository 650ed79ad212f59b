/**
 * A short run of the torture test of the cluster. `pnpm torture cluster` runs it for longer.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { isFine } from "../torture/Evidence.ts"
import { clientLayer } from "../torture/Torture.ts"
import { report } from "./ClusterReport.ts"
import { tortureCluster } from "./ClusterTorture.ts"

describe("a cluster whose servers are killed, stopped and cut off", () => {
  it.live(
    "loses nothing that it has acknowledged, and has each partition looked after by one server alone",
    () =>
      Effect.gen(function* () {
        const outcome = yield* tortureCluster(
          {
            seed: "1",
            misfortunes: ["server killed", "server stopped for long", "PostgreSQL restarted, immediate"],
            isEnough: (rounds) => rounds >= 3,
            workers: 300,
            connections: 24,
            pause: 40,
            lockExpiration: Duration.seconds(3),
            // On a machine that has other tests to run.
            takeOverWithin: Duration.seconds(30),
            settleWithin: Duration.seconds(90)
          },
          () => Effect.void
        )
        assert.isTrue(isFine(outcome), (yield* report(outcome)).join("\n"))
        // Something has happened at all.
        assert.isAbove(outcome.ledger.counts.acknowledged, 200)
      }).pipe(Effect.scoped, Effect.provide([NodeServices.layer, clientLayer])),
    Duration.toMillis("4 minutes")
  )
})
