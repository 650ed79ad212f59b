import { assert, describe, it } from "@effect/vitest"
import { SchedulerRejected } from "@muster/core"
import { TestScheduler } from "@muster/testing"
import { Effect } from "effect"
import { lost } from "../cluster/TestCluster.ts"
import { problem, start, waiting, worker } from "./TestRoutes.ts"

describe("GET /v1/overview", () => {
  it.live("counts workers by phase, type and namespace", () =>
    Effect.gen(function* () {
      const { reaches, send } = yield* start({
        prepare: (scheduler) =>
          scheduler.onRegister("bad", [TestScheduler.fail(new SchedulerRejected({ message: "no" }))])
      })
      assert.deepInclude((yield* send("GET", "/v1/overview")).json, {
        state: "well",
        summary: "0 workers registered; scheduler healthy",
        deadLetters: 0,
        oldestUnfinished: null
      })
      const typed = (id: string, workerType: string, namespace: string) => ({
        ...worker(id),
        metadata: { workerType, namespace }
      })
      yield* send("POST", "/v1/workers", typed("a", "static", "ci"), waiting)
      yield* send("POST", "/v1/workers", typed("b", "dynamic", "ci"), waiting)
      yield* send("POST", "/v1/workers", typed("c", "static", "gpu"), waiting)
      yield* send("POST", "/v1/workers", worker("bad"))
      yield* reaches("bad", "failed")
      const { json } = yield* send("GET", "/v1/overview")
      assert.sameDeepMembers(json.workers.kinds, [
        { phase: "registered", workerType: "static", count: 2 },
        { phase: "registered", workerType: "dynamic", count: 1 },
        { phase: "failed", workerType: "dynamic", count: 1 }
      ])
      assert.sameDeepMembers(json.workers.namespaces, [
        { namespace: "ci", count: 2 },
        { namespace: "gpu", count: 1 },
        { namespace: "default", count: 1 }
      ])
      assert.deepInclude(json, {
        state: "trouble",
        summary: "3 workers registered; scheduler healthy; 1 dead letter",
        deadLetters: 1,
        unfinished: 0
      })
    }).pipe(Effect.scoped)
  )
})

describe("the overview of a cluster", () => {
  it.live("counts its servers, and what nobody looks after", () =>
    Effect.gen(function* () {
      const { send } = yield* start({ cluster: Effect.succeed(lost) })
      assert.deepInclude((yield* send("GET", "/v1/overview")).json, {
        cluster: { up: 2, lost: 1, unattended: 8 },
        state: "trouble",
        summary: "8 partitions without a server; 1 server lost; 0 workers registered; scheduler healthy"
      })
    }).pipe(Effect.scoped)
  )
})

describe("GET /v1/history", () => {
  it.live("is empty at first, and takes a time only", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      assert.deepStrictEqual((yield* send("GET", "/v1/history")).json, { stepSeconds: 5, points: [] })
      assert.strictEqual((yield* send("GET", "/v1/history?after=2026-01-31T12:00:00Z")).status, 200)
      for (const after of ["yesterday", "2026-13-01T00:00:00Z", "12"]) {
        const { json, status } = yield* send("GET", `/v1/history?after=${after}`)
        assert.strictEqual(status, 400)
        assert.deepInclude(json, problem("invalid-request", 400))
        assert.strictEqual(json.errors[0].path, "query.after")
      }
    }).pipe(Effect.scoped)
  )
})
