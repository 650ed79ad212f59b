import { assert, describe, it } from "@effect/vitest"
import { TestFleet, TestScheduler } from "@muster/testing"
import { Duration, Effect, Exit, Fiber, Layer, Option, Random, References, Scope } from "effect"
import { TestClock } from "effect/testing"
import { RegistrationConfig } from "../RegistrationConfig.ts"
import { SchedulerRejected, SchedulerUnavailable } from "../SchedulerError.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import { WorkerId } from "../WorkerId.ts"
import { WorkerRegistration } from "../WorkerRegistration.ts"
import { Worker } from "../Worker.ts"
import { Fleet } from "./Fleet.ts"
import { MemoryFleetStore } from "./MemoryFleetStore.ts"
import { StoredWorker } from "./StoredWorker.ts"
import type { WorkerRecord } from "./WorkerRecord.ts"

const unavailable = TestScheduler.fail(new SchedulerUnavailable({ message: "connection refused" }))
const rejected = TestScheduler.fail(new SchedulerRejected({ message: "no such pool", code: "pool" }))

const id = (name: string) => WorkerId.make(name)

const quiet = { driftInterval: Duration.infinity, checkAfter: Duration.infinity }

/** Lets everything run that does not wait for time to pass. */
const settle = TestClock.adjust(Duration.zero)

const story = Effect.fnUntraced(function* (test: TestFleet, name: string) {
  const { items } = yield* test.fleet.timeline(id(name))
  return items.map((item) => {
    switch (item.type) {
      case "change":
        return item.change
      case "call":
        return `${item.call}: ${item.error?.type ?? "success"}`
      case "phase":
        return `-> ${item.phase}`
    }
  })
})

/** Writes a record into the store, past the fleet. */
const replace = (test: TestFleet, record: WorkerRecord) =>
  test.kept.modify({ workerIds: [], keys: [] }, () => ({
    records: [record],
    segments: [],
    trims: [],
    notes: [],
    value: undefined
  }))

describe("a call that takes its time", () => {
  it.effect("is shown in the store as registering after 100 milliseconds", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* test.scheduler.onRegister("a", [TestScheduler.delay("1 second")])
      yield* test.want("a")
      yield* TestClock.adjust("99 millis")
      assert.strictEqual((yield* test.record("a")).phase, "pending")
      yield* TestClock.adjust("101 millis")
      assert.deepInclude(yield* test.record("a"), { phase: "registering", attempts: 1 })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* test.record("a")).phase, "registered")
      assert.deepStrictEqual(yield* story(test, "a"), [
        "provisioned",
        "-> pending",
        "-> registering",
        "register: success",
        "-> registered"
      ])
    })
  )

  it.effect("a quick one costs one transaction after that of the change", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* test.want("a")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* test.record("a")).phase, "registered")
      assert.strictEqual(test.store.count("modify"), 2)
    })
  )

  it.effect("is shown with each of its attempts, also when no other call begins meanwhile", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({
        fleet: quiet,
        registration: { maxRetries: 3, baseBackoff: "10 seconds", maxBackoff: "10 seconds" }
      })
      yield* test.scheduler.onRegister("a", [unavailable, unavailable])
      yield* test.want("a")
      yield* TestClock.adjust("11 seconds")
      assert.deepInclude(yield* test.record("a"), { phase: "registering", attempts: 2 })
    })
  )

  it.effect("is shown as soon as the store can be written to again", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* test.scheduler.onRegister("a", [TestScheduler.delay("20 seconds")])
      yield* test.want("a")
      test.store.answer = () => "fails"
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* test.record("a")).phase, "pending")
      test.store.answer = () => "succeeds"
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* test.record("a")).phase, "registering")
    })
  )

  it.effect("is not shown any more when it has ended while the store is slow", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* test.scheduler.onRegister("a", [TestScheduler.delay("90 millis")])
      yield* test.want("a")
      yield* settle
      test.store.answer = (operation) => (operation === "modify" ? { before: "300 millis" } : "succeeds")
      yield* TestClock.adjust("2 seconds")
      assert.deepInclude(yield* test.record("a"), { phase: "registered", task: undefined })
      assert.deepStrictEqual(yield* story(test, "a"), [
        "provisioned",
        "-> pending",
        "-> registering",
        "register: success",
        "-> registered"
      ])
    })
  )

  it.effect("for what was terminated meanwhile does not bring back the phase of before", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* test.scheduler.onRegister("a", [TestScheduler.delay("1 second")])
      yield* test.want("a")
      yield* TestClock.adjust("50 millis")
      yield* test.fleet.terminate(id("a"))
      yield* TestClock.adjust("500 millis")
      assert.strictEqual((yield* test.record("a")).phase, "unregistering")
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(yield* story(test, "a"), [
        "provisioned",
        "-> pending",
        "terminated",
        "-> unregistering",
        "register: success",
        "unregister: success",
        "-> terminated"
      ])
    })
  )

  it.effect("is made again after a restart, under the same generation", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* test.scheduler.onRegister("a", [TestScheduler.hang])
      const { generation } = yield* test.want("a")
      yield* TestClock.adjust("10 seconds")
      yield* test.crash
      yield* test.start
      yield* settle
      assert.deepInclude(yield* test.record("a"), { phase: "registered", generation, attempts: 2 })
      assert.deepStrictEqual(
        (yield* test.scheduler.calls).map((call) => call.generation),
        [generation, generation]
      )
    })
  )
})

