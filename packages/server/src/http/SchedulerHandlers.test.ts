import { assert, describe, it } from "@effect/vitest"
import { SchedulerUnavailable, Worker } from "@muster/core"
import { TestScheduler } from "@muster/testing"
import { Duration, Effect } from "effect"
import { start, type TestRoutes, worker } from "./TestRoutes.ts"

const strange = (scheduler: TestScheduler["Service"]) =>
  Effect.gen(function* () {
    yield* scheduler.hold(yield* Effect.orDie(Worker.decode(worker("stranger"))), 1)
  })

const compared = ({ send }: TestRoutes) =>
  Effect.map(
    Effect.repeat(send("GET", "/v1/scheduler"), { until: ({ json }) => json.drift !== null }),
    ({ json }) => json.drift
  )

describe("drift", () => {
  it.live("is null while the scheduler was not compared", () =>
    Effect.gen(function* () {
      const { send } = yield* start({ fleet: { driftInterval: Duration.infinity } })
      assert.isNull((yield* send("GET", "/v1/scheduler")).json.drift)
    }).pipe(Effect.scoped)
  )

  it.live("tells when the scheduler was compared, and what was found", () =>
    Effect.gen(function* () {
      const routes = yield* start({ prepare: strange })
      const { endedAt, startedAt, ...found } = yield* compared(routes)
      assert.deepStrictEqual(found, { held: 1, lost: 0, ghosts: 0, unknown: 1, error: null })
      assert.isAtMost(Date.parse(startedAt), Date.parse(endedAt))
      // Only reported.
      assert.strictEqual((yield* routes.send("GET", "/v1/workers/stranger")).status, 404)
    }).pipe(Effect.scoped)
  )

  it.live("tells why the comparison did not come to its end", () =>
    Effect.gen(function* () {
      const busy = TestScheduler.fail(new SchedulerUnavailable({ message: "busy" }))
      const routes = yield* start({ prepare: (scheduler) => scheduler.onEvery("list", [busy]) })
      assert.deepInclude(yield* compared(routes), { held: 0, error: "busy" })
    }).pipe(Effect.scoped)
  )

  it.live.each([
    ["adopt", "registered"],
    ["remove", "terminated"]
  ] as const)("can %s a worker that only the scheduler knew: it is then %s", ([unknownWorkers, phase]) =>
    Effect.gen(function* () {
      const routes = yield* start({ prepare: strange, fleet: { unknownWorkers } })
      yield* routes.reaches("stranger", phase)
      const held = yield* routes.scheduler.workers
      assert.lengthOf(held, unknownWorkers === "adopt" ? 1 : 0)
    }).pipe(Effect.scoped)
  )
})

describe("what the scheduler holds", () => {
  it.live("is answered with 503 when its list stops coming", () =>
    Effect.gen(function* () {
      const { send } = yield* start({
        attemptTimeout: "50 millis",
        fleet: { driftInterval: Duration.infinity },
        prepare: (scheduler) => scheduler.onEvery("list", [TestScheduler.hang])
      })
      const { json, status } = yield* send("GET", "/v1/scheduler/workers")
      assert.strictEqual(status, 503)
      assert.strictEqual(json.detail, "the list stopped coming")
    }).pipe(Effect.scoped)
  )
})
