import { assert, describe, it } from "@effect/vitest"
import { StoreUnavailable } from "@muster/core/fleet"
import { Effect } from "effect"
import { lost } from "../cluster/TestCluster.ts"
import { problem, start } from "./TestRoutes.ts"

describe("GET /v1/cluster", () => {
  it.live("tells which servers there are, and what each looks after", () =>
    Effect.gen(function* () {
      const { send } = yield* start({ cluster: Effect.succeed(lost) })
      const { json, status } = yield* send("GET", "/v1/cluster")
      assert.strictEqual(status, 200)
      assert.deepInclude(json, {
        clustered: true,
        partitions: 32,
        unowned: [23, 25, 26, 27, 28, 29, 30, 31]
      })
      assert.deepStrictEqual(json.servers[0], {
        id: "00000000-0000-4000-8000-000000000003",
        address: "10.0.0.3:34431",
        url: "http://10.0.0.3:7070",
        version: "1.0.0",
        startedAt: "2026-01-31T11:57:00.000Z",
        seenAt: "2026-01-31T11:59:48.000Z",
        state: "lost",
        isThis: false,
        partitions: []
      })
    }).pipe(Effect.scoped)
  )

  it.live("is a problem while the store does not answer", () =>
    Effect.gen(function* () {
      const away = new StoreUnavailable({ message: "The store does not answer" })
      const { send } = yield* start({ cluster: Effect.fail(away) })
      const { headers, json, status } = yield* send("GET", "/v1/cluster")
      assert.strictEqual(status, 503)
      assert.deepInclude(json, problem("store-unavailable", 503))
      assert.strictEqual(headers.get("retry-after"), "1")
    }).pipe(Effect.scoped)
  )
})
