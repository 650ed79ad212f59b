/**
 * How a call for a worker can fail, as the fleet keeps and shows it.
 */
import { Schema } from "effect"

/** The kind of a failure: those of the metrics, and `superseded`. */
export const FailureType = Schema.Literals([
  "scheduler_unavailable",
  "timeout",
  "invalid_worker",
  "max_retries",
  "unexpected",
  "superseded"
])
export type FailureType = typeof FailureType.Type

/** A failure of a call for a worker. */
export const Failure = Schema.Struct({
  type: FailureType,
  message: Schema.String,
  /** Whether the same call can succeed later; the fleet then tries again by itself. */
  retryable: Schema.Boolean,
  /** Milliseconds since 1970. */
  at: Schema.Finite
})
export type Failure = typeof Failure.Type
