/**
 * Variables of the environment, each with the rule that it has to meet.
 */
import { Config, Duration, Effect, Option, Schema } from "effect"
import { WrongUsage } from "./WrongUsage.ts"

/** A variable, or its default where it is not set or empty. */
export const variable = <A>(name: string, schema: Schema.Codec<A, string>, rule: string, fallback: A) =>
  Effect.gen(function* () {
    const given = yield* Config.option(Config.String(name))
    if (Option.isNone(given) || given.value === "") return fallback
    return yield* Schema.decodeEffect(schema)(given.value)
  }).pipe(Effect.mapError(() => new WrongUsage({ message: `${name} must be ${rule}` })))

/** What switches something off. */
export const off = "off"

export const orOff = <A>(schema: Schema.Codec<A, string>) => Schema.Union([Schema.Literal(off), schema])

export const wholeNumber = (name: string, minimum: number, maximum: number, fallback: number) =>
  variable(
    name,
    Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum, maximum })),
    `a whole number from ${minimum} to ${maximum}`,
    fallback
  )

const isPositive = (duration: Duration.Duration) =>
  Duration.isFinite(duration) && Duration.isGreaterThan(duration, Duration.zero)

const PositiveDuration = Schema.DurationFromString.check(Schema.makeFilter(isPositive))

export const positiveDuration = (name: string, fallback: Duration.Duration) =>
  variable(name, PositiveDuration, `a duration above zero, such as "10 seconds"`, fallback)

const decodeDuration = Schema.decodeUnknownOption(PositiveDuration)

/** A duration, or `off`, which is an infinite one. */
export const durationOrOff = (name: string, fallback: Duration.Duration) =>
  Effect.gen(function* () {
    const given = yield* Config.option(Config.String(name)).pipe(Effect.orElseSucceed(() => Option.none()))
    if (Option.isNone(given) || given.value === "") return fallback
    if (given.value.toLowerCase() === off) return Duration.infinity
    const message = `${name} must be a duration above zero, such as "10 seconds", or off`
    return yield* Effect.mapError(
      Effect.fromOption(decodeDuration(given.value)),
      () => new WrongUsage({ message })
    )
  })