describe("what has become due", () => {
  it.effect("is not missed when it became so while the store was asked for what is due", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* test.scheduler.onRegister("a", [unavailable])
      yield* test.scheduler.onRegister("b", [unavailable])
      yield* Random.withSeed(test.want("a"), 1)
      yield* Random.withSeed(test.want("b"), 2)
      yield* settle
      const [first = 0, second = 0] = [
        (yield* test.record("a")).dueAt,
        (yield* test.record("b")).dueAt
      ].toSorted((left = 0, right = 0) => left - right)
      assert.isBelow(first, second)
      // The answer about the first takes longer than the second is away.
      test.store.answer = (operation) => (operation === "due" ? { after: "300 millis" } : "succeeds")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* test.held, ["a", "b"])
    })
  )

  it.effect("is called for at the millisecond", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      for (const name of ["a", "b", "c", "d", "e"]) {
        yield* test.scheduler.onRegister(name, [unavailable])
        yield* test.want(name)
      }
      yield* settle
      const dueAt = new Map<string, number | undefined>()
      for (const name of ["a", "b", "c", "d", "e"]) dueAt.set(name, (yield* test.record(name)).dueAt)
      yield* TestClock.adjust("1 second")
      const seconds = (yield* test.scheduler.calls).slice(5)
      assert.lengthOf(seconds, 5)
      for (const { startedAt, workerId = "" } of seconds) {
        assert.isTrue(Number.isInteger(dueAt.get(workerId)))
        // What is due within the next ten milliseconds is looked for together.
        assert.isAtMost(startedAt - (dueAt.get(workerId) ?? 0), 10)
      }
    })
  )

  it.effect("is found by one who starts after it was accepted and not told", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      test.store.answer = (operation) => (operation === "modify" ? "does it and fails" : "succeeds")
      yield* Effect.flip(test.want("a"))
      yield* test.crash
      yield* test.start
      yield* settle
      assert.deepStrictEqual(yield* test.held, ["a"])
    })
  )
})

