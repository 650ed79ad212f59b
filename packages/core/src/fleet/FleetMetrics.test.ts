import { assert, describe, it } from "@effect/vitest"
import { TestFleet, TestScheduler } from "@muster/testing"
import { Duration, Effect, Option } from "effect"
import { TestClock } from "effect/testing"
import { SchedulerRejected, SchedulerUnavailable } from "../SchedulerError.ts"
import { Worker, WorkerId } from "../Worker.ts"
import type { FleetOptions } from "./FleetOptions.ts"

const unavailable = TestScheduler.always(
  TestScheduler.fail(new SchedulerUnavailable({ message: "connection refused" }))
)
const rejected = TestScheduler.always(TestScheduler.fail(new SchedulerRejected({ message: "no such image" })))

/** A fleet whose gauges are up to date a few seconds after each change. */
const make = (fleet: Partial<FleetOptions> = {}) =>
  TestFleet.make({
    fleet: { checkAfter: Duration.infinity, driftInterval: Duration.infinity, ...fleet }
  })

const settle = Effect.repeat(TestClock.adjust(Duration.zero), { times: 20 })
const aLook = TestClock.adjust("5 seconds")

const age = (test: TestFleet, priority: string) =>
  test.metric("muster_oldest_unfinished_age_seconds", { priority })

const drift = (test: TestFleet, family: string) =>
  Effect.all({
    lost: test.metric(`muster_drift_${family}`, { kind: "lost" }),
    ghost: test.metric(`muster_drift_${family}`, { kind: "ghost" }),
    unknown: test.metric(`muster_drift_${family}`, { kind: "unknown" })
  })

describe("the queue", () => {
  it.effect("is as long as there are unfinished changes of each priority, also after a restart", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.scheduler.onEvery("register", [unavailable])
      const length = Effect.all({
        critical: test.metric("muster_unfinished_changes", { priority: "critical" }),
        normal: test.metric("muster_unfinished_changes", { priority: "normal" })
      })
      yield* test.want("a", { priority: "critical" })
      yield* test.want("b")
      yield* test.want("c")
      assert.deepStrictEqual(yield* length, { critical: 1, normal: 2 })
      yield* test.want("b", { priority: "critical" })
      assert.deepStrictEqual(yield* length, { critical: 2, normal: 1 })
      yield* test.crash
      yield* test.start
      const again = {
        critical: yield* test.metric("muster_unfinished_changes", { priority: "critical" }),
        normal: yield* test.metric("muster_unfinished_changes", { priority: "normal" })
      }
      assert.deepStrictEqual(again, { critical: 2, normal: 1 })
    })
  )

  it.effect("is as old as its oldest change, whatever is asked of that worker meanwhile", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.scheduler.onRegister("a", [unavailable])
      yield* test.want("a")
      yield* TestClock.adjust("100 seconds")
      assert.strictEqual(yield* age(test, "normal"), 100)
      assert.strictEqual(yield* age(test, "low"), 0)
      yield* test.want("a", { cpuCores: 4 })
      yield* test.want("b")
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual(yield* age(test, "normal"), 150)
    })
  )

  it.effect("has no age once everything is done", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.scheduler.onRegister("a", [unavailable])
      yield* test.want("a")
      yield* TestClock.adjust("100 seconds")
      yield* test.scheduler.onRegister("a", [TestScheduler.always(TestScheduler.succeed)])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* age(test, "normal"), 0)
    })
  )

  it.effect("grows older while the store does not say how old it is", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.scheduler.onEvery("register", [unavailable])
      yield* test.want("a")
      yield* aLook
      test.store.answer = () => "fails"
      yield* TestClock.adjust("95 seconds")
      assert.strictEqual(yield* age(test, "normal"), 100)
    })
  )

  it.effect("costs the store no question while nothing waits", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* settle
      const before = test.store.count("oldestUnfinished")
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(test.store.count("oldestUnfinished"), before)
    })
  )
})

describe("dead letters", () => {
  it.effect("are counted when they become some, by what kept them from being registered", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.scheduler.onRegister("a", [rejected])
      yield* test.want("a")
      yield* test.want("b")
      yield* settle
      const count = test.metric("muster_dead_letters_total", { error_type: "invalid_worker" })
      assert.strictEqual(yield* count, 1)
      yield* test.fleet.retry(WorkerId.make("a"))
      yield* settle
      assert.strictEqual(yield* count, 2)
      assert.strictEqual(yield* test.metric("muster_workers", { phase: "failed" }), 1)
    })
  )
})

