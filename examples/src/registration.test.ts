/**
 * How to test an application that registers workers: no scheduler to start, no waiting, a few lines a test. Copy
 * what you need.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Result } from "effect"
import { TestClock } from "effect/testing"
import {
  EmbeddedScheduler,
  RegistrationConfig,
  SchedulerRejected,
  SchedulerUnavailable,
  Worker,
  WorkerRegistration
} from "@muster/core"
import { TestScheduler } from "@muster/testing"

const unavailable = new SchedulerUnavailable({ message: "connection refused" })
const worker = (id: string) => Worker.decode({ id, capabilities: { cpuCores: 8, memoryMb: 16384 } })

/** Runs something while virtual time passes, so that the waits between attempts take none. */
const inNoTime = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect)
  yield* TestClock.adjust("1 hour")
  return yield* Fiber.join(fiber)
})

const register = Effect.fnUntraced(function* (id: string) {
  const registration = yield* WorkerRegistration
  return yield* inNoTime(registration.register(yield* worker(id)))
})

describe("against a scripted scheduler", () => {
  // What is tested, over a scheduler that the test scripts and looks into.
  const TestLayer = WorkerRegistration.layer.pipe(Layer.provideMerge(TestScheduler.layer))

  it.effect("a registration that fails twice and then succeeds takes three attempts", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-1", [TestScheduler.fail(unavailable), TestScheduler.fail(unavailable)])
      const { attempts } = yield* register("ci-1")
      assert.strictEqual(attempts, 3)
      assert.lengthOf(yield* scheduler.workers, 1)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("the waits between attempts double", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      yield* scheduler.onEvery("register", [TestScheduler.always(TestScheduler.fail(unavailable))])
      const error = yield* Effect.flip(register("ci-1"))
      assert.strictEqual(error._tag, "MaxRetriesExceeded")
      assert.deepStrictEqual(
        (yield* scheduler.calls).map(({ startedAt }) => startedAt),
        [0, 100, 300, 700]
      )
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("an attempt that hangs is cut off and made again", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-1", [TestScheduler.hang, TestScheduler.delay("2 seconds")])
      yield* register("ci-1")
      assert.deepStrictEqual(
        (yield* scheduler.calls).map(({ endedAt, outcome }) => [outcome, endedAt]),
        [
          ["interrupted", 30_000],
          ["succeeded", 32_100]
        ]
      )
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a registration whose answer got lost is made again, and does no harm", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-1", [TestScheduler.applyThen(TestScheduler.hang)])
      yield* register("ci-1")
      assert.lengthOf(yield* scheduler.calls, 2)
      assert.lengthOf(yield* scheduler.workers, 1)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("a worker that the scheduler rejects is not tried again", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-1", [
        TestScheduler.fail(new SchedulerRejected({ message: "no such queue" }))
      ])
      const error = yield* Effect.flip(register("ci-1"))
      assert.deepInclude(error, { _tag: "InvalidWorker", attempts: 1, retryable: false })
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("one bad worker does not spoil a batch, which has no more than ten calls in flight", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      const registration = yield* WorkerRegistration
      yield* scheduler.onEvery("register", () => TestScheduler.delay("1 second"))
      yield* scheduler.onRegister("ci-7", [TestScheduler.die("a bug in the adapter")])
      const workers = yield* Effect.all(Array.from({ length: 100 }, (_, index) => worker(`ci-${index}`)))
      const results = yield* inNoTime(registration.registerBatch(workers))
      assert.deepStrictEqual(
        results.flatMap((result, index) => (Result.isFailure(result) ? [index] : [])),
        [7]
      )
      assert.strictEqual(yield* scheduler.peakConcurrency, 10)
    }).pipe(Effect.provide(TestLayer))
  )
})

describe("against a scheduler that takes five calls a second", () => {
  const TestLayer = WorkerRegistration.layer.pipe(
    Layer.provide(RegistrationConfig.layer({ maxRetries: 20 })),
    Layer.provideMerge(TestScheduler.layerWith({ maxRate: 5 }))
  )

  it.effect("a batch of thirty waits as long as it is told to, and is done within six seconds", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      const registration = yield* WorkerRegistration
      const workers = yield* Effect.all(Array.from({ length: 30 }, (_, index) => worker(`ci-${index}`)))
      const results = yield* inNoTime(registration.registerBatch(workers))
      assert.isTrue(results.every(Result.isSuccess))
      assert.isBelow(Math.max(...(yield* scheduler.calls).map(({ startedAt }) => startedAt)), 6_000)
    }).pipe(Effect.provide(TestLayer))
  )
})

// One layer for all tests of a block: they share the scheduler and what it holds.
layer(WorkerRegistration.layer.pipe(Layer.provideMerge(EmbeddedScheduler.layer)))(
  "against the embedded scheduler",
  (it) => {
    it.effect("a registered worker is held", () =>
      Effect.gen(function* () {
        yield* register("ci-1")
        assert.strictEqual(yield* (yield* EmbeddedScheduler).size, 1)
      })
    )

    it.effect("a registration outlasts a short restart of the scheduler", () =>
      Effect.gen(function* () {
        const scheduler = yield* EmbeddedScheduler
        yield* scheduler.restart({ memory: "lost", downtime: "5 seconds" })
        const { attempts } = yield* register("ci-2")
        assert.strictEqual(attempts, 2)
        assert.strictEqual(yield* scheduler.size, 1)
      })
    )
  }
)