describe("a transaction of which the answer is lost", () => {
  it.effect("is noticed when the store can be written to again, without anybody asking", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* settle
      test.store.answer = (operation) => (operation === "modify" ? "does it and fails" : "succeeds")
      yield* Effect.flip(test.want("a"))
      test.store.answer = () => "succeeds"
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* test.held, ["a"])
      assert.deepStrictEqual(yield* test.gauges, { registered: 1 })
      assert.deepInclude(yield* test.fleet.load, { unfinished: 0, known: 1 })
    })
  )

  it.effect("does not make the counts wrong when the same is asked for again", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* test.scheduler.onRegister("a", [TestScheduler.hang])
      test.store.answer = (operation) => (operation === "modify" ? "does it and fails" : "succeeds")
      yield* Effect.flip(test.want("a"))
      test.store.answer = () => "succeeds"
      yield* test.want("a")
      assert.deepInclude(yield* test.fleet.load, { unfinished: 1, known: 1 })
      yield* test.fleet.terminate(id("a"))
      yield* TestClock.adjust("1 minute")
      assert.deepInclude(yield* test.fleet.load, { unfinished: 0, known: 1 })
      assert.deepStrictEqual(yield* test.gauges, { terminated: 1 })
    })
  )

  it.effect("of an outcome is not told twice, and whoever waits for it is told", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* test.scheduler.onRegister("a", [TestScheduler.delay("10 millis")])
      const { generation } = yield* test.want("a")
      const waiting = yield* Effect.forkChild(test.fleet.settled(id("a"), generation))
      yield* settle
      test.store.answer = (operation) => (operation === "modify" ? "does it and fails" : "succeeds")
      yield* TestClock.adjust("10 millis")
      test.store.answer = () => "succeeds"
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(Option.getOrThrow(yield* Fiber.join(waiting)).phase, "registered")
      assert.deepStrictEqual(yield* story(test, "a"), [
        "provisioned",
        "-> pending",
        "-> registering",
        "register: success",
        "-> registered"
      ])
    })
  )

  it.effect("while old workers are removed does not make the counts wrong", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: { ...quiet, maxTerminated: 0 } })
      yield* test.want("a")
      yield* test.want("b")
      yield* settle
      yield* test.fleet.terminate(id("a"))
      yield* settle
      test.store.answer = (operation) => (operation === "forget" ? "does it and fails" : "succeeds")
      yield* TestClock.adjust("1 minute")
      test.store.answer = () => "succeeds"
      yield* test.want("c")
      yield* settle
      assert.deepStrictEqual(yield* test.gauges, { registered: 2 })
      assert.deepInclude(yield* test.fleet.load, { known: 2 })
    })
  )
})

describe("settled", () => {
  it.effect("gives the phase that the store has, also in the transaction in which it is reached", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* test.scheduler.onRegister("a", [TestScheduler.delay("500 millis")])
      const { generation } = yield* test.want("a")
      yield* settle
      // The same again, and then the outcome, wait for one transaction.
      test.store.answer = (operation) => (operation === "modify" ? { before: "400 millis" } : "succeeds")
      yield* TestClock.adjust("300 millis")
      yield* Effect.forkChild(test.want("x"))
      yield* settle
      const waiting = yield* Effect.forkChild(
        Effect.andThen(test.want("a"), test.fleet.settled(id("a"), generation))
      )
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(Option.getOrThrow(yield* Fiber.join(waiting)).phase, "registered")
    })
  )
})

describe("a mistake about one worker", () => {
  it.effect("that cannot be read makes a dead letter of it, and the others go on", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* test.scheduler.onEvery("register", [unavailable])
      yield* test.want("broken")
      yield* test.want("fine")
      yield* settle
      yield* test.crash
      yield* replace(test, { ...(yield* test.record("broken")), stored: StoredWorker.fromJson("{}") })
      yield* test.start
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* test.record("broken")).phase, "failed")
      assert.deepStrictEqual(yield* test.held, ["fine"])
      yield* test.want("late")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* test.held, ["fine", "late"])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
})

describe("the fleet's own registration", () => {
  it.effect("is another one than that of the application", () =>
    Effect.gen(function* () {
      const scheduler = TestScheduler.make()
      const worker = yield* Worker.decode({ id: "a", capabilities: { cpuCores: 1, memoryMb: 1 } })
      yield* Effect.gen(function* () {
        yield* WorkerRegistration
        const fleet = yield* Fleet
        const { generation } = yield* fleet.want(worker, { saidWhenProvisioned: false })
        yield* settle
        const [held] = yield* scheduler.workers
        assert.strictEqual(held?.generation, generation)
      }).pipe(
        Effect.provide(
          Fleet.layerWith(quiet).pipe(
            Layer.provideMerge(WorkerRegistration.layer),
            Layer.provide(MemoryFleetStore.layer),
            Layer.provide(RegistrationConfig.layer({ maxRetries: 0 })),
            Layer.provide(Layer.succeed(SchedulerPort, scheduler.port))
          )
        )
      )
    })
  )
})

