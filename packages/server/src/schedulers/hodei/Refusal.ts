/**
 * What it means that Hodei answers `success = false`. The protocol has no codes for it, only a message, so this goes
 * by words: the first row of the table that knows one decides. docs/schedulers/hodei.md shows the table.
 */
import { type SchedulerError, SchedulerFault, SchedulerRejected, SchedulerUnavailable } from "@muster/core"

interface Row {
  /** Regardless of case. */
  readonly words: RegExp
  readonly toError: (message: string) => SchedulerError
}

const unavailable = (message: string) => new SchedulerUnavailable({ message })
const broken = (message: string) => new SchedulerFault({ message, retryable: true })
const rejected = (code: string) => (message: string) => new SchedulerRejected({ message, code })

/** The `code` of a refusal that is about the token. */
export const tokenRefused = "token_refused"

const table: ReadonlyArray<Row> = [
  {
    words:
      /\b(unavailable|overloaded|busy|too many|rate limit\w*|try again|retry later|timed out|timeout|at capacity|no capacity|not ready|starting|shutting down|maintenance|connection)\b/i,
    toError: unavailable
  },
  {
    words: /\b(otp|token|unauthenticated|authentication|credentials?)\b/i,
    toError: rejected(tokenRefused)
  },
  {
    words: /\b(denied|forbidden|not allowed|not permitted|unauthori[sz]ed)\b/i,
    toError: rejected("permission_denied")
  },
  { words: /\b(already (registered|exists)|duplicate)\b/i, toError: rejected("already_exists") },
  { words: /\b(internal|database|persist)\b/i, toError: broken },
  { words: /\b(not found|unknown|no such)\b/i, toError: rejected("not_found") },
  {
    words: /\b(invalid|required|missing|malformed|must|cannot be|unsupported|too (large|long)|exceeds)\b/i,
    toError: rejected("invalid_argument")
  }
]

/** A refusal in words that nobody foresaw is one of this worker: Hodei tells its own troubles in gRPC's statuses. */
const otherwise = rejected("refused")

/** Far more than anybody reads. */
const longestMessage = 1000

export const toRefusal = (message: string): SchedulerError => {
  const text = message.trim().slice(0, longestMessage) || "refused without a reason"
  const { toError } = table.find(({ words }) => words.test(text)) ?? { toError: otherwise }
  return toError(`Hodei answers: ${text}`)
}

/** Whether the answer to an unregistration says that there is nothing to unregister. */
export const isAbsence = (message: string): boolean =>
  /\b(not found|not registered|unknown worker|no such)\b/i.test(message)
