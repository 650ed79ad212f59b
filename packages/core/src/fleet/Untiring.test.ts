import { assert, describe, it } from "@effect/vitest"
import { type StoreOperation, TestFleet } from "@muster/testing"
import { Duration, Effect, Exit, Option, References } from "effect"
import { TestClock } from "effect/testing"
import { WorkerId } from "../WorkerId.ts"

/** Every part of the fleet's work that is done without anybody asking for it, and what it asks the store for. */
const parts: ReadonlyArray<readonly [work: string, operation: StoreOperation]> = [
  ["accepting changes and their outcomes", "modify"],
  ["reading what is due", "due"],
  ["reading those who are", "get"],
  ["finding out when the next will be", "nextDueAt"],
  ["ending leases", "expired"],
  ["looking for what is lost", "scan"],
  ["removing workers", "forget"],
  ["removing history", "forgetHistory"],
  ["counting anew", "overview"]
]

describe("a mistake in the store", () => {
  for (const [work, operation] of parts) {
    it.effect(`ends no part of the work for good: ${work}`, () =>
      Effect.gen(function* () {
        const test = yield* TestFleet.make({
          fleet: {
            checkAfter: Duration.infinity,
            driftInterval: Duration.minutes(1),
            defaultLease: Duration.minutes(1),
            maxTerminated: 0
          }
        })
        yield* test.want("gone")
        yield* test.want("lost", { leaseTtl: Duration.days(1) })
        yield* TestClock.adjust("1 second")
        yield* test.fleet.terminate(WorkerId.make("gone"))
        yield* TestClock.adjust("1 second")

        test.store.answer = (asked) => (asked === operation ? "dies" : "succeeds")
        yield* Effect.exit(test.want("meanwhile"))
        yield* TestClock.adjust("5 minutes")
        yield* test.scheduler.drop("lost")
        test.store.answer = () => "succeeds"
        yield* TestClock.adjust("5 seconds")

        const accepted = yield* Effect.exit(test.want("silent"))
        assert.isTrue(Exit.isSuccess(accepted))
        yield* TestClock.adjust("10 seconds")
        assert.include(yield* test.held, "silent")
        yield* TestClock.adjust("6 minutes")
        assert.deepStrictEqual(yield* test.held, ["lost"])
        assert.isTrue(Option.isNone(yield* test.fleet.get(WorkerId.make("gone"))))
        assert.isTrue(Option.isNone(yield* test.fleet.get(WorkerId.make("silent"))))
        assert.deepStrictEqual(yield* test.gauges, { registered: 1 })
        assert.deepStrictEqual(yield* test.fleet.load, { unfinished: 0, inFlight: 0, known: 1 })
      }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
    )
  }
})
