import { assert, describe, it } from "@effect/vitest"
import { RegistrationConfig, SchedulerRejected, SchedulerUnavailable, Worker } from "@muster/core"
import { Fleet, MemoryFleetStore } from "@muster/core/fleet"
import { TestScheduler } from "@muster/testing"
import { Context, Duration, Effect, Layer, Logger, Metric, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { History } from "./History.ts"

/** A history over a fleet with metrics of its own. */
const start = Effect.gen(function* () {
  const context = yield* Layer.build(
    History.layer.pipe(
      Layer.provideMerge(
        Fleet.layerWith({ driftInterval: Duration.infinity, checkAfter: Duration.infinity })
      ),
      Layer.provide(MemoryFleetStore.layer),
      Layer.provideMerge(TestScheduler.layer),
      Layer.provide(
        RegistrationConfig.layer({ maxRetries: 1, baseBackoff: "400 millis", maxBackoff: "400 millis" })
      )
    )
  )
  const fleet = Context.get(context, Fleet)
  const want = (id: string) =>
    Effect.flatMap(
      Effect.orDie(Worker.decode({ id, capabilities: { cpuCores: 1, memoryMb: 1 } })),
      (worker) => fleet.want(worker, { saidWhenProvisioned: false })
    )
  return {
    want,
    scheduler: Context.get(context, TestScheduler),
    points: (after = 0) => Context.get(context, History).after(after)
  }
})

const inTestTime = <A, E>(test: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.scoped(test).pipe(
    Effect.provideService(Metric.MetricRegistry, new Map()),
    Effect.provide(Logger.layer([]))
  )

describe("History", () => {
  it.effect("has a point for every five seconds, with what happened in them alone", () =>
    inTestTime(
      Effect.gen(function* () {
        const { points, scheduler, want } = yield* start
        yield* scheduler.onRegister("bad", [TestScheduler.fail(new SchedulerRejected({ message: "no" }))])
        yield* scheduler.onRegister("late", [
          TestScheduler.fail(new SchedulerUnavailable({ message: "connection refused" }))
        ])
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(points(), [])
        yield* TestClock.adjust("1 second")
        assert.deepInclude(points()[0], { at: 5000, registered: 0, p50: undefined, p95: undefined })

        yield* want("a")
        yield* want("bad")
        yield* want("late")
        yield* TestClock.adjust("5 seconds")
        const [, second] = points()
        assert.deepInclude(second, {
          at: 10_000,
          registered: 2,
          failures: { invalid_worker: 1 },
          attempts: { succeeded: 2, failed: 2 },
          unfinished: 0
        })
        // One at once, one after 400 ms: within the buckets up to 0.1 and up to 0.5 seconds.
        assert.isAtMost(second?.p50 ?? Infinity, 0.1)
        assert.isAbove(second?.p95 ?? 0, 0.1)
        assert.isAtMost(second?.p95 ?? Infinity, 0.5)

        yield* TestClock.adjust("5 seconds")
        assert.deepInclude(points()[2], { registered: 0, failures: {}, p95: undefined })
        assert.deepStrictEqual(
          points(10_000).map(({ at }) => at),
          [15_000]
        )
      })
    )
  )

  it.effect("keeps an hour", () =>
    inTestTime(
      Effect.gen(function* () {
        const { points } = yield* start
        yield* TestClock.adjust("61 minutes")
        assert.lengthOf(points(), 720)
        assert.strictEqual(points()[0]?.at, 60_000 + 5000)
      })
    )
  )
})
