import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Clock, Duration, Effect, Fiber, Layer, Metric, Random } from "effect"
import { TestClock } from "effect/testing"
import { RegistrationConfig, type RegistrationOptions } from "./RegistrationConfig.ts"
import type { RegistrationError } from "./RegistrationError.ts"
import { SchedulerFault, SchedulerRejected, SchedulerUnavailable } from "./SchedulerError.ts"
import { SchedulerPort } from "./SchedulerPort.ts"
import { Worker, WorkerCapabilities, WorkerId } from "./Worker.ts"
import { type Receipt, WorkerRegistration } from "./WorkerRegistration.ts"

const { always, delay, die, fail, hang, succeed, throws } = TestScheduler

const ci1 = new Worker({
  id: WorkerId.make("ci-1"),
  capabilities: new WorkerCapabilities({ cpuCores: 8, memoryMb: 16384 })
})
const refused = new SchedulerUnavailable({ message: "connection refused" })

const configured = (options: RegistrationOptions) =>
  WorkerRegistration.layer.pipe(
    Layer.provide(RegistrationConfig.layer(options)),
    Layer.provideMerge(TestScheduler.layer)
  )

/** Registers ci-1 and lets an hour pass, in which it must end. */
const register = Effect.gen(function* () {
  const registration = yield* WorkerRegistration
  return yield* inAnHour(registration.register(ci1))
})

const inAnHour = Effect.fnUntraced(function* (call: Effect.Effect<Receipt, RegistrationError>) {
  const fiber = yield* Effect.forkChild(call)
  yield* TestClock.adjust("1 hour")
  assert.isDefined(fiber.pollUnsafe(), "still running after an hour")
  return yield* Fiber.join(fiber)
})

/** When the attempts began, in virtual milliseconds. */
const attemptTimes = Effect.gen(function* () {
  const scheduler = yield* TestScheduler
  return (yield* scheduler.callsOf("ci-1")).map((call) => call.startedAt)
})

const registers = (script: Parameters<TestScheduler["Service"]["onRegister"]>[1]) =>
  Effect.flatMap(TestScheduler, (scheduler) => scheduler.onRegister("ci-1", script))

describe("case 1: the scheduler is always unavailable", () => {
  it.effect("makes exactly 4 attempts, at 0, 100, 300 and 700 ms, then MaxRetriesExceeded", () =>
    Effect.gen(function* () {
      yield* registers([always(fail(refused))])
      const error = yield* Effect.flip(register)
      assert.deepStrictEqual(yield* attemptTimes, [0, 100, 300, 700])
      assert(error._tag === "MaxRetriesExceeded")
      assert.strictEqual(error.attempts, 4)
      assert.strictEqual(Duration.toMillis(error.elapsed), 700)
      assert.deepStrictEqual(error.lastError, refused)
      assert.isTrue(error.retryable)
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("waits min(base · 2ⁿ, maxBackoff) before retry n, without overflow however large n is", () =>
    Effect.gen(function* () {
      yield* registers([always(fail(refused))])
      const error = yield* Effect.flip(register)
      const times = yield* attemptTimes
      const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0))
      assert.lengthOf(waits, 3000)
      assert.deepStrictEqual(waits.slice(0, 5), [100, 200, 400, 800, 1000])
      assert.isTrue(waits.slice(4).every((wait) => wait === 1000))
      assert.strictEqual(error.attempts, 3001)
    }).pipe(Effect.provide(configured({ maxRetries: 3000, maxBackoff: "1 second" })))
  )

  it.effect("with a base of zero never waits", () =>
    Effect.gen(function* () {
      yield* registers([always(fail(refused))])
      const registration = yield* WorkerRegistration
      yield* Effect.flip(registration.register(ci1))
      assert.deepStrictEqual(yield* attemptTimes, new Array(2001).fill(0))
    }).pipe(Effect.provide(configured({ maxRetries: 2000, baseBackoff: 0, maxBackoff: 0 })))
  )

  const waitsWith = (random: number) =>
    Effect.gen(function* () {
      yield* registers([always(fail(refused))])
      yield* Effect.flip(register)
      return yield* attemptTimes
    }).pipe(
      Effect.provideService(Random.Random, {
        nextDoubleUnsafe: () => random,
        nextIntUnsafe: () => assert.fail("a whole number was drawn")
      })
    )

  it.effect.each([
    ["full", 0, [0, 0, 0, 0]],
    ["full", 0.5, [0, 50, 150, 350]],
    ["full", 1, [0, 100, 300, 700]],
    ["equal", 0, [0, 50, 150, 350]],
    ["equal", 1, [0, 100, 300, 700]],
    ["none", 0.5, [0, 100, 300, 700]]
  ] as const)("%s jitter with a draw of %d gives the attempts at %j", ([jitter, draw, expected]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* waitsWith(draw), [...expected])
    }).pipe(Effect.provide(configured({ jitter })))
  )

  it.effect("jitter comes from Random, so that a seed repeats it and two seeds differ", () =>
    Effect.gen(function* () {
      const withSeed = (seed: string) =>
        Effect.gen(function* () {
          yield* registers([always(fail(refused))])
          yield* Effect.flip(register)
          return yield* attemptTimes
        }).pipe(
          Effect.provide(Layer.fresh(configured({ jitter: "full" }))),
          Effect.provide(TestClock.layer()),
          Random.withSeed(seed)
        )
      const first = yield* withSeed("a")
      assert.deepStrictEqual(yield* withSeed("a"), first)
      assert.notDeepEqual(yield* withSeed("b"), first)
    })
  )
})