describe("leases", () => {
  it.effect("are counted when they end in silence, not when their worker is terminated", () =>
    Effect.gen(function* () {
      const test = yield* make({ defaultLease: Duration.minutes(1) })
      yield* test.want("a")
      yield* test.want("b")
      yield* settle
      yield* test.fleet.terminate(WorkerId.make("b"))
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* test.metric("muster_leases_expired_total"), 1)
    })
  )
})

describe("drift", () => {
  it.effect("is counted when it is found, and again when it is repaired", () =>
    Effect.gen(function* () {
      const test = yield* make({ driftInterval: Duration.minutes(5), unknownWorkers: "remove" })
      for (const name of ["a", "b", "gone"]) yield* test.want(name)
      yield* settle
      yield* test.fleet.terminate(WorkerId.make("gone"))
      yield* TestClock.adjust("1 minute")

      yield* test.scheduler.forget
      for (const id of ["gone", "stranger"]) {
        const worker = yield* Effect.orDie(Worker.decode({ id, capabilities: { cpuCores: 1, memoryMb: 1 } }))
        yield* test.scheduler.hold(worker, 1)
      }
      yield* test.scheduler.onRegister("b", [unavailable])
      yield* TestClock.adjust("7 minutes")
      assert.deepStrictEqual(yield* drift(test, "found_total"), { lost: 2, ghost: 1, unknown: 1 })
      assert.deepStrictEqual(yield* drift(test, "repaired_total"), { lost: 1, ghost: 1, unknown: 1 })

      yield* test.scheduler.onRegister("b", [TestScheduler.always(TestScheduler.succeed)])
      yield* TestClock.adjust("7 minutes")
      assert.deepStrictEqual(yield* drift(test, "repaired_total"), { lost: 2, ghost: 1, unknown: 1 })
      assert.deepStrictEqual(yield* drift(test, "workers"), { lost: 0, ghost: 0, unknown: 0 })
    })
  )

  it.effect("shows what the latest comparison found, not that of a part", () =>
    Effect.gen(function* () {
      const test = yield* make({ driftInterval: Duration.minutes(5) })
      yield* test.want("a")
      yield* TestClock.adjust("1 minute")
      yield* test.scheduler.drop("a")
      yield* TestClock.adjust("7 minutes")
      const report = Option.getOrThrow(yield* test.fleet.drift)
      assert.strictEqual((yield* drift(test, "workers")).lost, report.lost)
      yield* test.scheduler.onEvery("list", [unavailable])
      yield* TestClock.adjust("8 minutes")
      assert.strictEqual((yield* drift(test, "workers")).lost, report.lost)
      const failures = yield* test.metric("muster_drift_comparisons_total", { result: "failure" })
      assert.isAtLeast(failures ?? 0, 1)
    })
  )

  it.effect("is found and repaired by a check, too", () =>
    Effect.gen(function* () {
      const test = yield* make({ checkAfter: Duration.minutes(1) })
      yield* test.want("a")
      yield* settle
      yield* test.scheduler.drop("a")
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual((yield* drift(test, "found_total")).lost, 1)
      assert.deepStrictEqual((yield* drift(test, "repaired_total")).lost, 1)
    })
  )
})

describe("the store", () => {
  it.effect("is timed and its failures are counted, of reading and of writing", () =>
    Effect.gen(function* () {
      const test = yield* make()
      const writes = Effect.map(
        test.metric("muster_store_duration_seconds", { operation: "write" }),
        (count) => count ?? 0
      )
      const before = yield* writes
      yield* test.want("a")
      assert.isAbove(yield* writes, before)
      assert.strictEqual(yield* test.metric("muster_store_writable"), 1)
      assert.isUndefined(yield* test.metric("muster_store_failures_total", { operation: "write" }))

      test.store.answer = () => "fails"
      yield* Effect.flip(test.want("b"))
      yield* Effect.flip(test.fleet.get(WorkerId.make("a")))
      yield* settle
      assert.strictEqual(yield* test.metric("muster_store_writable"), 0)
      assert.isAtLeast((yield* test.metric("muster_store_failures_total", { operation: "write" })) ?? 0, 1)
      assert.isAtLeast((yield* test.metric("muster_store_failures_total", { operation: "read" })) ?? 0, 1)

      test.store.answer = () => "succeeds"
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* test.metric("muster_store_writable"), 1)
    })
  )
})
