/**
 * How the service is set up: a flag over its variable over the default. What makes no sense is refused with the
 * variable's name and the rule.
 */
import { Config, Duration, Effect, Option, Schema } from "effect"
import { fleetDefaults } from "./fleet/FleetDefaults.ts"
import { defaultScheduler } from "./Schedulers.ts"
import { WrongUsage } from "./WrongUsage.ts"

export interface ServeSettings {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  readonly scheduler: string
  readonly store: string
  /** How long work in flight may take to end once the service is told to stop. */
  readonly shutdownTimeout: Duration.Duration
  /** Most calls to the scheduler at the same time. */
  readonly concurrency: number
  /** Most changes that are accepted and not yet done. */
  readonly maxUnfinished: number
}

/** What was given on the command line. */
export interface ServeFlags {
  readonly host: Option.Option<string>
  readonly port: Option.Option<number>
  readonly scheduler: Option.Option<string>
  readonly store: Option.Option<string>
}

export const maximumPort = 65_535

const wholeNumber = (minimum: number, maximum: number) =>
  Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum, maximum }))

const positiveDuration = Schema.DurationFromString.check(
  Schema.makeFilter(
    (duration) => Duration.isFinite(duration) && Duration.isGreaterThan(duration, Duration.zero)
  )
)

const text = Schema.String.check(Schema.isMinLength(1))

/** A variable, or its default where it is not set or empty. */
const variable = <A>(name: string, schema: Schema.Codec<A, string>, rule: string, fallback: A) =>
  Effect.gen(function* () {
    const given = yield* Config.option(Config.String(name))
    if (Option.isNone(given) || given.value === "") return fallback
    return yield* Schema.decodeEffect(schema)(given.value)
  }).pipe(Effect.mapError(() => new WrongUsage({ message: `${name} must be ${rule}` })))

export const resolveSettings = Effect.fnUntraced(function* (
  flags: ServeFlags
): Effect.fn.Return<ServeSettings, WrongUsage> {
  const over = <A>(flag: Option.Option<A>, otherwise: Effect.Effect<A, WrongUsage>) =>
    Option.match(flag, { onSome: Effect.succeed, onNone: () => otherwise })
  const settings: ServeSettings = {
    host: yield* over(flags.host, variable("MUSTER_HOST", text, "a host name or an IP address", "127.0.0.1")),
    port: yield* over(
      flags.port,
      variable(
        "MUSTER_PORT",
        wholeNumber(0, maximumPort),
        `a port, a whole number from 0 to ${maximumPort}`,
        7070
      )
    ),
    scheduler: yield* over(
      flags.scheduler,
      variable(
        "MUSTER_SCHEDULER",
        text,
        `the name of a scheduler, such as ${defaultScheduler}`,
        defaultScheduler
      )
    ),
    store: yield* over(
      flags.store,
      variable("MUSTER_STORE", text, "the name of a store, such as memory", "memory")
    ),
    shutdownTimeout: yield* variable(
      "MUSTER_SHUTDOWN_TIMEOUT",
      positiveDuration,
      `a duration above zero, such as "10 seconds"`,
      Duration.seconds(10)
    ),
    concurrency: yield* variable(
      "MUSTER_CONCURRENCY",
      wholeNumber(1, 10_000),
      "a whole number from 1 to 10000",
      fleetDefaults.concurrency
    ),
    maxUnfinished: yield* variable(
      "MUSTER_MAX_UNFINISHED",
      wholeNumber(1, 10_000_000),
      "a whole number from 1 to 10000000",
      fleetDefaults.maxUnfinished
    )
  }
  if (settings.store !== "memory") {
    return yield* new WrongUsage({
      message: `--store (MUSTER_STORE) ${JSON.stringify(settings.store.slice(0, 100))} is not supported: this version of muster has "memory"`
    })
  }
  return settings
})
