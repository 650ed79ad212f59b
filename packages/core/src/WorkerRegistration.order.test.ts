import * as v8 from "node:v8"
import * as vm from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Duration, Effect, Fiber, Layer, Metric, Option, References, Result, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import { SchedulerRejected, SchedulerUnavailable } from "./SchedulerError.ts"
import { SchedulerPort } from "./SchedulerPort.ts"
import { Worker, WorkerCapabilities, WorkerId } from "./Worker.ts"
import { WorkerProvisioned, WorkerReady, WorkerTerminated } from "./WorkerEvent.ts"
import { WorkerLookup, WorkerRegistration } from "./WorkerRegistration.ts"

const { always, applyThen, delay, fail, hang } = TestScheduler

const capabilities = new WorkerCapabilities({ cpuCores: 8, memoryMb: 16384 })
const named = (id: string) => new Worker({ id: WorkerId.make(id), capabilities })
const ci1 = named("ci-1")
const refused = new SchedulerUnavailable({ message: "connection refused" })

const layer = WorkerRegistration.layer.pipe(Layer.provideMerge(TestScheduler.layer))

/** What reached the scheduler: each call with its outcome. */
const story = Effect.gen(function* () {
  const scheduler = yield* TestScheduler
  return (yield* scheduler.calls).map(({ operation, outcome }) => `${operation} ${outcome}`)
})

describe("case 9: interrupting the caller", () => {
  it.effect("ends the attempt that is running at once, and nothing reaches the scheduler afterwards", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-1", [always(hang)])
      const call = yield* Effect.forkChild(registration.register(ci1))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(call)
      assert.deepStrictEqual(yield* story, ["register interrupted"])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* story, ["register interrupted"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("ends the wait between two attempts at once, and nothing reaches the scheduler afterwards", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-1", [always(fail(refused))])
      const call = yield* Effect.forkChild(registration.register(ci1))
      yield* TestClock.adjust("150 millis")
      yield* Fiber.interrupt(call)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* story, ["register failed", "register failed"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("lets the next call for the worker go ahead", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-1", [hang])
      const call = yield* Effect.forkChild(registration.register(ci1))
      yield* Effect.yieldNow
      const next = yield* Effect.forkChild(registration.register(ci1))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(call)
      assert.strictEqual((yield* Fiber.join(next)).attempts, 1)
    }).pipe(Effect.provide(layer))
  )

  it.effect("at any moment whatever gives the worker's turn back", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-1", [always(delay("1 second"))])
      // The call yields after every so many operations; it is interrupted after so many of its yields.
      for (let operations = 3; operations < 12; operations++) {
        for (let yields = 0; yields < 40; yields++) {
          for (const call of [
            Effect.asVoid(registration.register(ci1)),
            Effect.asVoid(registration.registerBatch([ci1, ci1]))
          ]) {
            const fiber = yield* call.pipe(
              Effect.provideService(Scheduler.MaxOpsBeforeYield, operations),
              Effect.forkChild({ startImmediately: true })
            )
            for (let turn = 0; turn < yields; turn++) yield* Effect.yieldNow
            yield* Fiber.interrupt(fiber)
          }
        }
      }
      const next = yield* Effect.forkChild(registration.register(ci1))
      yield* Effect.repeat(TestClock.adjust("1 second"), { times: 300 })
      assert.isDefined(next.pollUnsafe(), "an interrupted call still holds the worker's turn")
      const metrics = yield* Metric.snapshot
      const inFlight = metrics.find(({ id }) => id === "worker_registration_in_flight")
      assert.deepStrictEqual(inFlight?.state, { value: 0 })
    }).pipe(
      Effect.provide(layer),
      Effect.provideService(Metric.MetricRegistry, new Map()),
      Effect.provideService(References.MinimumLogLevel, "None")
    )
  )

  it.effect("of a whole batch ends all of it", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onEvery("register", [always(hang)])
      const workers = Array.from({ length: 50 }, (_, index) => named(`w${index}`))
      const batch = yield* Effect.forkChild(registration.registerBatch(workers))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(batch)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* story, new Array(10).fill("register interrupted"))
    }).pipe(Effect.provide(layer))
  )
})

