/**
 * A worker for which calls are under way: what is wanted of it now, what was sent last, and what there is to tell that
 * the store does not know yet.
 */
import type { Failure } from "./Failure.ts"
import type { CallReport } from "./FleetChanges.ts"
import type { CallName, TimelineItem } from "./Timeline.ts"
import type { TraceOrigin } from "../TraceOrigin.ts"
import type { Desired, Task, WorkerRecord } from "./WorkerRecord.ts"

export class Flight {
  /** What the calls were begun for. */
  readonly desired: Desired
  readonly task: Task | undefined
  readonly trace: TraceOrigin | undefined
  readonly begunAt: number
  /** Of the worker's partition, when the calls were begun. */
  readonly epoch: number
  /** The worker's record as it is in the store. */
  record: WorkerRecord
  /** What there is to tell is on its way to the store. */
  isShowing = false
  /** The calls have ended, and the store is being told. */
  isSettling = false
  /** The store has been told. */
  isOver = false
  /** The generation whose state the last call carried. */
  private sent: number
  /** The calls that were made for the generation `sent`. */
  private attempts: number
  private lastError: Failure | undefined
  private untold: Array<TimelineItem> = []

  constructor(record: WorkerRecord, epoch: number, now: number) {
    this.record = record
    this.epoch = epoch
    this.desired = record.desired
    this.task = record.task
    this.trace = record.trace
    this.begunAt = now
    this.sent = record.generation
    this.attempts = record.attempts
    this.lastError = record.lastError
    if (this.isRegistering && record.phase !== "registering") {
      this.untold.push({ type: "phase", at: now, generation: record.generation, phase: "registering" })
    }
  }

  /** A call goes out with the state that is wanted now. */
  send(): { readonly generation: number; readonly attempt: number } {
    const { generation } = this.record
    if (generation !== this.sent) {
      this.sent = generation
      this.attempts = 0
      this.lastError = undefined
    }
    return { generation, attempt: ++this.attempts }
  }

  /** The call that was to go out did not. */
  notSent(generation: number): void {
    if (generation === this.sent) this.attempts--
  }

  /** A call has ended; one for an older generation says nothing about this one. */
  returned(
    call: CallName,
    at: number,
    generation: number,
    outcome: {
      readonly attempt?: number
      readonly held?: boolean
      readonly error?: Omit<Failure, "at"> | undefined
    }
  ): void {
    this.untold.push({ type: "call", at, generation, call, ...outcome })
    if (outcome.error !== undefined && generation === this.sent && call !== "verify") {
      this.lastError = { ...outcome.error, at }
    }
  }

  /** What there is to tell. */
  get report(): CallReport {
    return {
      generation: this.sent,
      attempts: this.attempts,
      lastError: this.lastError,
      items: this.untold.slice()
    }
  }

  /** Whether a call was made that the store does not know of. */
  get hasCalled(): boolean {
    return this.untold.some(({ type }) => type === "call")
  }

  get hasUntold(): boolean {
    return this.untold.length > 0
  }

  /** The first so many items are in the store. */
  told(count: number): void {
    this.untold = this.untold.slice(count)
  }

  /** The worker as it is at this moment, which the store may be told later or never. */
  get view(): WorkerRecord {
    if (this.record.generation !== this.sent) return this.record
    const counted = { ...this.record, attempts: this.attempts, lastError: this.lastError }
    return this.isRegistering && this.record.desired === this.desired
      ? { ...counted, phase: "registering", nextAttemptAt: undefined }
      : { ...counted, nextAttemptAt: undefined }
  }

  get isRegistering(): boolean {
    return this.desired === "registered" && this.task === "call"
  }
}
