import { assert, describe, it } from "@effect/vitest"
import { TestFleet, TestScheduler } from "@muster/testing"
import { Duration, Effect, Fiber, Option, References } from "effect"
import { TestClock } from "effect/testing"
import { SchedulerUnavailable } from "../SchedulerError.ts"
import { WorkerId } from "../WorkerId.ts"
import type { FleetOptions } from "./FleetOptions.ts"

const unavailable = TestScheduler.fail(new SchedulerUnavailable({ message: "connection refused" }))

const make = (fleet: Partial<FleetOptions> = {}) =>
  TestFleet.make({
    fleet: { driftInterval: Duration.infinity, checkAfter: Duration.infinity, ...fleet }
  })

const id = (name: string) => WorkerId.make(name)

const settle = TestClock.adjust(Duration.zero)

/** A worker that came and went. */
const comeAndGo = Effect.fnUntraced(function* (test: TestFleet, name: string) {
  yield* test.want(name)
  yield* settle
  yield* test.fleet.terminate(id(name))
  yield* settle
})

const names = (test: TestFleet) =>
  Effect.map(test.fleet.list({}, 1000, 0), ({ items }) => items.map((item) => String(item.id)))

describe("what nobody needs any more", () => {
  it.effect("workers that have been gone for long are forgotten, with all that happened to them", () =>
    Effect.gen(function* () {
      const test = yield* make({ terminatedRetention: Duration.hours(1) })
      yield* comeAndGo(test, "early")
      yield* TestClock.adjust("50 minutes")
      yield* comeAndGo(test, "late")
      yield* test.want("alive")
      yield* TestClock.adjust("12 minutes")
      assert.deepStrictEqual(yield* names(test), ["late", "alive"])
      assert.deepStrictEqual(yield* test.kept.timeline(id("early")), [])
      assert.isTrue(Option.isNone(yield* test.fleet.get(id("early"))))
      assert.deepStrictEqual(yield* test.gauges, { terminated: 1, registered: 1 })
      assert.deepInclude(yield* test.fleet.load, { known: 2 })
    })
  )

  it.effect("of many that are gone, those that have been so for longest", () =>
    Effect.gen(function* () {
      const test = yield* make({ maxTerminated: 300 })
      yield* Effect.forEach(
        Array.from({ length: 1000 }, (_, index) => id(`w${index}`)),
        (workerId) => test.fleet.drop(workerId, {}),
        { concurrency: "unbounded", discard: true }
      )
      yield* test.fleet.drained
      yield* TestClock.adjust("61 seconds")
      assert.deepStrictEqual(
        yield* names(test),
        Array.from({ length: 300 }, (_, index) => `w${index + 700}`)
      )
      assert.deepStrictEqual(yield* test.gauges, { terminated: 300 })
    })
  )

  it.effect("dead letters, and those that are on their way out, stay", () =>
    Effect.gen(function* () {
      const test = yield* make({ maxTerminated: 0, terminatedRetention: Duration.zero })
      yield* test.scheduler.onUnregister("broken", [TestScheduler.die("a bug")])
      yield* test.scheduler.onUnregister("waiting", [TestScheduler.always(unavailable)])
      for (const name of ["broken", "waiting", "gone"]) yield* comeAndGo(test, name)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* names(test), ["broken", "waiting"])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("old items of timelines go, and what was told stays counted", () =>
    Effect.gen(function* () {
      const test = yield* make({ timelineRetention: Duration.days(1) })
      yield* test.want("a")
      yield* TestClock.adjust("23 hours")
      yield* test.fleet.ready(id("a"), {})
      yield* TestClock.adjust("62 minutes")
      const { forgotten, items } = yield* test.fleet.timeline(id("a"))
      assert.deepStrictEqual(
        items.map((item) => (item.type === "phase" ? item.phase : item.type)),
        ["change", "call", "ready"]
      )
      assert.strictEqual(forgotten, 5)
    })
  )

  it.effect("a timeline is bounded in the store, however much happens", () =>
    Effect.gen(function* () {
      const test = yield* make({ maxRetryDelay: Duration.seconds(1) })
      yield* test.scheduler.onEvery("register", [TestScheduler.always(unavailable)])
      yield* test.want("a")
      let most = 0
      for (let i = 0; i < 40; i++) {
        yield* TestClock.adjust("10 seconds")
        const segments = yield* test.kept.timeline(id("a"))
        most = Math.max(most, segments.flatMap(({ items }) => items).length)
      }
      assert.isAbove((yield* test.record("a")).told, 1000)
      assert.isAtLeast(most, 100)
      assert.isAtMost(most, 160)
    })
  )

  it.effect("is removed again after the store was unavailable", () =>
    Effect.gen(function* () {
      const test = yield* make({ maxTerminated: 0 })
      yield* comeAndGo(test, "a")
      test.store.answer = (operation) => (operation === "forget" ? "fails" : "succeeds")
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* names(test), ["a"])
      test.store.answer = () => "succeeds"
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* names(test), [])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
})

describe("trouble with the store", () => {
  it.effect("begins with a transaction that fails, and ends by itself", () =>
    Effect.gen(function* () {
      const test = yield* make()
      assert.isTrue(Option.isNone(yield* test.fleet.storeTrouble))
      test.store.answer = () => "fails"
      yield* Effect.flip(test.want("a"))
      yield* settle
      assert.strictEqual(Option.getOrThrow(yield* test.fleet.storeTrouble)._tag, "StoreUnavailable")
      yield* TestClock.adjust("1 hour")
      assert.isTrue(Option.isSome(yield* test.fleet.storeTrouble))
      test.store.answer = () => "succeeds"
      yield* TestClock.adjust("1 second")
      assert.isTrue(Option.isNone(yield* test.fleet.storeTrouble))
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("ends with a change that is taken, and no probe is made where there is none", () =>
    Effect.gen(function* () {
      const test = yield* make()
      test.store.answer = () => "fails"
      yield* Effect.flip(test.want("a"))
      yield* settle
      test.store.answer = () => "succeeds"
      yield* test.want("a")
      yield* settle
      assert.isTrue(Option.isNone(yield* test.fleet.storeTrouble))
      yield* TestClock.adjust("10 seconds")
      const probes = test.store.count("probe")
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(test.store.count("probe"), probes)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("comes and goes as often as it likes", () =>
    Effect.gen(function* () {
      const test = yield* make()
      for (let i = 0; i < 5; i++) {
        test.store.answer = () => "fails"
        yield* Effect.flip(test.want("a"))
        yield* settle
        assert.isTrue(Option.isSome(yield* test.fleet.storeTrouble))
        test.store.answer = () => "succeeds"
        yield* TestClock.adjust("1 second")
        assert.isTrue(Option.isNone(yield* test.fleet.storeTrouble))
      }
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("loses nothing of what the scheduler has answered meanwhile", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.scheduler.onEvery("register", [TestScheduler.delay("1 second")])
      const { generation } = yield* test.want("a")
      const waiting = yield* Effect.forkChild(test.fleet.settled(id("a"), generation))
      yield* settle
      test.store.answer = () => "fails"
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* test.held, ["a"])
      test.store.answer = () => "succeeds"
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(Option.getOrThrow(yield* Fiber.join(waiting)).phase, "registered")
      assert.lengthOf(yield* test.scheduler.calls, 1)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
})

describe("drained", () => {
  it.effect("waits for the store to be asked, and for what it holds", () =>
    Effect.gen(function* () {
      const test = yield* make({ concurrency: 2 })
      yield* test.scheduler.onEvery("register", [TestScheduler.always(TestScheduler.delay("1 second"))])
      for (const name of ["a", "b", "c"]) yield* test.want(name)
      yield* test.crash
      yield* test.start
      const waiting = yield* Effect.forkChild(test.fleet.drained)
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(yield* test.held, ["a", "b", "c"])
    })
  )

  it.effect("waits again when there is something to do again", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* settle
      yield* test.fleet.drained
      yield* test.scheduler.onRegister("a", [TestScheduler.delay("1 second")])
      yield* test.want("a")
      const waiting = yield* Effect.forkChild(test.fleet.drained)
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(waiting)
    })
  )

  it.effect("waits for a store that does not answer", () =>
    Effect.gen(function* () {
      const test = yield* make()
      test.store.answer = (operation) => (operation === "due" ? "fails" : "succeeds")
      yield* test.want("a")
      const waiting = yield* Effect.forkChild(test.fleet.drained)
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(waiting.pollUnsafe())
      test.store.answer = () => "succeeds"
      yield* TestClock.adjust("4 seconds")
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(yield* test.held, ["a"])
    })
  )
})
