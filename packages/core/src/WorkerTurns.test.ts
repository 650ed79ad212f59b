import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { WorkerId } from "./WorkerId.ts"
import { WorkerTurns } from "./WorkerTurns.ts"

const a = WorkerId.make("a")
const b = WorkerId.make("b")

describe("WorkerTurns", () => {
  it.effect("runs the calls for one worker in the order in which they were made, one at a time", () =>
    Effect.gen(function* () {
      const turns = new WorkerTurns()
      const log: Array<string> = []
      const call = (name: string) => {
        const turn = turns.take(a, "register")
        return turns.begin(turn).pipe(
          Effect.andThen(Effect.sync(() => log.push(`${name} begins`))),
          Effect.andThen(Effect.sleep("1 second")),
          Effect.andThen(
            Effect.sync(() => {
              log.push(`${name} ends`)
              turns.end(turn)
            })
          )
        )
      }
      const calls = [call("1"), call("2"), call("3")].toReversed()
      const fiber = yield* Effect.forkChild(Effect.all(calls, { concurrency: "unbounded" }))
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(log, ["1 begins", "1 ends", "2 begins", "2 ends", "3 begins", "3 ends"])
      assert.strictEqual(turns.size, 0)
    })
  )

  it.effect("lets different workers run side by side", () =>
    Effect.gen(function* () {
      const turns = new WorkerTurns()
      yield* turns.begin(turns.take(a, "register"))
      yield* turns.begin(turns.take(b, "register"))
      assert.strictEqual(turns.size, 2)
    })
  )

  it.effect("a turn given up in the middle of the line closes the gap", () =>
    Effect.gen(function* () {
      const turns = new WorkerTurns()
      const [first, second, third] = [1, 2, 3].map(() => turns.take(a, "register"))
      if (!first || !second || !third) return assert.fail("three turns")
      yield* turns.begin(first)
      const waiting = yield* Effect.forkChild(turns.begin(third))
      turns.end(second)
      turns.end(second)
      turns.end(first)
      yield* Fiber.join(waiting)
      turns.end(third)
      assert.strictEqual(turns.size, 0)
    })
  )

  it.effect("an unregistration ends a pause before it, and a registration that has not begun", () =>
    Effect.gen(function* () {
      const turns = new WorkerTurns()
      const pausing = turns.take(a, "register")
      yield* turns.begin(pausing)
      const pause = yield* Effect.forkChild(Effect.exit(turns.pause(pausing, Duration.hours(1))))
      const notBegun = turns.take(a, "register")
      yield* Effect.yieldNow

      const unregistration = turns.take(a, "unregister")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(pause)))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(turns.begin(notBegun))))
      turns.end(pausing)
      yield* turns.begin(unregistration)
    })
  )

  it.effect("an unregistration in the moment in which a pause is over ends the registration as well", () =>
    Effect.gen(function* () {
      const turns = new WorkerTurns()
      const pausing = turns.take(a, "register")
      yield* turns.begin(pausing)
      let wakeUp = () => {}
      const clock: Clock.Clock = Object.create(yield* Clock.Clock, {
        sleep: {
          value: () =>
            Effect.callback<void>((resume) => {
              wakeUp = () => resume(Effect.void)
            })
        }
      })
      const pause = yield* turns
        .pause(pausing, Duration.seconds(1))
        .pipe(Effect.exit, Effect.provideService(Clock.Clock, clock), Effect.forkChild)
      yield* Effect.yieldNow

      turns.take(a, "unregister")
      wakeUp()
      assert.isTrue(Exit.isFailure(yield* Fiber.join(pause)))
    })
  )

  it.effect("an unregistration leaves alone what was called after it", () =>
    Effect.gen(function* () {
      const turns = new WorkerTurns()
      const unregistration = turns.take(a, "unregister")
      const later = turns.take(a, "register")
      yield* turns.begin(unregistration)
      turns.end(unregistration)
      yield* turns.begin(later)
      assert.isFalse(later.superseded)
    })
  )

  it.effect("a hundred thousand calls for one worker end one after another without a deep stack", () =>
    Effect.gen(function* () {
      const turns = new WorkerTurns()
      let ended = 0
      const calls = Array.from({ length: 100_000 }, (_, index) =>
        turns.take(a, index % 2 === 0 ? "register" : "unregister")
      ).map((turn) =>
        Effect.exit(turns.begin(turn)).pipe(
          Effect.andThen(
            Effect.sync(() => {
              ended++
              turns.end(turn)
            })
          )
        )
      )
      yield* Effect.all(calls, { concurrency: "unbounded", discard: true })
      assert.strictEqual(ended, 100_000)
      assert.strictEqual(turns.size, 0)
    })
  )
})
