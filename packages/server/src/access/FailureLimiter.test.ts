import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { FailureLimiter } from "./FailureLimiter.ts"

const failTimes = Effect.fnUntraced(function* (address: string, times: number) {
  const limiter = yield* FailureLimiter
  for (let time = 0; time < times; time++) yield* limiter.failed(address)
})

const retryAfter = (address: string) =>
  FailureLimiter.use((limiter) => limiter.check(address)).pipe(
    Effect.as(0),
    Effect.catch((problem) => Effect.succeed(problem.retryAfter))
  )

describe("FailureLimiter", () => {
  it.effect("refuses an address after 20 failures, and says for how long", () =>
    Effect.gen(function* () {
      yield* failTimes("192.0.2.1", 19)
      assert.strictEqual(yield* retryAfter("192.0.2.1"), 0)
      yield* failTimes("192.0.2.1", 1)
      assert.strictEqual(yield* retryAfter("192.0.2.1"), 3)
      assert.strictEqual(yield* retryAfter("192.0.2.2"), 0)
    }).pipe(Effect.provide(FailureLimiter.layer))
  )

  it.effect("lets it try again after as long as it said, and as often as before after a minute", () =>
    Effect.gen(function* () {
      yield* failTimes("192.0.2.1", 1000)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* retryAfter("192.0.2.1"), 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* retryAfter("192.0.2.1"), 0)
      yield* failTimes("192.0.2.1", 1)
      assert.strictEqual(yield* retryAfter("192.0.2.1"), 3)
      yield* TestClock.adjust("1 minute")
      yield* failTimes("192.0.2.1", 19)
      assert.strictEqual(yield* retryAfter("192.0.2.1"), 0)
    }).pipe(Effect.provide(FailureLimiter.layer))
  )

  it.effect("costs those who succeed nothing", () =>
    Effect.gen(function* () {
      for (let time = 0; time < 1000; time++) assert.strictEqual(yield* retryAfter("192.0.2.1"), 0)
    }).pipe(Effect.provide(FailureLimiter.layer))
  )

  it.effect("takes the addresses of an IPv6 network for one", () =>
    Effect.gen(function* () {
      for (let host = 1; host <= 20; host++) yield* failTimes(`2001:db8::${host}`, 1)
      assert.strictEqual(yield* retryAfter("2001:db8::ffff"), 3)
      assert.strictEqual(yield* retryAfter("2001:db8:0:1::1"), 0)
    }).pipe(Effect.provide(FailureLimiter.layer))
  )
})
