import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Effect } from "effect"
import { limitVariables } from "../LimitSettings.ts"
import { problem, start, worker } from "./TestRoutes.ts"

describe("requests that are open", () => {
  it.live("are so many at most; whoever watches the service is answered all the same", () =>
    Effect.gen(function* () {
      const { open, scheduler, send } = yield* start()
      yield* scheduler.onRegister("a", [TestScheduler.hang])
      const leave = new AbortController()
      const waiting = Array.from({ length: limitVariables.requests.fallback }, () =>
        Effect.runPromise(open("POST", "/v1/workers", worker("a"), { prefer: "wait=60" }, leave.signal))
      )
      const { headers, json } = yield* send("POST", "/v1/workers", worker("b"))
      assert.deepInclude(json, { ...problem("overloaded", 503), detail: "10000 requests are open already." })
      assert.strictEqual(headers.get("retry-after"), "1")
      for (const path of ["/healthz", "/readyz"]) {
        assert.strictEqual((yield* send("GET", path)).status, 200)
      }
      leave.abort()
      yield* Effect.promise(() => Promise.allSettled(waiting))
      assert.strictEqual((yield* send("POST", "/v1/workers", worker("b"))).status, 202)
    }).pipe(Effect.scoped)
  )
})