describe("case 2: the scheduler fails twice, then succeeds", () => {
  it.effect("succeeds with 3 attempts: one operation, one duration of 300 ms, one retry count of 2", () =>
    Effect.gen(function* () {
      yield* registers([fail(refused), fail(refused), succeed])
      const receipt = yield* register
      assert.deepStrictEqual(
        { ...receipt, duration: Duration.toMillis(receipt.duration) },
        { workerId: ci1.id, attempts: 3, duration: 300 }
      )
      const byName = new Map((yield* Metric.snapshot).map((metric) => [metric.id, metric]))
      assert.deepInclude(byName.get("worker_registration_operations_total")?.state, { count: 1 })
      assert.deepInclude(byName.get("worker_registration_duration_seconds")?.state, { count: 1, sum: 0.3 })
      assert.deepInclude(byName.get("worker_registration_retry_count")?.state, { count: 1, sum: 2 })
    }).pipe(Effect.provide(configured({})), Effect.provideService(Metric.MetricRegistry, new Map()))
  )

  it.effect("sends the same generation with every attempt of one call, and a greater one with the next", () =>
    Effect.gen(function* () {
      yield* registers([fail(refused), succeed])
      yield* register
      yield* register
      const scheduler = yield* TestScheduler
      const [first, second, third] = (yield* scheduler.calls).map((call) => call.generation)
      assert(first !== undefined && third !== undefined)
      assert.strictEqual(second, first)
      assert.isAbove(third, first)
      assert.isTrue(Number.isSafeInteger(third))
    }).pipe(Effect.provide(configured({})))
  )
})

