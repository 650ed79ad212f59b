/**
 * The five ways in which a registration can end without success. Every member says which worker, after how many
 * attempts and how long, and whether trying again can help; its message says what to do. All of them survive
 * JSON through `Schema`.
 */
import { type Duration, Effect, Schema } from "effect"
import { describeCause } from "./CauseText.ts"
import { SchedulerError, SchedulerUnavailable } from "./SchedulerError.ts"
import { inMillis } from "./Text.ts"
import { WorkerType } from "./WorkerId.ts"

/** One thing that is wrong with a worker's data. The value itself is never in it. */
export const WorkerIssue = Schema.Struct({
  /** Where, such as `capabilities.cpuCores` or `metadata.labels.zone`; empty for the whole worker. */
  path: Schema.String,
  /** What is expected there. */
  rule: Schema.String,
  /** The kind of what was found, such as `missing`, `a string of 12 characters` or `NaN`. */
  received: Schema.String
})
export type WorkerIssue = typeof WorkerIssue.Type

/** A {@link WorkerIssue} in words, without its path: `expected a number above 0, received NaN`. */
export const describeIssue = ({ received, rule }: WorkerIssue): string =>
  received === "missing" ? `is required: ${rule}` : `expected ${rule}, received ${received}`

const context = {
  /** The worker; for input whose id is unusable, what could be read of it, or `unknown`. */
  workerId: Schema.String,
  workerType: Schema.optional(WorkerType),
  /** Calls made to the scheduler. */
  attempts: Schema.Int,
  /** From the call to its end, waits included. */
  elapsed: Schema.DurationFromString
}

interface Context {
  readonly workerId: string
  readonly attempts: number
  readonly elapsed: Duration.Duration
}

const effort = ({ attempts, elapsed }: Context) =>
  `after ${attempts} ${attempts === 1 ? "attempt" : "attempts"} in ${inMillis(elapsed)}`

const reason = (error: { readonly message: string } | undefined) =>
  error === undefined ? "" : `; last error: ${error.message}`

/**
 * The worker's data are wrong, here or in the eyes of the scheduler. Never retried: at most one attempt is made.
 */
export class InvalidWorker extends Schema.TaggedError<InvalidWorker>("@muster/core/InvalidWorker")(
  "InvalidWorker",
  {
    ...context,
    retryable: Schema.tag(false),
    /** Every problem found; at most 100 are kept. */
    issues: Schema.Array(WorkerIssue),
    /** The scheduler's own code, when it was the scheduler that rejected the worker. */
    code: Schema.optional(Schema.String)
  }
) {
  override get message() {
    const problems = this.issues
      .map((issue) => (issue.path === "" ? "" : `${issue.path}: `) + describeIssue(issue))
      .join("; ")
    return this.attempts === 0
      ? `Worker ${this.workerId} is invalid and was not sent to the scheduler: ${problems}. Correct the data and send it again.`
      : `The scheduler rejected worker ${this.workerId} ${effort(this)}: ${problems}. Correct the worker; retrying it unchanged gets the same answer.`
  }
}

/**
 * The scheduler was not available and no retry was allowed: `maxRetries` is 0, or the circuit is open (then no
 * attempt was made and `retryAfter` says when the next one will be). It is a {@link SchedulerUnavailable} that
 * also says for which worker.
 */
export class RegistrationUnavailable extends SchedulerUnavailable.extend<RegistrationUnavailable>(
  "@muster/core/RegistrationUnavailable"
)({
  ...context,
  retryable: Schema.tag(true)
}) {
  static for(
    context: Context & { readonly workerType?: WorkerType | undefined },
    error: SchedulerUnavailable
  ) {
    const wait = error.retryAfter === undefined ? "later" : `in ${inMillis(error.retryAfter)} or later`
    if (error.notSent === true) {
      return new RegistrationUnavailable({
        ...context,
        message: `Worker ${context.workerId} was not sent to the scheduler: ${error.message}. Try again ${wait}.`,
        retryAfter: error.retryAfter,
        notSent: true
      })
    }
    return new RegistrationUnavailable({
      ...context,
      message:
        `The scheduler was unavailable for worker ${context.workerId} ${effort(context)}: ${error.message}. ` +
        `Check that it runs and can be reached, and try again ${wait}; allow retries (MUSTER_MAX_RETRIES) to have that done.`,
      retryAfter: error.retryAfter
    })
  }
}