describe("case 10: the calls for one worker", () => {
  it.effect(
    "unregister ends a registration that waits for its next attempt, and none of its generation follows",
    () =>
      Effect.gen(function* () {
        const registration = yield* WorkerRegistration
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("ci-1", [always(fail(refused))])
        const registering = yield* Effect.forkChild(Effect.flip(registration.register(ci1)))
        yield* TestClock.adjust("150 millis")
        const { attempts, duration } = yield* registration.unregister(ci1.id)
        assert.strictEqual(attempts, 1)
        assert.isTrue(Duration.isZero(duration))

        const error = yield* Fiber.join(registering)
        assert(error._tag === "Unexpected")
        assert.isTrue(error.superseded)
        assert.isFalse(error.retryable)
        assert.strictEqual(error.attempts, 2)
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(yield* story, ["register failed", "register failed", "unregister succeeded"])
      }).pipe(Effect.provide(layer))
  )

  it.effect("unregister lets an attempt that is under way end first, and no retry follows", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-1", [delay("5 seconds", fail(refused))])
      const registering = yield* Effect.forkChild(Effect.flip(registration.register(ci1)))
      yield* TestClock.adjust("1 second")
      const unregistering = yield* Effect.forkChild(registration.unregister(ci1.id))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* story, ["register pending"])
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(unregistering)
      const error = yield* Fiber.join(registering)
      assert(error._tag === "Unexpected")
      assert.isTrue(error.superseded)
      assert.deepStrictEqual(yield* story, ["register failed", "unregister succeeded"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("an attempt under way that succeeds is a success, and the worker is gone afterwards", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-1", [delay("5 seconds")])
      const registering = yield* Effect.forkChild(registration.register(ci1))
      yield* TestClock.adjust("1 second")
      const unregistering = yield* Effect.forkChild(registration.unregister(ci1.id))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(registering)
      yield* Fiber.join(unregistering)
      assert.deepStrictEqual(yield* scheduler.workers, [])
    }).pipe(Effect.provide(layer))
  )

  it.effect(
    "unregister ends a registration that its batch has not begun, and does not wait for the batch",
    () =>
      Effect.gen(function* () {
        const registration = yield* WorkerRegistration
        const scheduler = yield* TestScheduler
        yield* scheduler.onEvery("register", [always(delay("1 second"))])
        const workers = Array.from({ length: 100 }, (_, index) => named(`w${index}`))
        const batch = yield* Effect.forkChild(registration.registerBatch(workers))
        yield* TestClock.adjust("1 milli")
        yield* registration.unregister(WorkerId.make("w99"))
        yield* TestClock.adjust("1 minute")
        const results = yield* Fiber.join(batch)
        assert.isTrue(results.slice(0, 99).every(Result.isSuccess))
        const last = results[99]
        assert(last !== undefined && Result.isFailure(last) && last.failure._tag === "Unexpected")
        assert.isTrue(last.failure.superseded)
        assert.strictEqual(last.failure.attempts, 0)
        assert.deepStrictEqual(
          (yield* scheduler.callsOf("w99")).map(({ operation }) => operation),
          ["unregister"]
        )
      }).pipe(Effect.provide(layer))
  )

  it.effect("register, unregister, register fired together reach the port in call order, one at a time", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onEvery("register", [always(delay("1 second"))])
      yield* scheduler.onEvery("unregister", [always(delay("1 second"))])
      const calls = yield* Effect.forEach(
        [registration.register(ci1), registration.unregister(ci1.id), registration.register(ci1)],
        (call) => Effect.forkChild(call)
      )
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.joinAll(calls)
      const made = yield* scheduler.calls
      assert.deepStrictEqual(
        made.map(({ operation, startedAt }) => `${operation} at ${startedAt}`),
        ["register at 0", "unregister at 1000", "register at 2000"]
      )
      assert.isTrue(made.every(({ workerConcurrency }) => workerConcurrency === 1))
      assert.lengthOf(yield* scheduler.workers, 1)
    }).pipe(Effect.provide(layer))
  )

  it.effect("any sequence of calls, fired together, reaches the port in call order and one at a time", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      const kinds = Array.from({ length: 200 }, (_, index) => (index * index) % 7 < 3)
      yield* scheduler.onEvery("register", [always(delay("1 second"))])
      yield* scheduler.onEvery("unregister", [always(delay("1 second"))])
      const calls = yield* Effect.forEach(kinds, (registers) =>
        Effect.forkChild(registers ? registration.register(ci1) : registration.unregister(ci1.id))
      )
      yield* TestClock.adjust("200 seconds")
      yield* Fiber.joinAll(calls)
      const made = yield* scheduler.calls
      assert.deepStrictEqual(
        made.map(({ operation }) => operation === "register"),
        kinds
      )
      assert.isTrue(made.every(({ workerConcurrency }) => workerConcurrency === 1))
    }).pipe(Effect.provide(layer), Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("different workers do not wait for each other", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-1", [always(hang)])
      yield* Effect.forkChild(registration.register(ci1))
      yield* Effect.yieldNow
      assert.strictEqual((yield* registration.register(named("ci-2"))).attempts, 1)
    }).pipe(Effect.provide(layer))
  )

  it.effect("a registration that timed out but had arrived cannot outlive the unregistration", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-1", [always(applyThen(hang))])
      const registering = yield* Effect.forkChild(Effect.flip(registration.register(ci1)))
      yield* TestClock.adjust("31 seconds")
      const unregistering = yield* Effect.forkChild(registration.unregister(ci1.id))
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(registering)
      yield* Fiber.join(unregistering)
      assert.deepStrictEqual(yield* scheduler.workers, [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("unregister is retried like register, and says so in its error", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onUnregister("ci-1", [
        fail(refused),
        always(fail(new SchedulerRejected({ message: "busy" })))
      ])
      const call = yield* Effect.forkChild(Effect.flip(registration.unregister(ci1.id)))
      yield* TestClock.adjust("1 hour")
      const error = yield* Fiber.join(call)
      assert.strictEqual(error._tag, "InvalidWorker")
      assert.strictEqual(error.attempts, 2)
      assert.isUndefined(error.workerType)
    }).pipe(Effect.provide(layer))
  )
})

