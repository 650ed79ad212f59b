/**
 * What happened to one worker: the changes that were accepted, the calls to the scheduler and how they ended, the
 * phases. It answers "why is this worker where it is?", and holds no more than the latest of it.
 */
import { Schema } from "effect"
import { FailureType } from "./Failure.ts"
import { Phase } from "./Phase.ts"

/**
 * What asked for a change. `retried` and `dropped` are decisions about a dead letter, `retried` also about a wait for the
 * next call that somebody ended; `expired` is a lease that was
 * not renewed; `lost` and `ghost` are differences that a comparison with the scheduler found: a worker that it does
 * not have any more, and one that it still has; `adopted` is one that only the scheduler knew; `imported` comes from an
 * export.
 */
export const ChangeName = Schema.Literals([
  "provisioned",
  "ready",
  "terminated",
  "retried",
  "dropped",
  "expired",
  "lost",
  "ghost",
  "adopted",
  "imported"
])
export type ChangeName = typeof ChangeName.Type

export const CallName = Schema.Literals(["register", "unregister", "verify"])
export type CallName = typeof CallName.Type

/** Milliseconds since 1970, and the generation that the worker had. */
const moment = { at: Schema.Finite, generation: Schema.Int }

const CallError = Schema.Struct({ type: FailureType, message: Schema.String, retryable: Schema.Boolean })

export const TimelineItem = Schema.Union([
  Schema.Struct({
    type: Schema.Literal("change"),
    ...moment,
    change: ChangeName,
    /** The source of the event that asked for it. */
    source: Schema.optional(Schema.String),
    reason: Schema.optional(Schema.String)
  }),
  Schema.Struct({
    type: Schema.Literal("call"),
    ...moment,
    call: CallName,
    /** How many calls there were for this generation, this one included; absent for `verify`. */
    attempt: Schema.optional(Schema.Int),
    /** Whether the scheduler has the worker; only for a `verify` that succeeded. */
    held: Schema.optional(Schema.Boolean),
    /** Absent where the call succeeded. */
    error: Schema.optional(CallError)
  }),
  Schema.Struct({
    type: Schema.Literal("phase"),
    ...moment,
    phase: Phase,
    nextAttemptAt: Schema.optional(Schema.Finite)
  })
])
export type TimelineItem = typeof TimelineItem.Type

/** The latest items of a worker that are kept for certain; one that goes on failing fills them in some ten minutes. */
export const timelineLength = 100
