/**
 * What happened to one worker: the changes that were accepted, the calls to the scheduler and how they ended, the
 * phases. It answers "why is this worker where it is?", and holds no more than the latest of it.
 */
import { Schema } from "effect"
import type { Failure } from "./Failure.ts"
import type { Phase } from "./Phase.ts"

/** What asked for a change. `retried` and `dropped` are decisions about a dead letter. */
export const ChangeName = Schema.Literals(["provisioned", "ready", "terminated", "retried", "dropped"])
export type ChangeName = typeof ChangeName.Type

export const CallName = Schema.Literals(["register", "unregister", "verify"])
type CallName = typeof CallName.Type

interface Moment {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly generation: number
}

export type TimelineItem =
  | (Moment & {
      readonly type: "change"
      readonly change: ChangeName
      /** The source of the event that asked for it. */
      readonly source?: string | undefined
      readonly reason?: string | undefined
    })
  | (Moment & {
      readonly type: "call"
      readonly call: CallName
      /** How many calls there were for this generation, this one included; absent for `verify`. */
      readonly attempt?: number | undefined
      /** Whether the scheduler has the worker; only for a `verify` that succeeded. */
      readonly held?: boolean | undefined
      /** Absent where the call succeeded. */
      readonly error?: Omit<Failure, "at"> | undefined
    })
  | (Moment & {
      readonly type: "phase"
      readonly phase: Phase
      readonly nextAttemptAt?: number | undefined
    })

/** The latest items that are kept; a worker that goes on failing fills them in some ten minutes. */
const maximum = 100

export class Timeline {
  private kept: Array<TimelineItem> = []
  private total = 0

  add(item: TimelineItem): void {
    this.total++
    this.kept.push(item)
    if (this.kept.length > maximum) this.kept.shift()
  }

  /** Oldest first. */
  get items(): ReadonlyArray<TimelineItem> {
    return this.kept.slice()
  }

  /** How many older items are not kept any more. */
  get forgotten(): number {
    return this.total - this.kept.length
  }
}
