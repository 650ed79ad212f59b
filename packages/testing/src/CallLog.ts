/**
 * Everything that was asked of a {@link TestScheduler}, call by call.
 */
import { Cause, type Clock, Exit } from "effect"
import type { SchedulerError, Worker, WorkerId } from "@muster/core"

/** The calls of a scheduler port. */
export type Operation = "register" | "unregister" | "registerBatch" | "list" | "get" | "health"

/** One call of the scheduler, as the test sees it afterwards. */
export interface RecordedCall {
  /** Its position in `calls`, from 0. */
  readonly index: number
  readonly operation: Operation
  /** Absent where a call is not for one worker: `registerBatch`, `list`, `health`. */
  readonly workerId: WorkerId | undefined
  /** What was to be registered. */
  readonly worker: Worker | undefined
  readonly generation: number | undefined
  /** Which call of this operation for this worker it was, from 1. Members of batches count as registrations. */
  readonly attempt: number
  /** For a member of a batch: the `index` of the batch's own call. */
  readonly batch: number | undefined
  /** By the `Clock`, in milliseconds: under `TestClock`, virtual time from 0. */
  readonly startedAt: number
  /** Absent while the call is `"pending"`. */
  readonly endedAt: number | undefined
  readonly outcome: "pending" | "succeeded" | "failed" | "died" | "interrupted"
  /** With which error it `"failed"`. */
  readonly error: SchedulerError | undefined
  /** Calls in flight when it began, itself included; a batch is one, whatever its members. */
  readonly concurrency: number
  /** The same, of calls and batch members for the same worker. */
  readonly workerConcurrency: number
}

/** What is known of a call when it is made. */
export type CallDetails = Partial<Pick<RecordedCall, "workerId" | "worker" | "generation" | "batch">>

/** A call in flight, and how to write down its end; once. */
export interface BegunCall {
  readonly call: RecordedCall
  readonly end: (exit: Exit.Exit<unknown, SchedulerError>) => void
}

type Entry = { -readonly [Field in keyof RecordedCall]: RecordedCall[Field] }

/** The log, and the counts that it takes along. Constant time for each call. */
export class CallLog {
  peakConcurrency = 0
  private readonly entries: Array<Entry> = []
  private inFlight = 0
  private readonly inFlightOfWorker = new Map<string, number>()
  private readonly attempts = new Map<string, number>()

  get calls(): ReadonlyArray<RecordedCall> {
    return this.entries.map((entry) => ({ ...entry }))
  }

  begin(operation: Operation, details: CallDetails, clock: Clock.Clock): BegunCall {
    const { batch, generation, worker, workerId } = details
    const attemptKey = `${operation} ${workerId ?? ""}`
    const attempt = (this.attempts.get(attemptKey) ?? 0) + 1
    this.attempts.set(attemptKey, attempt)
    if (batch === undefined) this.peakConcurrency = Math.max(this.peakConcurrency, ++this.inFlight)
    const entry: Entry = {
      index: this.entries.length,
      operation,
      workerId,
      worker,
      generation,
      attempt,
      batch,
      startedAt: clock.currentTimeMillisUnsafe(),
      endedAt: undefined,
      outcome: "pending",
      error: undefined,
      concurrency: this.inFlight,
      workerConcurrency: this.countWorker(workerId, 1)
    }
    this.entries.push(entry)
    return { call: entry, end: (exit) => this.end(entry, exit, clock.currentTimeMillisUnsafe()) }
  }

  private end(entry: Entry, exit: Exit.Exit<unknown, SchedulerError>, now: number): void {
    if (entry.batch === undefined) this.inFlight--
    this.countWorker(entry.workerId, -1)
    entry.endedAt = now
    if (Exit.isSuccess(exit)) {
      entry.outcome = "succeeded"
      return
    }
    const { reasons } = exit.cause
    entry.error = reasons.find(Cause.isFailReason)?.error
    if (entry.error !== undefined) entry.outcome = "failed"
    else entry.outcome = reasons.some(Cause.isDieReason) ? "died" : "interrupted"
  }

  private countWorker(workerId: WorkerId | undefined, change: 1 | -1): number {
    if (workerId === undefined) return 0
    const count = (this.inFlightOfWorker.get(workerId) ?? 0) + change
    if (count === 0) this.inFlightOfWorker.delete(workerId)
    else this.inFlightOfWorker.set(workerId, count)
    return count
  }
}
