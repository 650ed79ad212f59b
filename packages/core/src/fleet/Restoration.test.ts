import { assert, describe, it } from "@effect/vitest"
import { TestFleet, TestScheduler } from "@muster/testing"
import { Duration, Effect, Option, Result } from "effect"
import { TestClock } from "effect/testing"
import { SchedulerRejected } from "../SchedulerError.ts"
import { Worker } from "../Worker.ts"
import { WorkerId } from "../WorkerId.ts"
import type { FleetOptions } from "./FleetOptions.ts"
import type { RestoredWorker } from "./Restoration.ts"

const make = (fleet: Partial<FleetOptions> = {}) =>
  TestFleet.make({ fleet: { driftInterval: Duration.infinity, checkAfter: Duration.infinity, ...fleet } })

const id = (name: string) => WorkerId.make(name)

const settle = TestClock.adjust(Duration.zero)

/** Above what any clock gives, that of a test, which begins in 1970, and that of this machine. */
const high = 8_900_000_000_000_000

const exported = Effect.fnUntraced(function* (name: string, fields: Partial<RestoredWorker> = {}) {
  const worker = yield* Effect.orDie(
    Worker.decode({ id: name, capabilities: { cpuCores: 8, memoryMb: 1024 } })
  )
  return {
    id: id(name),
    worker,
    desired: "registered",
    state: "call",
    generation: high,
    priority: "normal",
    leaseTtl: undefined,
    saidReady: false,
    createdAt: 0,
    updatedAt: 0,
    lastError: undefined,
    lastEvent: undefined,
    ...fields
  } satisfies RestoredWorker
})

const restore = Effect.fnUntraced(function* (
  test: TestFleet,
  name: string,
  fields?: Partial<RestoredWorker>
) {
  const [result] = yield* test.fleet.restoreAll([yield* exported(name, fields)])
  return result === undefined ? yield* Effect.die("no result") : Result.getOrThrow(result)
})

const gone = { desired: "unregistered", state: "gone" } as const

describe("a worker of an export", () => {
  it.effect("is registered again, above the generation that it had", () =>
    Effect.gen(function* () {
      const test = yield* make()
      const { outdated } = yield* restore(test, "a", { priority: "high", saidReady: true, createdAt: -5 })
      assert.isFalse(outdated)
      yield* settle
      const record = yield* test.record("a")
      assert.deepInclude(record, { phase: "ready", priority: "high", createdAt: -5, lastError: undefined })
      assert.isAbove(record.generation, high)
      const [held] = yield* test.scheduler.workers
      assert.strictEqual(held?.generation, record.generation)
      assert.isAbove((yield* test.want("b")).generation, record.generation)
    })
  )

  it.effect("changes nothing the second time, nor over a newer state", () =>
    Effect.gen(function* () {
      const test = yield* make()
      const first = yield* restore(test, "a")
      yield* settle
      const second = yield* restore(test, "a", { priority: "low" })
      assert.deepInclude(second, { outdated: true, generation: first.generation, phase: "registered" })
      assert.strictEqual((yield* test.record("a")).priority, "normal")
      assert.lengthOf(yield* test.scheduler.calls, 1)
    })
  )

  it.effect("takes the place of an older state", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a", { cpuCores: 2 })
      yield* settle
      yield* restore(test, "a")
      yield* settle
      const [held] = yield* test.scheduler.workers
      assert.strictEqual(held?.worker.capabilities.cpuCores, 8)
    })
  )

  it.effect("that was gone is remembered as such, without a call, from when it went", () =>
    Effect.gen(function* () {
      const test = yield* make({ terminatedRetention: Duration.hours(1) })
      yield* TestClock.adjust("50 minutes")
      yield* restore(test, "a", { ...gone, updatedAt: Duration.toMillis("45 minutes") })
      yield* settle
      assert.deepInclude(yield* test.record("a"), { phase: "terminated", task: undefined })
      assert.deepStrictEqual(yield* test.scheduler.calls, [])
      assert.isAbove((yield* test.want("a")).generation, high)
      yield* restore(test, "b", { ...gone, updatedAt: 0 })
      yield* TestClock.adjust("11 minutes")
      assert.isTrue(Option.isNone(yield* test.fleet.get(id("b"))))
    })
  )

  it.effect("that was gone is unregistered where the fleet had an older state of it", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* settle
      yield* restore(test, "a", gone)
      yield* settle
      assert.deepStrictEqual(yield* test.held, [])
      assert.strictEqual((yield* test.record("a")).phase, "terminated")
    })
  )

  it.effect("that was on its way out is unregistered", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* restore(test, "a", { desired: "unregistered", worker: undefined })
      yield* settle
      assert.deepStrictEqual(
        (yield* test.scheduler.calls).map(({ operation }) => operation),
        ["unregister"]
      )
    })
  )

  it.effect("that had failed is a dead letter with its reason, without a call, and can be retried", () =>
    Effect.gen(function* () {
      const test = yield* make()
      const lastError = { type: "invalid_worker", message: "no such pool", retryable: false, at: 7 } as const
      yield* restore(test, "a", { state: "failed", lastError })
      yield* settle
      assert.deepInclude(yield* test.record("a"), { phase: "failed", lastError })
      assert.deepStrictEqual(yield* test.scheduler.calls, [])
      yield* test.fleet.retry(id("a"))
      yield* settle
      assert.strictEqual((yield* test.record("a")).phase, "registered")
    })
  )

  it.effect("has its whole lease before it", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* TestClock.adjust("1 day")
      yield* restore(test, "a", { leaseTtl: 60_000 })
      assert.strictEqual(
        (yield* test.record("a")).leaseExpiresAt,
        Duration.toMillis("1 day") + Duration.toMillis("1 minute")
      )
    })
  )

  it.effect("waits outside while too many changes are unfinished, unless it asks for no call", () =>
    Effect.gen(function* () {
      const test = yield* make({ maxUnfinished: 1 })
      yield* test.scheduler.onEvery("register", [
        TestScheduler.fail(new SchedulerRejected({ message: "no" })),
        TestScheduler.hang
      ])
      yield* restore(test, "a")
      const results = yield* test.fleet.restoreAll([yield* exported("b"), yield* exported("c", gone)])
      assert.deepStrictEqual(results.map(Result.isSuccess), [false, true])
    })
  )

  it.effect("says in its timeline where it comes from", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* restore(test, "a")
      const { items } = yield* test.fleet.timeline(id("a"))
      assert.deepInclude(items[0], { type: "change", change: "imported" })
    })
  )
})

describe("generations that were forgotten elsewhere", () => {
  it.effect("stay below those of new workers, also after a restart", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.fleet.raiseForgotten(high)
      assert.isAbove((yield* test.want("a")).generation, high)
      yield* test.crash
      yield* test.start
      assert.strictEqual(yield* test.fleet.forgottenGeneration, high)
      assert.isAbove((yield* test.want("b")).generation, high)
      yield* test.fleet.raiseForgotten(5)
      assert.strictEqual(yield* test.fleet.forgottenGeneration, high)
    })
  )
})
