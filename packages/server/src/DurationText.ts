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
