import { assert, describe, it } from "@effect/vitest"
import { TestFleet, TestScheduler } from "@muster/testing"
import { Duration, Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { SchedulerUnavailable } from "../SchedulerError.ts"
import { WorkerId } from "../WorkerId.ts"
import type { EventPosition, PhaseEvent } from "./PhaseEvents.ts"

const make = TestFleet.make({
  fleet: { driftInterval: Duration.infinity, checkAfter: Duration.infinity }
})

const settle = TestClock.adjust(Duration.zero)

const words = (events: ReadonlyArray<PhaseEvent>) =>
  events.map(({ item, workerId }) => `${workerId} ${item.phase}`)

/** Follows the events into a list, from now or after a position, until the fleet is no more. */
const follow = Effect.fnUntraced(function* (test: TestFleet, after?: EventPosition) {
  const events: Array<PhaseEvent> = []
  const position = after ?? (yield* test.fleet.latestEvent)
  const fiber = yield* Effect.forkChild(
    Stream.runForEach(test.fleet.events(position), (event) => Effect.sync(() => events.push(event)))
  )
  yield* settle
  return { events, fiber }
})

/** All phase changes that the store keeps, in order. */
const kept = (test: TestFleet) =>
  Effect.map(test.kept.segments(0, 100_000), (segments) =>
    segments.flatMap(({ items, workerId }) =>
      items.flatMap((item) => (item.type === "phase" ? [`${workerId} ${item.phase}`] : []))
    )
  )

const one = ["pending", "registering", "registered"]

describe("the events", () => {
  it.effect("after the latest one are those from now on", () =>
    Effect.gen(function* () {
      const test = yield* make
      yield* test.want("early")
      yield* settle
      const { events } = yield* follow(test)
      assert.deepStrictEqual(events, [])
      yield* test.want("late")
      yield* settle
      assert.deepStrictEqual(
        words(events),
        one.map((phase) => `late ${phase}`)
      )
    })
  )

  it.effect("go on after each position that they had, also in the middle of a commit", () =>
    Effect.gen(function* () {
      const test = yield* make
      yield* test.want("a")
      yield* test.want("b")
      yield* settle
      yield* test.fleet.terminate(WorkerId.make("a"))
      yield* settle
      const { events: all } = yield* follow(test, { sequence: 0, index: 0 })
      assert.deepStrictEqual(words(all), yield* kept(test))
      assert.isAbove(all.length, 6)
      for (const [index, { index: place, sequence }] of all.entries()) {
        const { events } = yield* follow(test, { sequence, index: place })
        assert.deepStrictEqual(events, all.slice(index + 1))
      }
    })
  )

  it.effect("are in strict order, and none is missing or repeated while commits go on", () =>
    Effect.gen(function* () {
      const test = yield* make
      const first = yield* follow(test)
      const rounds = 20
      for (let round = 0; round < rounds; round++) {
        yield* Effect.forEach(
          Array.from({ length: 50 }, (_, index) => `r${round}w${index}`),
          (name) => test.want(name),
          { concurrency: "unbounded", discard: true }
        )
        // Some come in the middle of it all.
        if (round === 5) yield* Effect.forkChild(Effect.forEach(["x", "y", "z"], (name) => test.want(name)))
        yield* TestClock.adjust("1 millis")
      }
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(words(first.events), yield* kept(test))
      assert.lengthOf(first.events, 3 * (50 * rounds + 3))
      const places = first.events.map(({ index, sequence }) => sequence * 1000 + index)
      assert.deepStrictEqual(
        places,
        Array.from(new Set(places)).toSorted((left, right) => left - right)
      )
    })
  )

  it.effect("go on after a restart where they were left", () =>
    Effect.gen(function* () {
      const test = yield* make
      const before = yield* follow(test)
      yield* test.want("a")
      yield* settle
      yield* test.want("unseen")
      yield* test.crash
      yield* test.start
      const last = before.events[1]
      if (last === undefined) return assert.fail("nothing was seen")
      const after = yield* follow(test, last)
      yield* test.want("b")
      yield* settle
      const seen = words(before.events.slice(0, 2).concat(after.events))
      assert.deepStrictEqual(seen, yield* kept(test))
      assert.include(seen, "unseen pending")
      assert.include(seen, "b registered")
    })
  )

  it.effect("of a commit of which the answer was lost are not missed", () =>
    Effect.gen(function* () {
      const test = yield* make
      const { events } = yield* follow(test)
      test.store.answer = (operation) => (operation === "modify" ? "does it and fails" : "succeeds")
      yield* Effect.flip(test.want("a"))
      test.store.answer = () => "succeeds"
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(words(events), yield* kept(test))
      assert.include(words(events), "a registered")
    })
  )

  it.effect("end with the store, and with nothing else", () =>
    Effect.gen(function* () {
      const test = yield* make
      const { fiber } = yield* follow(test)
      yield* TestClock.adjust("1 day")
      assert.isUndefined(fiber.pollUnsafe())
      test.store.answer = (operation) => (operation === "segments" ? "fails" : "succeeds")
      yield* test.want("a")
      yield* settle
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
    })
  )

  it.effect("are read no faster than they are taken, and as soon as there is one", () =>
    Effect.gen(function* () {
      const test = yield* make
      const taken: Array<PhaseEvent> = []
      const now = yield* test.fleet.latestEvent
      yield* Effect.forkChild(
        Stream.runForEach(test.fleet.events(now), (event) =>
          Effect.andThen(
            Effect.sync(() => taken.push(event)),
            Effect.sleep("1 second")
          )
        )
      )
      yield* settle
      yield* Effect.forEach(
        Array.from({ length: 2000 }, (_, index) => `w${index}`),
        (name) => test.want(name),
        { concurrency: "unbounded", discard: true }
      )
      yield* TestClock.adjust("1 second")
      // The pages that were read cover no more than what was taken and one page ahead.
      assert.isAtMost(test.store.count("segments"), 4)
      yield* TestClock.adjust("10 seconds")
      assert.isAtLeast(taken.length, 10)
      assert.isAtMost(taken.length, 13)
    })
  )

  it.effect("the last one of a worker says its phase, whatever it went through", () =>
    Effect.gen(function* () {
      const test = yield* make
      const { events } = yield* follow(test)
      const slow = TestScheduler.delay("1 second")
      const failing = TestScheduler.delay(
        "1 second",
        TestScheduler.fail(new SchedulerUnavailable({ message: "connection refused" }))
      )
      for (const [name, answer] of [
        ["slow", slow],
        ["failing", failing]
      ] as const) {
        yield* test.scheduler.onRegister(name, [answer])
        yield* test.scheduler.onUnregister(name, [slow])
        yield* test.want(name)
        yield* TestClock.adjust("50 millis")
        yield* test.fleet.terminate(WorkerId.make(name))
        for (let i = 0; i < 30; i++) {
          const last = events.findLast(({ workerId }) => workerId === name)
          assert.strictEqual(last?.item.phase, (yield* test.record(name)).phase)
          yield* TestClock.adjust("100 millis")
        }
      }
    })
  )
})
