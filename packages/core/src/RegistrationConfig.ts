/**
 * How hard registration tries. A `Context.Reference`: whoever provides nothing gets the defaults.
 */
import { Config, Context, Duration, Effect, Formatter, Layer, Option, Result, Schema, Struct } from "effect"

/** `none`: the computed wait. `equal`: between its half and all of it. `full`: between zero and all of it. */
export type Jitter = (typeof jitters)[number]
const jitters = ["none", "equal", "full"] as const

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

type Field = keyof typeof variables

const problem = (field: Field, rule: string, found: unknown) =>
  `${variables[field]} (${field}) must be ${rule}, but is ${Duration.isDuration(found) ? Duration.format(found) : Formatter.format(found)}`

const isDurationFrom = (minimum: Duration.Duration) => (duration: Duration.Duration) =>
  Duration.isFinite(duration) && Duration.isGreaterThanOrEqualTo(duration, minimum)
const isPositive = isDurationFrom(Duration.nanos(1n))
const isNotNegative = isDurationFrom(Duration.zero)

const durationRule = `a duration such as "100 millis"`

const rules: {
  readonly [F in Field]: {
    readonly rule: string
    readonly broken: (settings: RegistrationSettings) => boolean
  }
} = {
  maxRetries: {
    rule: "a whole number, 0 or more",
    broken: ({ maxRetries }) => !Number.isSafeInteger(maxRetries) || maxRetries < 0
  },
  baseBackoff: {
    rule: "a finite duration, zero or more",
    broken: ({ baseBackoff }) => !isNotNegative(baseBackoff)
  },
  maxBackoff: {
    rule: "a finite duration, not under MUSTER_BASE_BACKOFF (baseBackoff)",
    broken: ({ baseBackoff, maxBackoff }) =>
      !isNotNegative(maxBackoff) || Duration.isLessThan(maxBackoff, baseBackoff)
  },
  jitter: {
    rule: `"none", "equal" or "full"`,
    broken: ({ jitter }) => !jitters.includes(jitter)
  },
  attemptTimeout: {
    rule: "a finite duration above zero",
    broken: ({ attemptTimeout }) => !isPositive(attemptTimeout)
  },
  deadline: {
    rule: "a finite duration above zero, or left out",
    broken: ({ deadline }) => deadline !== undefined && !isPositive(deadline)
  },
  batchConcurrency: {
    rule: "a whole number, 1 or more",
    broken: ({ batchConcurrency }) => !Number.isSafeInteger(batchConcurrency) || batchConcurrency < 1
  }
}

const environment = Effect.gen(function* () {
  const unreadable: Array<string> = []
  const read = Effect.fnUntraced(function* <A>(field: Field, schema: Schema.Codec<A, string>, rule: string) {
    const text = Option.getOrElse(yield* Config.option(Config.String(variables[field])), () => "")
    if (text === "") return undefined
    const value = Schema.decodeOption(schema)(text)
    if (Option.isNone(value)) unreadable.push(problem(field, rule, text))
    return Option.getOrUndefined(value)
  })
  const number = (field: Field) => read(field, Schema.FiniteFromString, rules[field].rule)
  const duration = (field: Field) => read(field, Schema.DurationFromString, durationRule)
  const found: RegistrationOptions = {
    maxRetries: yield* number("maxRetries"),
    baseBackoff: yield* duration("baseBackoff"),
    maxBackoff: yield* duration("maxBackoff"),
    jitter: yield* read("jitter", Schema.Literals(jitters), rules.jitter.rule),
    attemptTimeout: yield* duration("attemptTimeout"),
    deadline: yield* duration("deadline"),
    batchConcurrency: yield* number("batchConcurrency")
  }
  return { found, unreadable }
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
      Effect.gen(function* () {
        const { found, unreadable } = yield* environment
        const resolved = yield* Effect.result(resolve(found, fallback))
        const problems = Result.isFailure(resolved) ? resolved.failure.problems : []
        if (unreadable.length > 0) {
          return yield* new InvalidRegistrationConfig({ problems: [...unreadable, ...problems] })
        }
        return yield* Effect.fromResult(resolved)
      })
    )

  /** {@link RegistrationConfig.layerConfigWith} with the library's defaults. */
  static readonly layerConfig = RegistrationConfig.layerConfigWith({})

  /** The defaults of the library. */
  static readonly defaults: RegistrationSettings = defaults

  /** The variables that {@link RegistrationConfig.layerConfigWith} reads, each with the rule of its field. */
  static readonly variables: ReadonlyArray<{
    readonly field: keyof RegistrationSettings
    readonly name: string
    readonly rule: string
  }> = Struct.keys(variables).map((field) => ({ field, name: variables[field], rule: rules[field].rule }))

  /** What is wrong with a configuration, in words; empty when nothing is. */
  static readonly problems = (settings: RegistrationSettings): ReadonlyArray<string> =>
    fields
      .filter((field) => rules[field].broken(settings))
      .map((field) => problem(field, rules[field].rule, settings[field]))
}

const fields = Struct.keys(variables)

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
    if (read === undefined) unreadable.push(problem(field, durationRule, input))
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
