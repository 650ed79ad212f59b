import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Effect, Exit, Fiber, Layer, Logger, References, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import { RegistrationConfig } from "./RegistrationConfig.ts"
import { SchedulerRejected, SchedulerUnavailable } from "./SchedulerError.ts"
import { Worker, WorkerCapabilities, WorkerId } from "./Worker.ts"
import { WorkerRegistration } from "./WorkerRegistration.ts"

const { always, delay, die, fail, hang } = TestScheduler

const capabilities = new WorkerCapabilities({ cpuCores: 8, memoryMb: 16384 })
const named = (id: string) => new Worker({ id: WorkerId.make(id), capabilities })
const fleet = (size: number) => Array.from({ length: size }, (_, index) => named(`ci-${index}`))
const refused = new SchedulerUnavailable({ message: "connection refused" })

const layer = WorkerRegistration.layer.pipe(Layer.provideMerge(TestScheduler.layer))

describe("case 7: a batch", () => {
  it.effect("of 100 with concurrency 10 never has more than 10 in flight, and reaches 10", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      const registration = yield* WorkerRegistration
      yield* scheduler.onEvery("register", [always(delay("1 second"))])
      const batch = yield* Effect.forkChild(registration.registerBatch(fleet(100)))
      yield* TestClock.adjust("10 seconds")
      const results = yield* Fiber.join(batch)
      assert.isTrue(results.every(Result.isSuccess))
      assert.strictEqual(yield* scheduler.peakConcurrency, 10)
    }).pipe(Effect.provide(layer))
  )

  it.effect("keeps to the concurrency that is configured", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      const registration = yield* WorkerRegistration
      yield* scheduler.onEvery("register", [always(delay("1 second"))])
      const batch = yield* Effect.forkChild(registration.registerBatch(fleet(9)))
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(batch)
      assert.strictEqual(yield* scheduler.peakConcurrency, 3)
    }).pipe(
      Effect.provide(
        WorkerRegistration.layer.pipe(
          Layer.provide(RegistrationConfig.layer({ batchConcurrency: 3 })),
          Layer.provideMerge(TestScheduler.layer)
        )
      )
    )
  )

  it.effect("gives one result for each member, by position, whatever fails", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      const registration = yield* WorkerRegistration
      yield* scheduler.onRegister("ci-1", [always(fail(refused))])
      yield* scheduler.onRegister("ci-2", [always(fail(new SchedulerRejected({ message: "no" })))])
      yield* scheduler.onRegister("ci-3", [die("boom")])
      yield* scheduler.onRegister("ci-4", [delay("5 seconds")])
      yield* scheduler.onRegister("ci-5", [fail(refused)])
      const batch = yield* Effect.forkChild(registration.registerBatch(fleet(7)))
      yield* TestClock.adjust("1 minute")
      const results = yield* Fiber.join(batch)
      assert.deepStrictEqual(
        results.map((result) =>
          Result.match(result, {
            onSuccess: ({ attempts, workerId }) => `${workerId} after ${attempts}`,
            onFailure: ({ _tag, workerId }) => `${workerId} ${_tag}`
          })
        ),
        [
          "ci-0 after 1",
          "ci-1 MaxRetriesExceeded",
          "ci-2 InvalidWorker",
          "ci-3 Unexpected",
          "ci-4 after 1",
          "ci-5 after 2",
          "ci-6 after 1"
        ]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("applies a worker that is in it twice in order", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      const registration = yield* WorkerRegistration
      const bigger = new Worker({
        id: WorkerId.make("ci-0"),
        capabilities: new WorkerCapabilities({ cpuCores: 64, memoryMb: 1024 })
      })
      yield* scheduler.onRegister("ci-0", [fail(refused), fail(refused)])
      const batch = yield* Effect.forkChild(
        registration.registerBatch([named("ci-0"), named("ci-1"), bigger])
      )
      yield* TestClock.adjust("1 second")
      const results = yield* Fiber.join(batch)
      assert.isTrue(results.every(Result.isSuccess))
      const calls = yield* scheduler.callsOf("ci-0")
      assert.deepStrictEqual(
        calls.map(({ worker }) => worker?.capabilities.cpuCores),
        [8, 8, 8, 64]
      )
      assert.isTrue(calls.every(({ workerConcurrency }) => workerConcurrency === 1))
    }).pipe(Effect.provide(layer))
  )

  it.effect("that is empty gives an empty array and makes no call", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      assert.deepStrictEqual(yield* registration.registerBatch([]), [])
      assert.deepStrictEqual(yield* scheduler.calls, [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("beside 99 other concurrent calls of register", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onEvery("register", [always(delay("1 second"))])
      const calls = yield* Effect.forkChild(
        Effect.forEach(fleet(100), registration.register, { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      assert.lengthOf(yield* Fiber.join(calls), 100)
      assert.strictEqual(yield* scheduler.peakConcurrency, 100)
    }).pipe(Effect.provide(layer))
  )

  it.effect("of 100,000 different workers needs no deep stack and no quadratic step", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const results = yield* registration.registerBatch(fleet(100_000))
      assert.isTrue(results.every(Result.isSuccess))
      assert.strictEqual(results.length, 100_000)
    }).pipe(Effect.provide(layer), Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("of 100,000 times the same worker needs none either, and keeps the order", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      const results = yield* registration.registerBatch(Array.from({ length: 100_000 }, () => named("ci-0")))
      assert.isTrue(results.every(Result.isSuccess))
      const generations = (yield* scheduler.calls).map(({ generation }) => generation ?? 0)
      assert.lengthOf(generations, 100_000)
      assert.isTrue(generations.every((generation, index) => generation > (generations[index - 1] ?? 0)))
    }).pipe(Effect.provide(layer), Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("does not wait for another batch that has the same workers in another order", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onEvery("register", [always(delay("1 second"))])
      const workers = fleet(20)
      const both = yield* Effect.forkChild(
        Effect.all([registration.registerBatch(workers), registration.registerBatch(workers.toReversed())], {
          concurrency: 2
        })
      )
      yield* TestClock.adjust("1 minute")
      const [first, second] = yield* Fiber.join(both)
      assert.isTrue([...first, ...second].every(Result.isSuccess))
    }).pipe(
      Effect.provide(
        WorkerRegistration.layer.pipe(
          Layer.provide(RegistrationConfig.layer({ batchConcurrency: 1 })),
          Layer.provideMerge(TestScheduler.layer)
        )
      )
    )
  )

  it.effect("that is interrupted gives up the members that it had not begun", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-0", [hang])
      const batch = yield* Effect.forkChild(registration.registerBatch(fleet(100)))
      yield* Effect.yieldNow
      const queued = named("ci-99")
      yield* Fiber.interrupt(batch)
      const begun = (yield* scheduler.calls).length
      // Would wait for ever if the interrupted batch still held the worker's turn.
      yield* registration.register(queued)
      assert.strictEqual((yield* scheduler.calls).length, begun + 1)
    }).pipe(
      Effect.provide(
        WorkerRegistration.layer.pipe(
          Layer.provide(RegistrationConfig.layer({ batchConcurrency: 1 })),
          Layer.provideMerge(TestScheduler.layer)
        )
      )
    )
  )
})

