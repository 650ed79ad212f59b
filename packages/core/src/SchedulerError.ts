/**
 * The three ways in which a call to a scheduler can fail. An adapter chooses between them by its protocol's own
 * codes; everything that Muster does next (retry, wait, give up) follows from the choice.
 */
import { Schema } from "effect"

/**
 * The scheduler could not be reached or would not answer now: refused, overloaded, no answer in time. Retried.
 * `retryAfter`, when the scheduler said it, is a lower bound for the next wait. `timeout` is there when the
 * attempt was given up for want of an answer: it may have happened all the same. `notSent`: nothing was sent, as a
 * policy decided. `concerns` is `"worker"` where the scheduler is well and only this worker has to wait.
 *
 * @example
 * ```ts
 * import { SchedulerUnavailable } from "@muster/core"
 *
 * const overloaded = new SchedulerUnavailable({ message: "429 Too Many Requests" })
 * ```
 */
export class SchedulerUnavailable extends Schema.TaggedError<SchedulerUnavailable>(
  "@muster/core/SchedulerUnavailable"
)("SchedulerUnavailable", {
  message: Schema.String,
  retryAfter: Schema.optional(Schema.DurationFromString),
  timeout: Schema.optional(Schema.DurationFromString),
  notSent: Schema.optional(Schema.Literal(true)),
  concerns: Schema.optional(Schema.Literal("worker"))
}) {}

/** The `code` of a refusal that means: the scheduler holds a newer generation of this worker. */
const olderGeneration = "older_generation"

/**
 * The scheduler says that this worker is wrong. Permanent: asking again would get the same answer. `code` is the
 * scheduler's own word for the reason, of a small fixed set.
 */
export class SchedulerRejected extends Schema.TaggedError<SchedulerRejected>(
  "@muster/core/SchedulerRejected"
)("SchedulerRejected", {
  message: Schema.String,
  code: Schema.optional(Schema.String)
}) {
  /**
   * The refusal of a scheduler that compares generations and already holds a newer one. It is nobody's failure:
   * the newer state has won, and the older call ends as superseded.
   */
  static olderGeneration(options: { readonly given: number; readonly held: number }): SchedulerRejected {
    return new SchedulerRejected({
      message: `generation ${options.given} is older than ${options.held}, which the scheduler already has`,
      code: olderGeneration
    })
  }

  /** Whether this refusal means that a newer generation has won. */
  get isOlderGeneration(): boolean {
    return this.code === olderGeneration
  }
}

/** Anything unexpected: a defect in an adapter, an answer that makes no sense. It says itself whether to retry. */
export class SchedulerFault extends Schema.TaggedError<SchedulerFault>("@muster/core/SchedulerFault")(
  "SchedulerFault",
  {
    message: Schema.String,
    retryable: Schema.Boolean,
    cause: Schema.optional(Schema.Defect())
  }
) {}

/** Every failure of a {@link SchedulerPort} call. */
export const SchedulerError = Schema.Union([SchedulerUnavailable, SchedulerRejected, SchedulerFault])
export type SchedulerError = typeof SchedulerError.Type

/** Whether the same call can succeed later. */
export const isRetryable = (error: SchedulerError): boolean => {
  switch (error._tag) {
    case "SchedulerUnavailable":
      return true
    case "SchedulerRejected":
      return false
    case "SchedulerFault":
      return error.retryable
  }
}

/** Whether a policy, such as an open circuit, kept the call from being made. */
export const wasNotSent = (error: SchedulerError): boolean =>
  error._tag === "SchedulerUnavailable" && error.notSent === true

/** Whether a failure says something of the scheduler: not where nothing was sent, or only its worker has to wait. */
export const isAboutScheduler = (error: SchedulerError): boolean =>
  !wasNotSent(error) && !(error._tag === "SchedulerUnavailable" && error.concerns === "worker")