v8.setFlagsFromString("--expose-gc")
const collectGarbage: () => void = vm.runInNewContext("gc")

describe("case 11: a million different workers", () => {
  it.effect(
    "leave no trace: memory is where it was",
    () =>
      Effect.gen(function* () {
        const registration = yield* WorkerRegistration
        const workers = Array.from({ length: 10_000 }, (_, index) => named(`w${index}`))
        const round = (prefix: number) =>
          registration.registerBatch(
            workers.map(
              (worker) =>
                new Worker(
                  {
                    id: WorkerId.make(`${prefix}-${worker.id}`),
                    capabilities,
                    metadata: worker.metadata
                  },
                  { disableChecks: true }
                )
            )
          )
        const heapUsed = Effect.sync(() => {
          collectGarbage()
          return process.memoryUsage().heapUsed
        })
        yield* round(0)
        const before = yield* heapUsed
        for (let prefix = 1; prefix <= 100; prefix++) yield* round(prefix)
        const grown = (yield* heapUsed) - before
        // A map entry with its key takes over 100 bytes, a million of them over 100 MB.
        assert.isBelow(grown, 20_000_000)
      }).pipe(
        Effect.provide(WorkerRegistration.layer),
        Effect.provideService(
          SchedulerPort,
          SchedulerPort.make({ register: () => Effect.void, unregister: () => Effect.void })
        ),
        Effect.provideService(References.MinimumLogLevel, "None")
      ),
    60_000
  )
})

describe("notify", () => {
  it.effect("provisioned registers, terminated unregisters", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const provisioned = yield* registration.notify(new WorkerProvisioned({ worker: ci1 }))
      assert.strictEqual(provisioned.action, "registered")
      const terminated = yield* registration.notify(
        new WorkerTerminated({ workerId: ci1.id, reason: "scaled down" })
      )
      assert.strictEqual(terminated.action, "unregistered")
      assert.deepStrictEqual(yield* story, ["register succeeded", "unregister succeeded"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("ready asks the scheduler, with retries, and does nothing when it has the worker", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* registration.register(ci1)
      yield* scheduler.onGet("ci-1", [fail(refused)])
      const ready = yield* Effect.forkChild(registration.notify(new WorkerReady({ workerId: ci1.id })))
      yield* TestClock.adjust("1 second")
      const { action, attempts } = yield* Fiber.join(ready)
      assert.strictEqual(action, "verified")
      assert.strictEqual(attempts, 2)
      assert.deepStrictEqual(yield* story, ["register succeeded", "get failed", "get succeeded"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("ready registers again, from WorkerLookup, a worker that the scheduler has lost", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* registration.register(ci1)
      yield* scheduler.forget
      const { action } = yield* registration.notify(new WorkerReady({ workerId: ci1.id }))
      assert.strictEqual(action, "registered")
      assert.lengthOf(yield* scheduler.workers, 1)
    }).pipe(
      Effect.provide(
        layer.pipe(Layer.provide(Layer.succeed(WorkerLookup, (id) => Effect.succeed(Option.some(named(id))))))
      )
    )
  )

  it.effect("ready fails, and says what to do, for a worker that nobody knows", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const error = yield* Effect.flip(registration.notify(new WorkerReady({ workerId: ci1.id })))
      assert.strictEqual(error._tag, "InvalidWorker")
      assert.include(error.message, "send WorkerProvisioned")
    }).pipe(Effect.provide(layer))
  )

  it.effect("ready says so when the scheduler cannot be asked and the worker is not known", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const { action } = yield* registration.notify(new WorkerReady({ workerId: ci1.id }))
      assert.strictEqual(action, "unverified")
      assert.deepStrictEqual(yield* story, [])
    }).pipe(
      Effect.provide(
        WorkerRegistration.layer.pipe(Layer.provideMerge(TestScheduler.layerWith({ capabilities: [] })))
      )
    )
  )
})
