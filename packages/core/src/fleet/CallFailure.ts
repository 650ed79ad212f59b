/**
 * From the ways in which a call or a whole registration can fail to how the fleet keeps and shows it.
 */
import { Cause, Duration, type Exit } from "effect"
import { errorType, type RegistrationError } from "../RegistrationError.ts"
import { isRetryable, type SchedulerError } from "../SchedulerError.ts"
import type { Failure, FailureType } from "./Failure.ts"

/** How one call failed. One that was interrupted was given up for want of an answer. */
export const attemptFailure = (cause: Cause.Cause<SchedulerError>): Omit<Failure, "at"> => {
  const error = cause.reasons.find(Cause.isFailReason)?.error
  if (error !== undefined) {
    return { type: attemptFailureType(error), message: error.message, retryable: isRetryable(error) }
  }
  return cause.reasons.some(Cause.isDieReason)
    ? { type: "unexpected", message: "the scheduler's adapter died", retryable: false }
    : { type: "timeout", message: "no answer in time", retryable: true }
}

/** Whether a policy, such as an open circuit, kept the call from being made. */
export const wasNotSent = (cause: Cause.Cause<SchedulerError | RegistrationError>): boolean => {
  const error = cause.reasons.find(Cause.isFailReason)?.error
  return error?._tag === "SchedulerUnavailable" && error.notSent === true
}

const attemptFailureType = (error: SchedulerError): FailureType => {
  switch (error._tag) {
    case "SchedulerUnavailable":
      return "scheduler_unavailable"
    case "SchedulerRejected":
      return error.isOlderGeneration ? "superseded" : "invalid_worker"
    case "SchedulerFault":
      return "unexpected"
  }
}

/** How all attempts of a registration failed together, and how long the scheduler asks to be left alone. */
export const registrationFailure = (
  exit: Exit.Failure<unknown, RegistrationError>,
  at: number
): { readonly failure: Failure; readonly retryAfter: number } => {
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  if (error === undefined) {
    const message = "The call ended without an answer."
    return { failure: { type: "unexpected", message, retryable: false, at }, retryAfter: 0 }
  }
  const { message, retryable } = error
  const type = error._tag === "Unexpected" && error.superseded ? "superseded" : errorType(error)
  return { failure: { type, message, retryable, at }, retryAfter: retryAfter(error) }
}

const longestRetryAfter = Duration.days(1)

/** The scheduler's own word on when to ask again, in milliseconds; at most a day, since it may also say never. */
const retryAfter = (error: RegistrationError): number => {
  const last =
    error._tag === "MaxRetriesExceeded" || error._tag === "RegistrationTimeout" ? error.lastError : error
  const asked = last?._tag === "SchedulerUnavailable" ? last.retryAfter : undefined
  return Duration.toMillis(Duration.min(asked ?? Duration.zero, longestRetryAfter))
}
