import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Exit, Layer } from "effect"
import { RegistrationConfig, type RegistrationOptions } from "./RegistrationConfig.ts"
import { SchedulerPort } from "./SchedulerPort.ts"
import { WorkerRegistration } from "./WorkerRegistration.ts"

const settings = Effect.gen(function* () {
  return yield* RegistrationConfig
})
const fromEnvironment = (env: Record<string, string>, fallback: RegistrationOptions = {}) =>
  settings.pipe(
    Effect.provide(RegistrationConfig.layerConfigWith(fallback)),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
  )

describe("case 14: RegistrationConfig", () => {
  it.effect("needs nothing to be provided", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* settings, {
        maxRetries: 3,
        baseBackoff: Duration.millis(100),
        maxBackoff: Duration.seconds(10),
        jitter: "none",
        attemptTimeout: Duration.seconds(30),
        deadline: undefined,
        batchConcurrency: 10
      })
    })
  )

  it.effect("layer replaces any subset of the defaults", () =>
    Effect.gen(function* () {
      const { baseBackoff, batchConcurrency, maxRetries } = yield* settings
      assert.strictEqual(maxRetries, 5)
      assert.strictEqual(Duration.toMillis(baseBackoff), 50)
      assert.strictEqual(batchConcurrency, 10)
    }).pipe(Effect.provide(RegistrationConfig.layer({ maxRetries: 5, baseBackoff: "50 millis" })))
  )

  it.effect("reads the environment over the fallback over the defaults", () =>
    Effect.gen(function* () {
      const found = yield* fromEnvironment(
        { MUSTER_MAX_RETRIES: "7", MUSTER_DEADLINE: "1 minute" },
        { jitter: "full", maxRetries: 1 }
      )
      assert.strictEqual(found.maxRetries, 7)
      assert.strictEqual(found.jitter, "full")
      assert.deepStrictEqual(found.deadline, Duration.minutes(1))
      assert.deepStrictEqual(found.attemptTimeout, Duration.seconds(30))
    })
  )

  it.effect.each([
    [{ maxRetries: -1 }, "MUSTER_MAX_RETRIES", "0 or more"],
    [{ maxRetries: 1.5 }, "MUSTER_MAX_RETRIES", "whole number"],
    [{ maxRetries: Infinity }, "MUSTER_MAX_RETRIES", "whole number, 0 or more, but is Infinity"],
    [{ baseBackoff: NaN }, "MUSTER_BASE_BACKOFF", "but is NaN"],
    [{ attemptTimeout: { seconds: NaN } }, "MUSTER_ATTEMPT_TIMEOUT", 'a duration such as "100 millis"'],
    [{ baseBackoff: "-1 seconds" }, "MUSTER_BASE_BACKOFF", "zero or more"],
    [{ baseBackoff: "20 seconds" }, "MUSTER_MAX_BACKOFF", "not under MUSTER_BASE_BACKOFF"],
    [{ maxBackoff: Duration.infinity }, "MUSTER_MAX_BACKOFF", "finite"],
    [{ attemptTimeout: 0 }, "MUSTER_ATTEMPT_TIMEOUT", "above zero"],
    [{ attemptTimeout: Duration.infinity }, "MUSTER_ATTEMPT_TIMEOUT", "finite"],
    [{ deadline: "0 seconds" }, "MUSTER_DEADLINE", "above zero"],
    [{ batchConcurrency: 0 }, "MUSTER_BATCH_CONCURRENCY", "1 or more"]
  ] as ReadonlyArray<[RegistrationOptions, string, string]>)(
    "%j is refused when the layer is built, with %s and the rule",
    ([options, variable, rule]) =>
      Effect.gen(function* () {
        const error = yield* settings.pipe(Effect.provide(RegistrationConfig.layer(options)), Effect.flip)
        assert.include(error.message, variable)
        assert.include(error.message, rule)
      })
  )

  it.effect.each([
    ["MUSTER_MAX_RETRIES", "many", 'must be a whole number, 0 or more, but is "many"'],
    ["MUSTER_MAX_RETRIES", "1.5", "must be a whole number, 0 or more, but is 1.5"],
    ["MUSTER_MAX_RETRIES", "-1", "must be a whole number, 0 or more, but is -1"],
    ["MUSTER_BASE_BACKOFF", "20 parsecs", 'must be a duration such as "100 millis", but is "20 parsecs"'],
    ["MUSTER_MAX_BACKOFF", "1 millis", "not under MUSTER_BASE_BACKOFF (baseBackoff), but is 1ms"],
    ["MUSTER_JITTER", "some", 'must be "none", "equal" or "full", but is "some"'],
    ["MUSTER_ATTEMPT_TIMEOUT", "0 millis", "must be a finite duration above zero, but is 0"],
    ["MUSTER_DEADLINE", "-1 seconds", "must be a finite duration above zero, or left out, but is -1s"],
    ["MUSTER_BATCH_CONCURRENCY", "0", "must be a whole number, 1 or more, but is 0"]
  ] as const)("%s=%s is refused with its name and the rule", ([variable, value, rule]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(fromEnvironment({ [variable]: value }))
      assert.strictEqual(error._tag, "InvalidRegistrationConfig")
      assert.include(error.message, variable)
      assert.include(error.message, rule)
    })
  )

  it.effect("a variable that is empty is not set", () =>
    Effect.gen(function* () {
      const found = yield* fromEnvironment({ MUSTER_MAX_RETRIES: "", MUSTER_DEADLINE: "" }, { maxRetries: 1 })
      assert.strictEqual(found.maxRetries, 1)
      assert.isUndefined(found.deadline)
    })
  )

  it.effect("nonsense that goes around the layers is a defect of WorkerRegistration.layer", () =>
    Effect.gen(function* () {
      const port = SchedulerPort.make({ register: () => Effect.void, unregister: () => Effect.void })
      const exit = yield* Layer.build(WorkerRegistration.layer).pipe(
        Effect.provideService(SchedulerPort, port),
        Effect.provideService(RegistrationConfig, { ...(yield* settings), batchConcurrency: 0 }),
        Effect.scoped,
        Effect.exit
      )
      assert.isTrue(Exit.hasDies(exit))
      assert.include(String(exit), "MUSTER_BATCH_CONCURRENCY")
    })
  )
})
