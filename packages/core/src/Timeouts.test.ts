import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { type Timeout, Timeouts } from "./Timeouts.ts"

/** Time-outs by the clock of the test, and the names of those that have passed. */
const make = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const timeouts = new Timeouts()
  const passed: Array<string> = []
  const set = (name: string, duration: Duration.Input, then?: () => void): Timeout =>
    timeouts.set(clock, Duration.fromInputUnsafe(duration), () => {
      passed.push(name)
      then?.()
    })
  return { passed, set, timeouts }
})

/** A clock that counts the sleepers it has. */
const countingSleepers = (clock: Clock.Clock) => {
  const counter = { sleepers: 0, slept: 0 }
  const counting: Clock.Clock = Object.create(clock, {
    sleep: {
      value: (duration: Duration.Duration) =>
        Effect.suspend(() => {
          counter.sleepers++
          counter.slept++
          return clock.sleep(duration)
        }).pipe(Effect.ensuring(Effect.sync(() => counter.sleepers--)))
    }
  })
  return { clock: counting, counter }
}

const endOfTick = Effect.promise(() => Promise.resolve())

describe("Timeouts", () => {
  it.effect("pass when their time has come, and not before", () =>
    Effect.gen(function* () {
      const { passed, set } = yield* make
      set("a", "30 seconds")
      yield* TestClock.adjust("10 seconds")
      set("b", "30 seconds")
      yield* TestClock.adjust(19_999)
      assert.deepStrictEqual(passed, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(passed, ["a"])
      yield* TestClock.adjust(9_999)
      assert.deepStrictEqual(passed, ["a"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(passed, ["a", "b"])
    })
  )

  it.effect("pass in the order of their times, in whatever order they were set", () =>
    Effect.gen(function* () {
      const { passed, set } = yield* make
      for (const seconds of [3, 1, 5, 2, 4, 1]) set(`${seconds}`, Duration.seconds(seconds))
      yield* TestClock.adjust("3500 millis")
      assert.deepStrictEqual(passed, ["1", "1", "2", "3"])
      set("0", 0)
      set("6", "500 millis")
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(passed, ["1", "1", "2", "3", "0", "4", "6", "5"])
    })
  )

  it.effect("do not pass once they are cleared, wherever they stand", () =>
    Effect.gen(function* () {
      const { passed, set } = yield* make
      const [first, middle, last] = [set("first", 1000), set("middle", 2000), set("last", 4000)]
      set("other", 3000)
      first.clear()
      middle.clear()
      last.clear()
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(passed, ["other"])
    })
  )

  it.effect("may be cleared again, and after they have passed", () =>
    Effect.gen(function* () {
      const { passed, set } = yield* make
      const cleared = set("cleared", 1000)
      cleared.clear()
      const past = set("past", 1000)
      yield* TestClock.adjust("1 second")
      set("later", 1000)
      cleared.clear()
      past.clear()
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(passed, ["past", "later"])
    })
  )

  it.effect("may be set and cleared by one that passes", () =>
    Effect.gen(function* () {
      const { passed, set } = yield* make
      set("a", 1000, () => {
        b.clear()
        set("c", 1000)
      })
      const b = set("b", 1000)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(passed, ["a"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(passed, ["a", "c"])
    })
  )

  it.effect("share one sleeping fiber, and leave none when none is set", () =>
    Effect.gen(function* () {
      const { clock, counter } = countingSleepers(yield* Clock.Clock)
      const timeouts = new Timeouts()
      const set = (seconds: number) => timeouts.set(clock, Duration.seconds(seconds), () => {})
      const all = [10, 10, 5, 20].map(set)
      assert.strictEqual(counter.sleepers, 1)
      all.forEach((timeout) => timeout.clear())
      yield* endOfTick
      assert.strictEqual(counter.sleepers, 0)
      set(1)
      assert.strictEqual(counter.sleepers, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(counter.sleepers, 0)
    })
  )

  it.effect("wake nobody where one follows on another", () =>
    Effect.gen(function* () {
      const { clock, counter } = countingSleepers(yield* Clock.Clock)
      const timeouts = new Timeouts()
      const passed: Array<number> = []
      const set = (seconds: number) =>
        timeouts.set(clock, Duration.seconds(seconds), () => passed.push(seconds))
      for (let call = 0; call < 10; call++) {
        set(30).clear()
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual(counter.slept, 10)
      for (let call = 0; call < 10; call++) set(30).clear()
      assert.strictEqual(counter.slept, 11)
      set(20)
      yield* endOfTick
      // Only for the one that is earlier than all before.
      assert.strictEqual(counter.slept, 12)
      set(40)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(passed, [20])
      yield* TestClock.adjust("19999 millis")
      assert.deepStrictEqual(passed, [20])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(passed, [20, 40])
      assert.strictEqual(counter.sleepers, 0)
    })
  )

  it.effect("are cleared by the answer that they wait for, and by an interruption", () =>
    Effect.gen(function* () {
      const { clock, counter } = countingSleepers(yield* Clock.Clock)
      const timeouts = new Timeouts()
      const answer = Deferred.makeUnsafe<string>()
      const attempt = Deferred.await(answer).pipe(
        timeouts.abandonAfter(Duration.seconds(30), () => Effect.fail("late")),
        Effect.provideService(Clock.Clock, clock)
      )
      const answered = yield* Effect.forkChild(attempt, { startImmediately: true })
      const interrupted = yield* Effect.forkChild(attempt, { startImmediately: true })
      yield* Fiber.interrupt(interrupted)
      assert.strictEqual(counter.sleepers, 1)
      yield* Deferred.succeed(answer, "here")
      assert.strictEqual(yield* Fiber.join(answered), "here")
      yield* endOfTick
      assert.strictEqual(counter.sleepers, 0)
    })
  )
})
