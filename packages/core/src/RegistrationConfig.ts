/**
 * How hard registration tries. A `Context.Reference`: whoever provides nothing gets the defaults.
 */
import { Config, Context, Duration, Effect, Formatter, Layer, Option, Schema } from "effect"

/** `none`: the computed wait. `equal`: between its half and all of it. `full`: between zero and all of it. */
export type Jitter = "none" | "equal" | "full"

export interface RegistrationSettings {
  /** Retries after the first attempt; an integer ≥ 0. */
  readonly maxRetries: number
  /** The wait before the first retry; it doubles with each further one. */
  readonly baseBackoff: Duration.Duration
  /** The longest wait that backoff alone asks for; a scheduler's `retryAfter` may ask for more. */
  readonly maxBackoff: Duration.Duration
  readonly jitter: Jitter
  /** The longest that one attempt may take. */
  readonly attemptTimeout: Duration.Duration
  /** The longest that all attempts and waits of one call may take; `undefined`: no such limit. */
  readonly deadline: Duration.Duration | undefined
  /** Members of one batch or stream in flight at the same time; an integer ≥ 1. */
  readonly batchConcurrency: number
}

/** Any subset of the fields; durations as `Duration` takes them (`"50 millis"`). */
export interface RegistrationOptions {
  readonly maxRetries?: number | undefined
  readonly baseBackoff?: Duration.Input | undefined
  readonly maxBackoff?: Duration.Input | undefined
  readonly jitter?: Jitter | undefined
  readonly attemptTimeout?: Duration.Input | undefined
  readonly deadline?: Duration.Input | undefined
  readonly batchConcurrency?: number | undefined
}

const defaults: RegistrationSettings = {
  maxRetries: 3,
  baseBackoff: Duration.millis(100),
  maxBackoff: Duration.seconds(10),
  jitter: "none",
  attemptTimeout: Duration.seconds(30),
  deadline: undefined,
  batchConcurrency: 10
}

/** A configuration that makes no sense. Each problem names the variable, the rule and what was found. */
export class InvalidRegistrationConfig extends Schema.TaggedError<InvalidRegistrationConfig>(
  "@muster/core/InvalidRegistrationConfig"
)("InvalidRegistrationConfig", { problems: Schema.Array(Schema.String) }) {
  override get message() {
    return `The registration configuration is refused: ${this.problems.join("; ")}`
  }
}

const variables = {
  maxRetries: "MUSTER_MAX_RETRIES",
  baseBackoff: "MUSTER_BASE_BACKOFF",
  maxBackoff: "MUSTER_MAX_BACKOFF",
  jitter: "MUSTER_JITTER",
  attemptTimeout: "MUSTER_ATTEMPT_TIMEOUT",
  deadline: "MUSTER_DEADLINE",
  batchConcurrency: "MUSTER_BATCH_CONCURRENCY"
} as const satisfies { readonly [Field in keyof RegistrationSettings]: string }

const environment = Effect.gen(function* () {
  const read = Effect.fnUntraced(function* <A>(config: Config.Config<A>) {
    return Option.getOrUndefined(yield* Config.option(config))
  })
  const found: RegistrationOptions = {
    maxRetries: yield* read(Config.Int(variables.maxRetries)),
    baseBackoff: yield* read(Config.Duration(variables.baseBackoff)),
    maxBackoff: yield* read(Config.Duration(variables.maxBackoff)),
    jitter: yield* read(Config.Literals(["none", "equal", "full"], variables.jitter)),
    attemptTimeout: yield* read(Config.Duration(variables.attemptTimeout)),
    deadline: yield* read(Config.Duration(variables.deadline)),
    batchConcurrency: yield* read(Config.Int(variables.batchConcurrency))
  }
  return found
})

/**
 * The configuration of registration.
 *
 * @example
 * ```ts
 * import { Layer } from "effect"
 * import { RegistrationConfig, WorkerRegistration } from "@muster/core"
 *
 * const registration = WorkerRegistration.layer.pipe(
 *   Layer.provide(RegistrationConfig.layer({ maxRetries: 5, baseBackoff: "50 millis" }))
 * )
 * ```
 */
