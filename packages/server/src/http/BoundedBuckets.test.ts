import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { boundedBuckets } from "./BoundedBuckets.ts"

const three = RateLimiter.layer.pipe(Layer.provide(boundedBuckets(3)))

/** What is left to a client that has 10 at most, and one more each second, after taking some. */
const left = (key: string, tokens = 1, onExceeded: "fail" | "delay" = "fail") =>
  RateLimiter.RateLimiter.use((limiter) =>
    limiter.consume({ algorithm: "token-bucket", window: "10 seconds", limit: 10, key, tokens, onExceeded })
  ).pipe(Effect.map(({ delay, remaining }) => ({ left: remaining, wait: Duration.toSeconds(delay) })))

const refusedFor = (key: string, tokens = 1) =>
  Effect.flip(left(key, tokens)).pipe(
    Effect.map(({ reason }) =>
      reason._tag === "RateLimitExceeded" ? Duration.toSeconds(reason.retryAfter) : undefined
    )
  )

describe("boundedBuckets", () => {
  it.effect("gives back what was taken, one at a time", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* left("a", 10)).left, 0)
      assert.strictEqual(yield* refusedFor("a"), 1)
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(yield* refusedFor("a"), 0.5)
      assert.strictEqual(yield* refusedFor("a", 3), 2.5)
      yield* TestClock.adjust("500 millis")
      assert.strictEqual((yield* left("a")).left, 0)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* left("a")).left, 9)
    }).pipe(Effect.provide(three))
  )

  it.effect("lends what is waited for, and is paid back", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* left("a", 14, "delay"), { left: -4, wait: 4 })
      assert.deepStrictEqual(yield* left("a", 1, "delay"), { left: -5, wait: 5 })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* refusedFor("a"), 1)
    }).pipe(Effect.provide(three))
  )

  it.effect("does not lose or win anything to a clock that goes on in fractions", () =>
    Effect.gen(function* () {
      yield* left("a", 10)
      for (let step = 0; step < 40; step++) {
        yield* TestClock.adjust("250 millis")
        yield* left("a", 0)
      }
      assert.strictEqual((yield* left("a", 0)).left, 10)
    }).pipe(Effect.provide(three))
  )

  it.effect("forgets whoever was away for the longest where there are too many", () =>
    Effect.gen(function* () {
      for (const key of ["a", "b", "c"]) yield* left(key, 5)
      yield* left("a")
      assert.strictEqual((yield* left("d")).left, 9)
      assert.strictEqual((yield* left("a", 0)).left, 4)
      assert.strictEqual((yield* left("c", 0)).left, 5)
      assert.strictEqual((yield* left("b", 0)).left, 10)
    }).pipe(Effect.provide(three))
  )
})
