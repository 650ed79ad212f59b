/**
 * Durations as people write them.
 */
import { Duration, Option, Schema } from "effect"

const units = new Map([
  ["ms", "millis"],
  ["s", "seconds"],
  ["m", "minutes"],
  ["h", "hours"]
])

const inFull = (text: string): string =>
  text
    .trim()
    .replace(
      /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$/,
      (_, amount: string, unit: string) => `${amount} ${units.get(unit)}`
    )

const decode = Schema.decodeUnknownOption(Schema.DurationFromString)

/** `10s`, or what `Duration` decodes, such as `10 seconds`. */
export const parseAnyDuration = (text: string): Option.Option<Duration.Duration> => decode(inFull(text))

/** The same, finite and above zero. */
export const parseDuration = (text: string): Option.Option<Duration.Duration> =>
  Option.filter(
    parseAnyDuration(text),
    (duration) => Duration.isFinite(duration) && Duration.isGreaterThan(duration, Duration.zero)
  )

const inUnits = [
  [Duration.days, "day"],
  [Duration.hours, "hour"],
  [Duration.minutes, "minute"],
  [Duration.seconds, "second"]
] as const

/** A finite duration as it is written in a configuration, in the largest unit that it is a whole number of. */
export const durationText = (duration: Duration.Duration): string => {
  const millis = Duration.toMillis(duration)
  for (const [unit, name] of inUnits) {
    const amount = millis / Duration.toMillis(unit(1))
    if (amount >= 1 && Number.isInteger(amount)) return `${amount} ${name}${amount === 1 ? "" : "s"}`
  }
  return `${millis} millis`
}