export class RegistrationConfig extends Context.Reference<RegistrationSettings>(
  "@muster/core/RegistrationConfig",
  { defaultValue: () => defaults }
) {
  /** The defaults with some fields replaced. Building it fails when the result makes no sense. */
  static readonly layer = (options: RegistrationOptions): Layer.Layer<never, InvalidRegistrationConfig> =>
    Layer.effect(RegistrationConfig, resolve(options))

  /**
   * The environment over `fallback` over the defaults: `MUSTER_MAX_RETRIES`, `MUSTER_BASE_BACKOFF`,
   * `MUSTER_MAX_BACKOFF`, `MUSTER_JITTER`, `MUSTER_ATTEMPT_TIMEOUT`, `MUSTER_DEADLINE` and
   * `MUSTER_BATCH_CONCURRENCY`, through the current `ConfigProvider`.
   */
  static readonly layerConfigWith = (
    fallback: RegistrationOptions
  ): Layer.Layer<never, InvalidRegistrationConfig | Config.ConfigError> =>
    Layer.effect(
      RegistrationConfig,
      Effect.flatMap(environment, (found) => resolve(found, fallback))
    )

  /** {@link RegistrationConfig.layerConfigWith} with the library's defaults. */
  static readonly layerConfig = RegistrationConfig.layerConfigWith({})

  /** What is wrong with a configuration, in words; empty when nothing is. */
  static readonly problems = (settings: RegistrationSettings): ReadonlyArray<string> =>
    rules.flatMap(({ broken, field, rule }) =>
      broken(settings) ? [problem(field, rule, settings[field])] : []
    )
}

type Field = keyof typeof variables

const problem = (field: Field, rule: string, found: unknown) =>
  `${variables[field]} (${field}) must be ${rule}, but is ${Duration.isDuration(found) ? Duration.format(found) : Formatter.format(found)}`

const isDurationFrom = (minimum: Duration.Duration) => (duration: Duration.Duration) =>
  Duration.isFinite(duration) && Duration.isGreaterThanOrEqualTo(duration, minimum)
const isPositive = isDurationFrom(Duration.nanos(1n))
const isNotNegative = isDurationFrom(Duration.zero)

const rules: ReadonlyArray<{
  readonly field: Field
  readonly rule: string
  readonly broken: (settings: RegistrationSettings) => boolean
}> = [
  {
    field: "maxRetries",
    rule: "a whole number, 0 or more",
    broken: ({ maxRetries }) => !Number.isSafeInteger(maxRetries) || maxRetries < 0
  },
  {
    field: "baseBackoff",
    rule: "a finite duration, zero or more",
    broken: ({ baseBackoff }) => !isNotNegative(baseBackoff)
  },
  {
    field: "maxBackoff",
    rule: "a finite duration, not under MUSTER_BASE_BACKOFF (baseBackoff)",
    broken: ({ baseBackoff, maxBackoff }) =>
      !isNotNegative(maxBackoff) || Duration.isLessThan(maxBackoff, baseBackoff)
  },
  {
    field: "jitter",
    rule: `"none", "equal" or "full"`,
    broken: ({ jitter }) => !["none", "equal", "full"].includes(jitter)
  },
  {
    field: "attemptTimeout",
    rule: "a finite duration above zero",
    broken: ({ attemptTimeout }) => !isPositive(attemptTimeout)
  },
  {
    field: "deadline",
    rule: "a finite duration above zero, or left out",
    broken: ({ deadline }) => deadline !== undefined && !isPositive(deadline)
  },
  {
    field: "batchConcurrency",
    rule: "a whole number, 1 or more",
    broken: ({ batchConcurrency }) => !Number.isSafeInteger(batchConcurrency) || batchConcurrency < 1
  }
]

// `Duration` takes NaN, which is what arithmetic on a missing number gives, for zero: no wait between retries at all.
const hasNaN = (input: Duration.Input): boolean =>
  typeof input === "object" ? Object.values(input).some(Number.isNaN) : Number.isNaN(input)

/** The first of `sources` that has a field decides it; where none has, the default does. */
const resolve = Effect.fnUntraced(function* (
  ...sources: ReadonlyArray<RegistrationOptions>
): Effect.fn.Return<RegistrationSettings, InvalidRegistrationConfig> {
  const given = <F extends Field>(field: F) =>
    sources.find((source) => source[field] !== undefined)?.[field] ?? defaults[field]
  const unreadable: Array<string> = []
  const duration = (field: "baseBackoff" | "maxBackoff" | "attemptTimeout") =>
    readDuration(field, given(field)) ?? defaults[field]
  const readDuration = (field: Field, input: Duration.Input) => {
    const read = hasNaN(input) ? undefined : Option.getOrUndefined(Duration.fromInput(input))
    if (read === undefined) unreadable.push(problem(field, `a duration such as "100 millis"`, input))
    return read
  }
  const deadline = given("deadline")
  const settings: RegistrationSettings = {
    maxRetries: given("maxRetries"),
    baseBackoff: duration("baseBackoff"),
    maxBackoff: duration("maxBackoff"),
    jitter: given("jitter"),
    attemptTimeout: duration("attemptTimeout"),
    deadline: deadline === undefined ? undefined : readDuration("deadline", deadline),
    batchConcurrency: given("batchConcurrency")
  }
  const problems = [...unreadable, ...RegistrationConfig.problems(settings)]
  if (problems.length > 0) return yield* new InvalidRegistrationConfig({ problems })
  return settings
})