describe("a batch that ends otherwise than it should leaves no turn behind", () => {
  const oneByOne = WorkerRegistration.layer.pipe(
    Layer.provide(RegistrationConfig.layer({ batchConcurrency: 1 })),
    Layer.provideMerge(TestScheduler.layer)
  )

  it.effect("when its workers cannot be read to the end", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const unreadable = (function* () {
        yield named("ci-0")
        assert.fail("row 2")
      })()
      assert.isTrue(Exit.isFailure(yield* Effect.exit(registration.registerBatch(unreadable))))
      assert.strictEqual((yield* registration.register(named("ci-0"))).attempts, 1)
    }).pipe(Effect.provide(oneByOne))
  )

  it.effect("when the application's logger dies", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const broken = Logger.layer([Logger.make(() => assert.fail("disk full"))])
      const batch = registration.registerBatch(fleet(3)).pipe(Effect.provide(broken), Effect.exit)
      assert.isTrue(Exit.isFailure(yield* batch))
      assert.strictEqual((yield* registration.register(named("ci-2"))).attempts, 1)
    }).pipe(Effect.provide(oneByOne))
  )
})

describe("case 8: registerStream", () => {
  it.effect("keeps the order, mixed outcomes included", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-0", [delay("5 seconds")])
      yield* scheduler.onRegister("ci-1", [fail(new SchedulerRejected({ message: "no" }))])
      const collected = yield* Effect.forkChild(
        Stream.runCollect(registration.registerStream(Stream.fromIterable(fleet(30))))
      )
      yield* TestClock.adjust("1 minute")
      const results = yield* Fiber.join(collected)
      assert.deepStrictEqual(
        results.map((result) => (Result.isSuccess(result) ? result.success : result.failure).workerId),
        fleet(30).map(({ id }) => id)
      )
      assert(results[1] !== undefined && Result.isFailure(results[1]))
    }).pipe(Effect.provide(layer))
  )

  it.effect("a slow consumer slows the source: it is never more than the concurrency ahead", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      let pulled = 0
      let consumed = 0
      let ahead = 0
      const endless = Stream.fromIterable(
        (function* () {
          while (true) yield named(`ci-${pulled++}`)
        })(),
        { chunkSize: 1 }
      )
      yield* Effect.forkChild(
        registration.registerStream(endless).pipe(
          Stream.runForEach(() =>
            Effect.andThen(
              Effect.sync(() => {
                ahead = Math.max(ahead, pulled - ++consumed)
              }),
              Effect.sleep("1 second")
            )
          )
        )
      )
      yield* Effect.repeat(TestClock.adjust("1 second"), { times: 1000 })
      assert.isAtLeast(consumed, 900)
      assert.isAtMost(ahead, 2 * 10 + 2)
    }).pipe(Effect.provide(layer), Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("a failing source ends the stream with its error, after the results before it", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const source = Stream.concat(Stream.fromIterable(fleet(3)), Stream.fail("disk gone"))
      let seen = 0
      const error = yield* registration.registerStream(source).pipe(
        Stream.runForEach(() => Effect.sync(() => seen++)),
        Effect.flip
      )
      assert.strictEqual(error, "disk gone")
      assert.strictEqual(seen, 3)
    }).pipe(Effect.provide(layer))
  )
})