/**
 * Time ran out: the `deadline` over all attempts and waits, or the one attempt that `maxRetries: 0` allows. What
 * was sent may have happened all the same; registering again is safe.
 */
export class RegistrationTimeout extends Schema.TaggedError<RegistrationTimeout>(
  "@muster/core/RegistrationTimeout"
)("RegistrationTimeout", {
  ...context,
  retryable: Schema.tag(true),
  /** The limit that was reached: the deadline, or the time-out of one attempt. */
  timeout: Schema.DurationFromString,
  lastError: Schema.optional(SchedulerError)
}) {
  override get message() {
    return (
      `Worker ${this.workerId} was not confirmed within ${inMillis(this.timeout)}, ${effort(this)}${reason(this.lastError)}. ` +
      `It may have reached the scheduler; trying again is safe. If this happens often, check the scheduler's latency or raise MUSTER_DEADLINE or MUSTER_ATTEMPT_TIMEOUT.`
    )
  }
}

/** Every attempt failed in a way that could have passed. */
export class MaxRetriesExceeded extends Schema.TaggedError<MaxRetriesExceeded>(
  "@muster/core/MaxRetriesExceeded"
)("MaxRetriesExceeded", {
  ...context,
  retryable: Schema.tag(true),
  lastError: SchedulerError
}) {
  override get message() {
    return (
      `Worker ${this.workerId} failed ${effort(this)}${reason(this.lastError)}. ` +
      `Check that the scheduler is up and reachable, then try again; MUSTER_MAX_RETRIES and MUSTER_MAX_BACKOFF decide how long Muster holds out.`
    )
  }
}

/**
 * A defect, or a failure that fits no other kind. Also how a call ends that newer state of the same worker has
 * overtaken, which is nobody's failure: then `superseded` is true.
 */
export class Unexpected extends Schema.TaggedError<Unexpected>("@muster/core/Unexpected")("Unexpected", {
  ...context,
  /** What the scheduler's fault said; `false` for a defect and for a superseded call. */
  retryable: Schema.Boolean,
  cause: Schema.Defect(),
  /**
   * Whether the worker was unregistered, or a newer generation of it reached the scheduler, before this call was
   * done. The newer state has won and nothing needs to be done.
   */
  superseded: Schema.Boolean.pipe(Schema.withConstructorDefault(Effect.succeed(false)))
}) {
  override get message() {
    if (this.superseded) {
      return `The call for worker ${this.workerId} was superseded ${effort(this)}: ${describeCause(this.cause)}. Nothing needs to be done.`
    }
    const advice = this.retryable
      ? "Trying again may help; if it does not, report it to whoever runs the scheduler's adapter."
      : "Trying again will not help: report it to whoever maintains the scheduler's adapter."
    return `Worker ${this.workerId} met an unexpected failure ${effort(this)}: ${describeCause(this.cause)}. ${advice}`
  }
}

/** Every way in which `register` and `unregister` can fail. */
export const RegistrationError = Schema.Union([
  InvalidWorker,
  RegistrationUnavailable,
  RegistrationTimeout,
  MaxRetriesExceeded,
  Unexpected
])
export type RegistrationError = typeof RegistrationError.Type

/** The values of the `error_type` label, and of the `errorType` annotation of log lines. */
export type ErrorType = "scheduler_unavailable" | "timeout" | "invalid_worker" | "max_retries" | "unexpected"

const errorTypes: { readonly [Tag in RegistrationError["_tag"]]: ErrorType } = {
  InvalidWorker: "invalid_worker",
  SchedulerUnavailable: "scheduler_unavailable",
  RegistrationTimeout: "timeout",
  MaxRetriesExceeded: "max_retries",
  Unexpected: "unexpected"
}

/** The label under which metrics and logs count an error. */
export const errorType = (error: RegistrationError): ErrorType => errorTypes[error._tag]

/** The label for the failure of one attempt. */
export const attemptErrorType = (error: SchedulerError): ErrorType => {
  switch (error._tag) {
    case "SchedulerUnavailable":
      return error.timeout === undefined ? "scheduler_unavailable" : "timeout"
    case "SchedulerRejected":
      return "invalid_worker"
    case "SchedulerFault":
      return "unexpected"
  }
}
