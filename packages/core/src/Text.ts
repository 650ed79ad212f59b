/**
 * Text: with bounds, as every string of a worker or an event is, and times for people.
 */
import { Duration, Schema } from "effect"

// NUL and halves of surrogate pairs have no place in PostgreSQL's text nor in protobuf's strings.
const isStorable = (text: string) => text.isWellFormed() && !text.includes("\0")

/** Whether a string is one that {@link text} of the same bounds takes. */
export const isText = (value: unknown, minimum: number, maximum: number): value is string =>
  typeof value === "string" && value.length >= minimum && value.length <= maximum && isStorable(value)

/** A string of so many UTF-16 code units, that every database and protocol can carry. */
export const text = (minimum: number, maximum: number) => {
  const expected = `a string of ${minimum} to ${maximum} characters`
  return Schema.String.annotate({ expected }).check(
    Schema.isMinLength(minimum, { expected }),
    Schema.isMaxLength(maximum, { expected }),
    Schema.makeFilter(isStorable, { expected: `${expected}, well-formed Unicode without NUL` })
  )
}

/** A duration as messages say it: `1s 250ms`. Nobody reads its nanoseconds. */
export const inMillis = (duration: Duration.Duration): string => {
  const millis = Math.round(Duration.toMillis(duration))
  return millis === 0 ? "0ms" : Duration.format(Duration.millis(millis))
}