describe("the generation of a worker", () => {
  it.effect("grows after a restart with an earlier clock, also when the worker was forgotten meanwhile", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: { ...quiet, maxTerminated: 0 } })
      yield* test.want("untouched")
      yield* test.want("touched")
      yield* settle
      yield* test.fleet.terminate(id("untouched"))
      yield* settle
      yield* test.crash
      // As if the clock of the process that has just ended had been years ahead.
      const ahead = 2 ** 52
      for (const name of ["untouched", "touched"]) {
        yield* replace(test, { ...(yield* test.record(name)), generation: ahead })
      }
      yield* test.start
      const { generation } = yield* test.fleet.terminate(id("touched"))
      assert.isAbove(generation, ahead)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* test.fleet.load).known, 0)
      assert.isAbove((yield* test.want("touched")).generation, generation)
      assert.isAbove((yield* test.want("untouched")).generation, ahead)
    })
  )

  it.effect("of one that was forgotten grows, although no other was ever as new", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: { ...quiet, maxTerminated: 0 } })
      yield* test.fleet.drop(id("a"), {})
      yield* settle
      yield* test.crash
      const ahead = 2 ** 52
      yield* replace(test, { ...(yield* test.record("a")), generation: ahead })
      yield* test.start
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* test.fleet.load).known, 0)
      assert.isAbove((yield* test.want("a")).generation, ahead)
    })
  )
})

describe("quiesced", () => {
  it.effect("waits for the calls under way and the store, and begins no others", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: { ...quiet, concurrency: 1 } })
      yield* test.scheduler.onEvery("register", [TestScheduler.delay("1 second")])
      yield* test.want("a")
      yield* test.want("b")
      yield* settle
      const waiting = yield* Effect.forkChild(test.fleet.quiesced)
      yield* TestClock.adjust("999 millis")
      test.store.answer = (operation) => (operation === "modify" ? { before: "1 second" } : "succeeds")
      yield* TestClock.adjust("1 second")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(waiting)
      assert.strictEqual((yield* test.record("a")).phase, "registered")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* test.held, ["a"])
    })
  )
})

describe("deadLetterAfter", () => {
  it.effect("makes a dead letter of what has failed for so long, counted from the first failure", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: { ...quiet, deadLetterAfter: Duration.minutes(5) } })
      yield* test.scheduler.onEvery("register", [TestScheduler.always(unavailable)])
      yield* test.want("a")
      yield* TestClock.adjust("299 seconds")
      assert.strictEqual((yield* test.record("a")).phase, "pending")
      yield* TestClock.adjust("1 minute")
      assert.deepInclude(yield* test.record("a"), { phase: "failed", task: undefined })
      const { length } = yield* test.scheduler.calls
      yield* TestClock.adjust("1 hour")
      assert.lengthOf(yield* test.scheduler.calls, length)
    })
  )

  it.effect("begins anew when the worker changes or is tried again, and goes on after a restart", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: { ...quiet, deadLetterAfter: Duration.minutes(5) } })
      yield* test.scheduler.onEvery("register", [TestScheduler.always(unavailable)])
      yield* test.scheduler.onEvery("unregister", [TestScheduler.always(unavailable)])
      yield* test.want("a")
      yield* TestClock.adjust("4 minutes")
      yield* test.fleet.terminate(id("a"))
      yield* TestClock.adjust("4 minutes")
      assert.strictEqual((yield* test.record("a")).phase, "unregistering")
      yield* test.crash
      yield* test.start
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* test.record("a")).phase, "failed")
      yield* test.fleet.retry(id("a"))
      yield* TestClock.adjust("4 minutes")
      assert.strictEqual((yield* test.record("a")).phase, "unregistering")
    })
  )
})