describe("case 3: the worker is wrong", () => {
  it.effect("rejected by the scheduler: one attempt, InvalidWorker, never retried", () =>
    Effect.gen(function* () {
      yield* registers([
        always(fail(new SchedulerRejected({ message: "unknown partition", code: "partition" })))
      ])
      const error = yield* Effect.flip(register)
      assert(error._tag === "InvalidWorker")
      assert.deepStrictEqual(yield* attemptTimes, [0])
      assert.strictEqual(error.attempts, 1)
      assert.strictEqual(error.code, "partition")
      assert.include(error.issues[0]?.received, "unknown partition")
      assert.isFalse(error.retryable)
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("rejected on a later attempt: no further one", () =>
    Effect.gen(function* () {
      yield* registers([fail(refused), fail(new SchedulerRejected({ message: "no" })), succeed])
      const error = yield* Effect.flip(register)
      assert.strictEqual(error._tag, "InvalidWorker")
      assert.strictEqual(error.attempts, 2)
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("invalid data: no attempt at all", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const error = yield* Worker.decode({ id: "ci-1" }).pipe(
        Effect.flatMap(registration.register),
        Effect.flip
      )
      assert.strictEqual(error._tag, "InvalidWorker")
      assert.strictEqual(error.attempts, 0)
      assert.deepStrictEqual(yield* attemptTimes, [])
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("refused as an older generation: superseded, which is nobody's failure", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      yield* scheduler.hold(ci1, Number.MAX_SAFE_INTEGER)
      const error = yield* Effect.flip(register)
      assert(error._tag === "Unexpected")
      assert.isTrue(error.superseded)
      assert.isFalse(error.retryable)
      assert.strictEqual(error.attempts, 1)
    }).pipe(Effect.provide(configured({})))
  )
})

describe("case 4: the scheduler hangs", () => {
  it.effect("each attempt ends at 30 s, is interrupted, and is retried", () =>
    Effect.gen(function* () {
      yield* registers([hang, hang, succeed])
      const { attempts } = yield* register
      const scheduler = yield* TestScheduler
      const calls = yield* scheduler.callsOf("ci-1")
      assert.strictEqual(attempts, 3)
      assert.deepStrictEqual(
        calls.map(({ endedAt, outcome, startedAt }) => ({ startedAt, endedAt, outcome })),
        [
          { startedAt: 0, endedAt: 30_000, outcome: "interrupted" },
          { startedAt: 30_100, endedAt: 60_100, outcome: "interrupted" },
          { startedAt: 60_300, endedAt: 60_300, outcome: "succeeded" }
        ]
      )
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("for ever: MaxRetriesExceeded, whose last error is the time-out", () =>
    Effect.gen(function* () {
      yield* registers([always(hang)])
      const error = yield* Effect.flip(register)
      assert(error._tag === "MaxRetriesExceeded" && error.lastError._tag === "SchedulerUnavailable")
      assert.deepStrictEqual(error.lastError.timeout, Duration.seconds(30))
      assert.strictEqual(Duration.toMillis(error.elapsed), 120_700)
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("with maxRetries 0: RegistrationTimeout with the partial context", () =>
    Effect.gen(function* () {
      yield* registers([always(hang)])
      const error = yield* Effect.flip(register)
      assert(error._tag === "RegistrationTimeout")
      assert.strictEqual(error.attempts, 1)
      assert.deepStrictEqual(error.timeout, Duration.seconds(30))
      assert.strictEqual(error.lastError?._tag, "SchedulerUnavailable")
      assert.strictEqual(error.workerType, "dynamic")
      assert.isTrue(error.retryable)
    }).pipe(Effect.provide(configured({ maxRetries: 0 })))
  )

  it.effect("an attempt that resists interruption holds up neither the time-out nor the deadline", () =>
    Effect.gen(function* () {
      yield* registers([always(hang)])
      const scheduler = yield* TestScheduler
      const stubborn = { ...scheduler.port, register: () => Effect.uninterruptible(Effect.never) }
      const registration = yield* WorkerRegistration.pipe(
        Effect.provide(Layer.fresh(WorkerRegistration.layer)),
        Effect.provide(RegistrationConfig.layer({ deadline: "45 seconds" })),
        Effect.provideService(SchedulerPort, stubborn)
      )
      const error = yield* Effect.flip(inAnHour(registration.register(ci1)))
      assert.strictEqual(error._tag, "RegistrationTimeout")
      assert.strictEqual(error.attempts, 2)
      assert.strictEqual(Duration.toMillis(error.elapsed), 45_000)
    }).pipe(Effect.provide(TestScheduler.layer))
  )

  describe("with a deadline", () => {
    it.effect("ends at the deadline in the middle of an attempt, and interrupts it", () =>
      Effect.gen(function* () {
        yield* registers([always(hang)])
        const error = yield* Effect.flip(register)
        const scheduler = yield* TestScheduler
        const calls = yield* scheduler.calls
        assert(error._tag === "RegistrationTimeout")
        assert.deepStrictEqual(error.timeout, Duration.seconds(40))
        assert.strictEqual(Duration.toMillis(error.elapsed), 40_000)
        assert.deepStrictEqual(
          calls.map(({ endedAt, outcome }) => ({ endedAt, outcome })),
          [
            { endedAt: 30_000, outcome: "interrupted" },
            { endedAt: 40_000, outcome: "interrupted" }
          ]
        )
      }).pipe(Effect.provide(configured({ deadline: "40 seconds" })))
    )

    it.effect("that cuts the last attempt short it is a time-out, not an exhaustion", () =>
      Effect.gen(function* () {
        yield* registers([always(hang)])
        const error = yield* Effect.flip(register)
        assert.strictEqual(error._tag, "RegistrationTimeout")
        assert.strictEqual(error.attempts, 2)
      }).pipe(Effect.provide(configured({ maxRetries: 1, deadline: "40 seconds" })))
    )

    it.effect("does not begin a wait that could not end in time", () =>
      Effect.gen(function* () {
        yield* registers([always(fail(refused))])
        const error = yield* Effect.flip(register)
        assert(error._tag === "RegistrationTimeout")
        assert.deepStrictEqual(yield* attemptTimes, [0, 100, 300])
        assert.strictEqual(Duration.toMillis(error.elapsed), 300)
        assert.strictEqual(error.attempts, 3)
        assert.deepStrictEqual(error.lastError, refused)
      }).pipe(Effect.provide(configured({ deadline: "700 millis" })))
    )

    it.effect("does not begin the wait that a retryAfter beyond it asks for", () =>
      Effect.gen(function* () {
        const later = new SchedulerUnavailable({ message: "overloaded", retryAfter: Duration.minutes(5) })
        yield* registers([always(fail(later))])
        const error = yield* Effect.flip(register)
        assert.strictEqual(error._tag, "RegistrationTimeout")
        assert.strictEqual(Duration.toMillis(error.elapsed), 0)
      }).pipe(Effect.provide(configured({ deadline: "1 minute" })))
    )

    it.effect("makes no attempt after a wait that ended late, as on a busy machine", () =>
      Effect.gen(function* () {
        yield* registers([always(fail(refused))])
        const clock = yield* Clock.Clock
        const late: Clock.Clock = Object.create(clock, {
          sleep: { value: (wait: Duration.Duration) => clock.sleep(Duration.sum(wait, Duration.millis(400))) }
        })
        const error = yield* Effect.flip(Effect.provideService(register, Clock.Clock, late))
        assert.strictEqual(error._tag, "RegistrationTimeout")
        assert.deepStrictEqual(yield* attemptTimes, [0])
      }).pipe(Effect.provide(configured({ deadline: "300 millis" })))
    )

    it.effect("ends at the deadline while an earlier call for the same worker is still running", () =>
      Effect.gen(function* () {
        yield* registers([always(hang)])
        const registration = yield* WorkerRegistration
        yield* Effect.forkChild(registration.register(ci1))
        yield* Effect.yieldNow
        const waiting = yield* Effect.forkChild(Effect.flip(registration.register(ci1)))
        yield* TestClock.adjust("20 seconds")
        const error = yield* Fiber.join(waiting)
        assert.strictEqual(error._tag, "RegistrationTimeout")
        assert.strictEqual(error.attempts, 0)
        assert.deepStrictEqual(yield* attemptTimes, [0])
      }).pipe(Effect.provide(configured({ deadline: "20 seconds" })))
    )

    it.effect("an exhausted registration is not called a time-out", () =>
      Effect.gen(function* () {
        yield* registers([always(fail(refused))])
        assert.strictEqual((yield* Effect.flip(register))._tag, "MaxRetriesExceeded")
      }).pipe(Effect.provide(configured({ deadline: "701 millis" })))
    )
  })
})

describe("case 5: the scheduler says when to come back", () => {
  const overloaded = (retryAfter: Duration.Input) =>
    fail(
      new SchedulerUnavailable({ message: "overloaded", retryAfter: Duration.fromInputUnsafe(retryAfter) })
    )

  it.effect(
    "a retryAfter longer than the backoff is obeyed, also beyond maxBackoff; a shorter one is not",
    () =>
      Effect.gen(function* () {
        yield* registers([overloaded("1 minute"), overloaded("1 milli"), succeed])
        yield* register
        assert.deepStrictEqual(yield* attemptTimes, [0, 60_000, 60_200])
      }).pipe(Effect.provide(configured({})))
  )

  it.effect("one that never ends is not obeyed", () =>
    Effect.gen(function* () {
      yield* registers([overloaded(Duration.infinity), succeed])
      yield* register
      assert.deepStrictEqual(yield* attemptTimes, [0, 100])
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("jitter does not shorten it", () =>
    Effect.gen(function* () {
      yield* registers([overloaded("1 minute"), succeed])
      yield* register
      assert.deepStrictEqual(yield* attemptTimes, [0, 60_000])
    }).pipe(Effect.provide(configured({ jitter: "full" })))
  )

  it.effect("with maxRetries 0 it is passed on: SchedulerUnavailable with retryAfter", () =>
    Effect.gen(function* () {
      yield* registers([overloaded("1 minute")])
      const error = yield* Effect.flip(register)
      assert(error._tag === "SchedulerUnavailable")
      assert.deepStrictEqual(error.retryAfter, Duration.minutes(1))
      assert.strictEqual(error.attempts, 1)
      assert.isTrue(error.retryable)
    }).pipe(Effect.provide(configured({ maxRetries: 0 })))
  )
})

describe("case 6: the port has a bug", () => {
  it.effect.each([
    ["dies", die(new TypeError("x is undefined"))],
    ["throws before there is an Effect", throws(new TypeError("x is undefined"))],
    ["dies after a while", delay("1 second", die(new TypeError("x is undefined")))]
  ] as const)("a port that %s: Unexpected, not retryable, one attempt", ([, answer]) =>
    Effect.gen(function* () {
      yield* registers([answer])
      const error = yield* Effect.flip(register)
      assert(error._tag === "Unexpected")
      assert.isFalse(error.retryable)
      assert.isFalse(error.superseded)
      assert.strictEqual(error.attempts, 1)
      assert.instanceOf(error.cause, TypeError)
      assert.include(error.message, "x is undefined")
    }).pipe(Effect.provide(configured({})))
  )

  it.effect.each([
    ["an object without a prototype", Object.create(null)],
    ["an object whose toString throws", { toString: () => assert.fail("read") }],
    ["a proxy that cannot be read", new Proxy({}, { getPrototypeOf: () => assert.fail("read") })],
    [
      "an error whose message throws",
      Object.defineProperty(new Error(), "message", { get: () => assert.fail() })
    ],
    ["nothing", undefined]
  ] as const)("a port that dies with %s does not take the caller along", ([, defect]) =>
    Effect.gen(function* () {
      yield* registers([die(defect)])
      const error = yield* Effect.flip(register)
      assert.strictEqual(error._tag, "Unexpected")
      assert.include(error.message, "unexpected failure after 1 attempt")
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("the other members of the batch and the caller's fiber are untouched", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      yield* registers([die("boom")])
      const other = new Worker({ id: WorkerId.make("ci-2"), capabilities: ci1.capabilities })
      const results = yield* registration.registerBatch([other, ci1, other])
      assert.deepStrictEqual(
        results.map((result) => result._tag),
        ["Success", "Failure", "Success"]
      )
    }).pipe(Effect.provide(configured({})))
  )

  it.effect.each([
    ["interrupts itself", Effect.interrupt],
    ["interrupts itself later", Effect.andThen(Effect.sleep("1 second"), Effect.interrupt)]
  ] as const)("a port that %s does not interrupt the caller", ([, answer]) =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration.pipe(
        Effect.provide(Layer.fresh(WorkerRegistration.layer)),
        Effect.provideService(
          SchedulerPort,
          SchedulerPort.make({ register: () => answer, unregister: () => Effect.void })
        )
      )
      const error = yield* Effect.flip(inAnHour(registration.register(ci1)))
      assert.strictEqual(error._tag, "Unexpected")
      assert.isFalse(error.retryable)
    })
  )

  it.effect("a fault that says it can be retried is retried, and exhausts as MaxRetriesExceeded", () =>
    Effect.gen(function* () {
      yield* registers([always(fail(new SchedulerFault({ message: "garbled", retryable: true })))])
      const error = yield* Effect.flip(register)
      assert.strictEqual(error._tag, "MaxRetriesExceeded")
      assert.strictEqual(error.attempts, 4)
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("a fault that says it cannot is Unexpected at once", () =>
    Effect.gen(function* () {
      yield* registers([fail(refused), fail(new SchedulerFault({ message: "garbled", retryable: false }))])
      const error = yield* Effect.flip(register)
      assert.strictEqual(error._tag, "Unexpected")
      assert.strictEqual(error.attempts, 2)
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("with maxRetries 0, Unexpected keeps what the fault said", () =>
    Effect.gen(function* () {
      yield* registers([fail(new SchedulerFault({ message: "garbled", retryable: true }))])
      const error = yield* Effect.flip(register)
      assert.strictEqual(error._tag, "Unexpected")
      assert.isTrue(error.retryable)
    }).pipe(Effect.provide(configured({ maxRetries: 0 })))
  )
})
