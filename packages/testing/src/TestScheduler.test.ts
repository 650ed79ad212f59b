import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import {
  SchedulerPort,
  SchedulerRejected,
  SchedulerUnavailable,
  Worker,
  WorkerCapabilities,
  WorkerId
} from "@muster/core"
import { TestScheduler } from "./TestScheduler.ts"

const worker = (id: string, cpuCores = 1) =>
  Worker.make({ id: WorkerId.make(id), capabilities: WorkerCapabilities.make({ cpuCores, memoryMb: 1024 }) })

const unavailable = new SchedulerUnavailable({ message: "connection refused" })
const rejected = new SchedulerRejected({ message: "no such queue" })

const register = Effect.fnUntraced(function* (id: string, generation = 1) {
  const port = yield* SchedulerPort
  return yield* port.register(worker(id), { generation })
})

const unregister = Effect.fnUntraced(function* (id: string, generation = 1) {
  const port = yield* SchedulerPort
  return yield* port.unregister(WorkerId.make(id), { generation })
})

/** The port with the optional parts that a test is about to use. */
const fullPort = Effect.map(SchedulerPort, ({ get, health, list, registerBatch, ...port }) => {
  assert(get !== undefined && health !== undefined && list !== undefined && registerBatch !== undefined)
  return { ...port, get, health, list, registerBatch }
})

const heldIds = Effect.gen(function* () {
  const scheduler = yield* TestScheduler
  return (yield* scheduler.workers).map(({ worker }) => worker.id)
})