describe("a check some time after registering", () => {
  const checked = { driftInterval: Duration.infinity, checkAfter: Duration.minutes(1) }

  it.effect("only asks where the scheduler has the worker, once", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: checked })
      yield* test.want("a")
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(
        (yield* test.scheduler.calls).map(({ operation, startedAt }) => [operation, startedAt]),
        [
          ["register", 0],
          ["get", 60_000]
        ]
      )
      assert.deepInclude(yield* test.record("a"), { phase: "registered", task: undefined, losses: 0 })
      assert.deepStrictEqual((yield* story(test, "a")).slice(-2), ["-> registered", "verify: success"])
    })
  )

  it.effect(
    "registers a lost one again and checks it again, three times, and then leaves it to comparisons",
    () =>
      Effect.gen(function* () {
        const test = yield* TestFleet.make({ fleet: checked })
        yield* test.scheduler.onEvery("register", [TestScheduler.always(TestScheduler.succeed)])
        yield* test.want("a")
        yield* settle
        for (let i = 0; i < 10; i++) {
          yield* test.scheduler.forget
          yield* TestClock.adjust("1 minute")
        }
        assert.deepStrictEqual(
          (yield* test.scheduler.calls).map(({ operation }) => operation),
          ["register", "get", "register", "get", "register", "get", "register"]
        )
        assert.deepInclude(yield* test.record("a"), { phase: "registered", task: undefined, losses: 3 })
        assert.strictEqual((yield* story(test, "a")).filter((line) => line === "verify: success").length, 3)
        // A change begins anew.
        yield* test.want("a", { cpuCores: 2 })
        yield* settle
        assert.deepInclude(yield* test.record("a"), { task: "check", losses: 0 })
      })
  )

  it.effect("that the scheduler refuses takes nothing from a registered worker", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: checked })
      yield* test.scheduler.onGet("a", [rejected])
      yield* test.want("a")
      yield* TestClock.adjust("1 hour")
      assert.deepInclude(yield* test.record("a"), { phase: "registered", task: undefined })
      assert.include((yield* story(test, "a")).at(-1), "verify: invalid_worker")
    })
  )

  it.effect("that finds a worker lost which is then refused makes a dead letter of it", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: checked })
      yield* test.want("a")
      yield* settle
      yield* test.scheduler.forget
      yield* test.scheduler.onRegister("a", [rejected])
      yield* TestClock.adjust("1 minute")
      assert.deepInclude(yield* test.record("a"), { phase: "failed", task: undefined })
    })
  )

  it.effect("waits for nobody, and takes no room", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: { ...checked, maxUnfinished: 1 } })
      const { generation } = yield* test.want("a")
      yield* settle
      assert.deepInclude(yield* test.fleet.load, { unfinished: 0 })
      const settled = yield* test.fleet.settled(id("a"), generation)
      assert.strictEqual(Option.getOrThrow(settled).task, "check")
      yield* test.fleet.drained
      yield* test.want("b")
    })
  )

  it.effect("that is overtaken by a finding that the worker is lost does not undo it", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({
        // Compares every 19 to 25 seconds.
        fleet: { driftInterval: Duration.seconds(12), checkAfter: Duration.minutes(1) }
      })
      yield* test.want("a")
      yield* settle
      // It asks after a minute, and is answered long after the scheduler has lost everything.
      yield* test.scheduler.onGet("a", [TestScheduler.applyThen(TestScheduler.delay("28 seconds"))])
      yield* TestClock.adjust("61 seconds")
      yield* test.scheduler.forget
      yield* TestClock.adjust("26 seconds")
      assert.deepInclude(yield* test.record("a"), { phase: "pending", task: "call" })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* test.held, ["a"])
      assert.strictEqual((yield* test.record("a")).phase, "registered")
    })
  )

  it.effect("survives a restart", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: checked })
      yield* test.want("a")
      yield* settle
      yield* test.scheduler.forget
      yield* test.crash
      yield* test.start
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* test.held, ["a"])
    })
  )
})

describe("calls that have ended and wait for the store", () => {
  it.effect("take no call's place, but are bounded", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: { ...quiet, concurrency: 2 } })
      yield* test.scheduler.onEvery("register", [TestScheduler.always(TestScheduler.delay("1 second"))])
      for (let i = 0; i < 20; i++) yield* test.want(`w${i}`)
      yield* settle
      assert.deepInclude(yield* test.fleet.load, { inFlight: 2 })
      test.store.answer = () => "fails"
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* test.scheduler.calls).length, 8)
      assert.deepInclude(yield* test.fleet.load, { inFlight: 0 })
      test.store.answer = () => "succeeds"
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* test.held).length, 20)
      assert.strictEqual((yield* test.scheduler.calls).length, 20)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
})

describe("stopping", () => {
  it.effect("ends while a call hangs, a retry waits and the store cannot be written to", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const test = yield* Scope.provide(TestFleet.make({ fleet: quiet }), scope)
      yield* test.scheduler.onRegister("hanging", [TestScheduler.hang])
      yield* test.scheduler.onRegister("rejected", [TestScheduler.delay("1 second", rejected)])
      yield* test.want("hanging")
      yield* test.want("rejected")
      yield* settle
      test.store.answer = () => "fails"
      yield* TestClock.adjust("2 seconds")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* settle
      assert.isDefined(closing.pollUnsafe())
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
})
