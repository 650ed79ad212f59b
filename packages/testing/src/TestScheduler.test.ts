import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import {
  SchedulerFault,
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

        yield* scheduler.onEvery("register", [TestScheduler.fail(rejected)])
        assert.deepStrictEqual(yield* Effect.flip(register("ci-1")), rejected)
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
        const port = yield* SchedulerPort
        yield* scheduler.onUnregister("ci-1", [TestScheduler.fail(unavailable)])
        yield* scheduler.onGet("ci-1", [TestScheduler.fail(rejected)])
        yield* scheduler.onEvery("health", [TestScheduler.fail(unavailable)])

        yield* register("ci-1")
        assert.deepStrictEqual(yield* Effect.flip(unregister("ci-1")), unavailable)
        assert.deepStrictEqual(yield* Effect.flip(port.get!(WorkerId.make("ci-1"))), rejected)
        assert.deepStrictEqual(yield* Effect.flip(port.health!), unavailable)
        assert.deepStrictEqual(yield* port.health!, { status: "healthy" })
        yield* unregister("ci-1")
        assert.deepStrictEqual(yield* heldIds, [])
      }).pipe(Effect.provide(TestScheduler.layer))
    )
  })
})