describe("TestScheduler", () => {
  describe("scripts", () => {
    it.effect("answer a worker's calls one by one, and calls beyond the last succeed", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("ci-1", [TestScheduler.fail(unavailable), TestScheduler.fail(rejected)])

        assert.deepStrictEqual(yield* Effect.flip(register("ci-1")), unavailable)
        assert.deepStrictEqual(yield* Effect.flip(register("ci-1")), rejected)
        yield* register("ci-1")
        yield* register("ci-2")
        assert.deepStrictEqual(yield* heldIds, ["ci-1", "ci-2"])
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("end with an answer for all further calls when that is an always", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("ci-1", [
          TestScheduler.succeed,
          TestScheduler.always(TestScheduler.fail(unavailable))
        ])

        yield* register("ci-1")
        for (const _ of [1, 2, 3]) {
          assert.deepStrictEqual(yield* Effect.flip(register("ci-1")), unavailable)
        }
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("for every worker are gone through by each worker from the beginning", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* scheduler.onEvery("register", [TestScheduler.fail(unavailable)])
        yield* scheduler.onRegister("spared", [])

        yield* Effect.flip(register("ci-1"))
        yield* Effect.flip(register("ci-2"))
        yield* Effect.all([register("ci-1"), register("ci-2"), register("spared")])

        yield* scheduler.onEvery("register", [TestScheduler.always(TestScheduler.fail(rejected))])
        assert.deepStrictEqual(yield* Effect.flip(register("ci-1")), rejected)
        yield* scheduler.onRegister("ci-1", [])
        yield* register("ci-1")
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("can be functions of the call", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* scheduler.onEvery("register", ({ attempt, worker }) =>
          worker?.capabilities.cpuCores === 1 && attempt < 3
            ? TestScheduler.fail(unavailable)
            : TestScheduler.succeed
        )

        yield* Effect.retry(register("ci-1"), { times: 2 })
        assert.lengthOf(yield* scheduler.calls, 3)
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("keep the operations apart", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        const port = yield* fullPort
        yield* scheduler.onUnregister("ci-1", [TestScheduler.fail(unavailable)])
        yield* scheduler.onGet("ci-1", [TestScheduler.fail(rejected)])
        yield* scheduler.onEvery("health", [TestScheduler.fail(unavailable)])

        yield* register("ci-1")
        assert.deepStrictEqual(yield* Effect.flip(unregister("ci-1")), unavailable)
        assert.deepStrictEqual(yield* Effect.flip(port.get(WorkerId.make("ci-1"))), rejected)
        assert.deepStrictEqual(yield* Effect.flip(port.health), unavailable)
        assert.deepStrictEqual(yield* port.health, { status: "healthy" })
        yield* unregister("ci-1")
        assert.deepStrictEqual(yield* heldIds, [])
      }).pipe(Effect.provide(TestScheduler.layer))
    )
  })
  describe("answers", () => {
    it.effect("after a delay, by the Clock", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("ci-1", [
          TestScheduler.delay("2 seconds", TestScheduler.delay("1 second", TestScheduler.fail(unavailable)))
        ])

        const call = yield* Effect.forkChild(Effect.flip(register("ci-1")))
        yield* TestClock.adjust("2999 millis")
        assert.isUndefined(call.pollUnsafe())
        yield* TestClock.adjust("1 milli")
        assert.deepStrictEqual(yield* Fiber.join(call), unavailable)
        assert.deepStrictEqual(yield* heldIds, [])
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("never, when it hangs, until the call is interrupted", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("ci-1", [TestScheduler.hang])

        const outcome = yield* register("ci-1").pipe(
          Effect.timeoutOption("1 minute"),
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* Fiber.join(outcome), Option.none())
        assert.deepInclude((yield* scheduler.calls)[0], { outcome: "interrupted", endedAt: 60_000 })
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("with a defect, when it dies", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("ci-1", [TestScheduler.die("bug")])

        assert.deepStrictEqual(yield* Effect.exit(register("ci-1")), Exit.die("bug"))
        assert.deepInclude((yield* scheduler.calls)[0], { outcome: "died", error: undefined })
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("by throwing from the call itself, before there is an effect", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        const port = yield* SchedulerPort
        yield* scheduler.onRegister("ci-1", [TestScheduler.throws(new Error("bug"))])
        yield* TestClock.adjust("1 second")

        assert.throws(() => port.register(worker("ci-1"), { generation: 1 }), "bug")
        assert.deepInclude((yield* scheduler.calls)[0], { outcome: "died", startedAt: 1000, attempt: 1 })
        yield* register("ci-1")
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("wrongly, after having done what was asked", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("ci-1", [TestScheduler.applyThen(TestScheduler.fail(unavailable))])
        yield* scheduler.onRegister("ci-2", [TestScheduler.applyThen(TestScheduler.hang)])

        yield* Effect.flip(register("ci-1"))
        yield* Effect.forkChild(register("ci-2"), { startImmediately: true })
        assert.deepStrictEqual(yield* heldIds, ["ci-1", "ci-2"])
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("to a listing that breaks before or after its members", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        const { list } = yield* fullPort
        yield* register("ci-1")
        yield* scheduler.onEvery("list", [
          TestScheduler.fail(unavailable),
          TestScheduler.applyThen(TestScheduler.fail(unavailable))
        ])
        const read = Stream.runFold(
          Stream.result(list),
          () => [] as Array<string>,
          (seen, next) => [...seen, Result.isSuccess(next) ? next.success.worker.id : next.failure.message]
        )

        assert.deepStrictEqual(yield* read, [unavailable.message])
        assert.deepStrictEqual(yield* read, ["ci-1", unavailable.message])
        assert.deepStrictEqual(yield* read, ["ci-1"])
        assert.deepStrictEqual(
          (yield* scheduler.calls).map(({ operation, outcome }) => `${operation} ${outcome}`),
          ["register succeeded", "list failed", "list failed", "list succeeded"]
        )
      }).pipe(Effect.provide(TestScheduler.layer))
    )
  })

  describe("the record", () => {
    it.effect("has everything about each call, with virtual time", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        const port = yield* SchedulerPort
        const ci1 = worker("ci-1")
        yield* scheduler.onRegister("ci-1", [
          TestScheduler.fail(unavailable),
          TestScheduler.delay("1 second")
        ])

        yield* Effect.flip(port.register(ci1, { generation: 7 }))
        yield* TestClock.adjust("100 millis")
        yield* Effect.forkChild(port.register(ci1, { generation: 8 }))
        yield* TestClock.adjust("500 millis")

        const common = {
          operation: "register",
          workerId: ci1.id,
          worker: ci1,
          batch: undefined,
          concurrency: 1,
          workerConcurrency: 1
        } as const
        assert.deepStrictEqual(yield* scheduler.calls, [
          {
            ...common,
            index: 0,
            generation: 7,
            attempt: 1,
            startedAt: 0,
            endedAt: 0,
            outcome: "failed",
            error: unavailable
          },
          {
            ...common,
            index: 1,
            generation: 8,
            attempt: 2,
            startedAt: 100,
            endedAt: undefined,
            outcome: "pending",
            error: undefined
          }
        ])
        const [, pending] = yield* scheduler.calls
        yield* TestClock.adjust("500 millis")
        assert.deepInclude((yield* scheduler.calls)[1], { endedAt: 1100, outcome: "succeeded" })
        assert.strictEqual(pending?.outcome, "pending")
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("counts calls in flight: now, at the peak, and for the same worker", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* scheduler.onEvery("register", [TestScheduler.delay("1 second")])

        const first = yield* Effect.forkChild(
          Effect.all([register("ci-1"), register("ci-2"), register("ci-1")], { concurrency: "unbounded" })
        )
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(first)
        yield* unregister("ci-1", 2)

        const calls = yield* scheduler.calls
        assert.deepStrictEqual(
          calls.map(({ concurrency, workerConcurrency }) => [concurrency, workerConcurrency]),
          [
            [1, 1],
            [2, 1],
            [3, 2],
            [1, 1]
          ]
        )
        assert.strictEqual(yield* scheduler.peakConcurrency, 3)
        assert.lengthOf(yield* scheduler.callsOf("ci-1"), 3)
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("has an interrupted call at once, and counts it no longer", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* scheduler.onEvery("register", [TestScheduler.hang])

        yield* Fiber.interrupt(yield* Effect.forkChild(register("ci-1"), { startImmediately: true }))
        yield* register("ci-1")

        assert.deepStrictEqual(
          (yield* scheduler.calls).map(({ concurrency, outcome }) => [outcome, concurrency]),
          [
            ["interrupted", 1],
            ["succeeded", 1]
          ]
        )
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("has a batch and each of its members, which follow the scripts of registrations", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        const { registerBatch } = yield* fullPort
        const members = [worker("ci-1"), worker("ci-2")].map((worker) => ({ worker, generation: 1 }))
        yield* scheduler.onEvery("registerBatch", [TestScheduler.fail(unavailable)])
        yield* scheduler.onRegister("ci-2", [TestScheduler.fail(rejected)])

        assert.deepStrictEqual(yield* Effect.flip(registerBatch(members)), unavailable)
        assert.deepStrictEqual(yield* registerBatch(members), [Result.void, Result.fail(rejected)])

        const calls = yield* scheduler.calls
        assert.deepStrictEqual(
          calls.map(({ attempt, batch, operation, workerId }) => [operation, workerId, attempt, batch]),
          [
            ["registerBatch", undefined, 1, undefined],
            ["registerBatch", undefined, 2, undefined],
            ["register", "ci-1", 1, 1],
            ["register", "ci-2", 1, 1]
          ]
        )
        assert.strictEqual(yield* scheduler.peakConcurrency, 1)
        yield* register("ci-3")
        assert.strictEqual((yield* scheduler.callsOf("ci-3"))[0]?.concurrency, 1)
      }).pipe(Effect.provide(TestScheduler.layer))
    )
  })

  describe("the maximum rate", () => {
    it.effect("refuses the calls above it and says when there is room again", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        const attempt = (id: string) => Effect.result(register(id))

        assert.isTrue(Result.isSuccess(yield* attempt("ci-1")))
        yield* TestClock.adjust("400 millis")
        yield* unregister("ci-1")
        const refused = yield* Effect.flip(register("ci-2"))
        assert(refused._tag === "SchedulerUnavailable" && refused.retryAfter !== undefined)
        assert.strictEqual(Duration.toMillis(refused.retryAfter), 600)

        yield* TestClock.adjust("599 millis")
        assert.isTrue(Result.isFailure(yield* attempt("ci-2")))
        yield* TestClock.adjust("1 milli")
        assert.isTrue(Result.isSuccess(yield* attempt("ci-2")))
        assert.isTrue(Result.isFailure(yield* attempt("ci-3")))

        yield* scheduler.setMaxRate(undefined)
        assert.isTrue(Result.isSuccess(yield* attempt("ci-3")))
      }).pipe(Effect.provide(TestScheduler.layerWith({ maxRate: 2 })))
    )

    it.effect("counts each member of a batch, and does not use up a script", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        const { registerBatch } = yield* fullPort
        yield* scheduler.onRegister("ci-2", [TestScheduler.fail(rejected)])

        const [first, second] = yield* registerBatch(
          [worker("ci-1"), worker("ci-2")].map((worker) => ({ worker, generation: 1 }))
        )
        assert(first !== undefined && Result.isSuccess(first))
        assert(second !== undefined && Result.isFailure(second))
        assert.strictEqual(second.failure._tag, "SchedulerUnavailable")

        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Effect.flip(register("ci-2")), rejected)
      }).pipe(Effect.provide(TestScheduler.layerWith({ maxRate: 1 })))
    )
  })

  describe("its state", () => {
    it.effect("is kept, lost in part or lost altogether, as the test wants", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* Effect.all([register("ci-1"), register("ci-2"), scheduler.hold(worker("ghost"), 5)])
        assert.deepStrictEqual(yield* heldIds, ["ci-1", "ci-2", "ghost"])
        assert.lengthOf(yield* scheduler.calls, 2)

        yield* scheduler.drop("ci-1")
        yield* scheduler.drop("never-there")
        assert.deepStrictEqual(yield* heldIds, ["ci-2", "ghost"])

        yield* scheduler.forget
        assert.deepStrictEqual(yield* heldIds, [])
        yield* register("ghost", 1)
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("is fenced by generations", () =>
      Effect.gen(function* () {
        yield* register("ci-1", 2)
        const refused = yield* Effect.flip(unregister("ci-1", 1))
        assert(refused._tag === "SchedulerRejected" && refused.isOlderGeneration)
        assert.deepInclude((yield* (yield* TestScheduler).calls)[1], { outcome: "failed", error: refused })
      }).pipe(Effect.provide(TestScheduler.layer))
    )

    it.effect("is not fenced when it is told to compare nothing", () =>
      Effect.gen(function* () {
        yield* register("ci-1", 2)
        yield* register("ci-1", 1)
        yield* unregister("ci-1", 0)
        yield* register("ci-1", -1)
        assert.deepStrictEqual(yield* heldIds, ["ci-1"])
      }).pipe(Effect.provide(TestScheduler.layerWith({ comparesGenerations: false })))
    )

    it.effect("and scripts and calls are gone after a reset", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* scheduler.onEvery("register", [TestScheduler.always(TestScheduler.fail(unavailable))])
        yield* Effect.flip(register("ci-1"))
        yield* scheduler.reset

        assert.deepStrictEqual(yield* scheduler.calls, [])
        assert.strictEqual(yield* scheduler.peakConcurrency, 0)
        yield* register("ci-1")
      }).pipe(Effect.provide(TestScheduler.layer))
    )
  })

  it.effect("has only the optional parts that it is given", () =>
    Effect.gen(function* () {
      const port = yield* SchedulerPort
      assert.deepStrictEqual(port.capabilities, new Set(["get"]))
      assert.deepStrictEqual([port.list, port.health, port.registerBatch], [undefined, undefined, undefined])
    }).pipe(Effect.provide(TestScheduler.layerWith({ capabilities: ["get"] })))
  )

  it.effect("keeps up with 100,000 scripted calls", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      const port = yield* SchedulerPort
      const workers = Array.from({ length: 1_000 }, (_, index) => worker(`ci-${index}`))
      yield* scheduler.onEvery(
        "register",
        Array.from({ length: 99 }, () => TestScheduler.fail(unavailable))
      )

      yield* Effect.forEach(
        workers,
        (worker) => Effect.retry(port.register(worker, { generation: 1 }), { times: 99 }),
        { concurrency: 100 }
      )

      assert.lengthOf(yield* scheduler.calls, 100_000)
      assert.lengthOf(yield* scheduler.workers, 1_000)
    }).pipe(Effect.provide(TestScheduler.layer))
  )
})
