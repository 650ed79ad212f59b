import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import {
  InvalidWorker,
  MaxRetriesExceeded,
  RegistrationError,
  RegistrationTimeout,
  RegistrationUnavailable,
  Unexpected
} from "./RegistrationError.ts"
import { SchedulerFault, SchedulerRejected, SchedulerUnavailable } from "./SchedulerError.ts"

const context = {
  workerId: "ci-7f3a",
  workerType: "dynamic",
  attempts: 4,
  elapsed: Duration.millis(700)
} as const
const refused = new SchedulerUnavailable({ message: "connection refused", retryAfter: Duration.seconds(2) })

// What adapters throw that is no Error.
const oddCauses: ReadonlyArray<unknown> = [
  { code: 14, details: "connection reset" },
  Object.create(null),
  { toString: () => assert.fail("read") },
  () => 1,
  Symbol("odd"),
  3n,
  NaN,
  undefined,
  new Date(0)
]

const errors: ReadonlyArray<RegistrationError> = [
  new InvalidWorker({
    ...context,
    attempts: 0,
    elapsed: Duration.zero,
    issues: [{ path: "capabilities.cpuCores", rule: "a number above 0", received: "NaN" }]
  }),
  new InvalidWorker({ ...context, attempts: 1, issues: [], code: "quota" }),
  RegistrationUnavailable.for({ ...context, attempts: 1 }, refused),
  new RegistrationTimeout({ ...context, timeout: Duration.seconds(30), lastError: refused }),
  new RegistrationTimeout({ ...context, attempts: 0, workerType: undefined, timeout: Duration.seconds(1) }),
  new MaxRetriesExceeded({ ...context, lastError: refused }),
  new MaxRetriesExceeded({
    ...context,
    lastError: new SchedulerUnavailable({ message: "no answer", timeout: Duration.seconds(30) })
  }),
  new MaxRetriesExceeded({
    ...context,
    lastError: new SchedulerFault({ message: "garbled", retryable: true, cause: new TypeError("x is not y") })
  }),
  new Unexpected({ ...context, retryable: false, cause: new RangeError("boom") }),
  new Unexpected({ ...context, retryable: true, cause: new SchedulerRejected({ message: "odd" }) }),
  new Unexpected({
    ...context,
    retryable: false,
    cause: refused,
    superseded: true
  }),
  ...oddCauses.map((cause) => new Unexpected({ ...context, retryable: false, cause }))
]

const encode = Schema.encodeEffect(RegistrationError)
const decode = Schema.decodeUnknownEffect(RegistrationError)

describe("case 12: RegistrationError", () => {
  it.effect.each(errors.map((error) => [error._tag, error] as const))(
    "%s survives JSON and back, class, fields and message",
    ([, error]) =>
      Effect.gen(function* () {
        const text = JSON.stringify(yield* encode(error))
        const back = yield* decode(JSON.parse(text))
        assert.strictEqual(back.constructor, error.constructor)
        assert.strictEqual(back.message, error.message)
        assert.strictEqual(back.retryable, error.retryable)
        assert.strictEqual(Duration.toMillis(back.elapsed), Duration.toMillis(error.elapsed))
        assert.deepStrictEqual(yield* encode(back), JSON.parse(text))
      })
  )

  it.effect.each(errors.map((error) => [error._tag, error] as const))(
    "%s says which worker, after how many attempts and how long, and what to do",
    ([, error]) =>
      Effect.sync(() => {
        assert.include(error.message, "ci-7f3a")
        if (error.attempts > 0) {
          assert.include(error.message, `after ${error.attempts} attempt`)
          assert.include(error.message, "700ms")
        } else {
          assert.match(error.message, /not sent|0 attempts/)
        }
        assert.match(error.message, /\. (Correct|Check|It may|Trying|Nothing)/)
      })
  )

  it("says times as people do, whatever the clock measured", () => {
    const elapsed = Duration.nanos(1_250_400_123n)
    const timeout = Duration.millis(999.6)
    const { message } = new RegistrationTimeout({ ...context, elapsed, timeout })
    assert.include(message, "within 1s, after 4 attempts in 1s 250ms.")
  })

  it("has durations in JSON that Duration can read", () => {
    const json = Schema.encodeSync(RegistrationError)(
      new RegistrationTimeout({ ...context, timeout: Duration.seconds(30) })
    )
    assert.deepInclude(json, { elapsed: "700 millis", timeout: "30000 millis", retryable: true })
  })

  it("a cause that is no Error is told as JSON, and one that cannot be read does no harm", () => {
    const messageFor = (cause: unknown) => new Unexpected({ ...context, retryable: false, cause }).message
    assert.include(
      messageFor({ code: 14, details: "connection reset" }),
      '{"code":14,"details":"connection reset"}'
    )
    const unreadable = Object.defineProperty(new Error("x"), "message", { get: () => assert.fail("read") })
    assert.include(messageFor(unreadable), "a cause that cannot be read")
  })

  it("SchedulerUnavailable of a registration is the port's, with the worker added", () => {
    const error = RegistrationUnavailable.for({ ...context, attempts: 1 }, refused)
    assert.instanceOf(error, SchedulerUnavailable)
    assert.strictEqual(error._tag, "SchedulerUnavailable")
    assert.include(error.message, "2s")
  })

  it("a superseded call is told apart from what went wrong", () => {
    const isSuperseded = errors.filter((error) => error._tag === "Unexpected" && error.superseded)
    assert.lengthOf(isSuperseded, 1)
    assert.include(isSuperseded[0]?.message, "superseded")
  })
})
