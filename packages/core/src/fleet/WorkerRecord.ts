/**
 * What the fleet keeps of one worker: the state that is wanted, how far it is from being so, and what was met on the
 * way. A record never changes; each step of a worker's life makes a new one.
 */
import { Schema } from "effect"
import type { Failure } from "./Failure.ts"
import type { Phase } from "./Phase.ts"
import { type Priority, rankOf } from "./Priority.ts"
import type { StoredWorker } from "./StoredWorker.ts"
import type { TraceOrigin } from "../TraceOrigin.ts"
import type { WorkerId } from "../WorkerId.ts"

/** What is wanted of a worker. */
export const Desired = Schema.Literals(["registered", "unregistered"])
export type Desired = typeof Desired.Type

/**
 * What is still to be done about a worker. `call`: bring the scheduler to what is wanted. `verify`: the worker said
 * that it is ready; ask the scheduler whether it has it. `check`: the same, some time after registering, without
 * anybody waiting for it.
 */
export const Task = Schema.Literals(["call", "verify", "check"])
export type Task = typeof Task.Type

/**
 * In what a scheduler can differ from the fleet: it does not have a worker that it should have (`lost`), it has one
 * that is gone (`ghost`), or one of which the fleet knows nothing (`unknown`).
 */
export const DriftKind = Schema.Literals(["lost", "ghost", "unknown"])
export type DriftKind = typeof DriftKind.Type

/** The place of the last event that changed a worker, so that an older one of the same source cannot undo it. */
export const EventPlace = Schema.Struct({
  source: Schema.String,
  /** Milliseconds since 1970. */
  occurredAt: Schema.Finite
})
export type EventPlace = typeof EventPlace.Type

/** All times are milliseconds since 1970. */
export interface WorkerRecord {
  readonly id: WorkerId
  /** Absent when all that is known of a worker is that it has to go. */
  readonly stored: StoredWorker | undefined
  readonly desired: Desired
  readonly phase: Phase
  readonly priority: Priority
  readonly generation: number
  /** What is to be done, and from when on; both are absent when nothing is. */
  readonly task: Task | undefined
  readonly dueAt: number | undefined
  /** Since when a change is unfinished without a break, see {@link isUnfinished}; absent when none is. */
  readonly unfinishedSince: number | undefined
  /** What was found to differ at the scheduler, until what is to be done about the worker is done. */
  readonly repairs: DriftKind | undefined
  /** Calls made to the scheduler for the current generation. */
  readonly attempts: number
  /** The failures in a row since the last success or change of what is wanted, and when the first of them was. */
  readonly failures: number
  readonly failingSince: number | undefined
  /** How many checks in a row found that the scheduler had lost the worker. */
  readonly losses: number
  /** The worker has said that it is ready since it was last provisioned. */
  readonly saidReady: boolean
  readonly createdAt: number
  readonly updatedAt: number
  readonly registeredAt: number | undefined
  /** When the next call is made, while one that failed waits to be made again. */
  readonly nextAttemptAt: number | undefined
  /** No sooner than this, whatever happens: the scheduler has asked for it. */
  readonly notBefore: number | undefined
  readonly lastError: Failure | undefined
  readonly lastEvent: EventPlace | undefined
  /** The actor that provisioned it, in its present life; absent where none did. */
  readonly owner: string | undefined
  /** Where the change that is still to be done was asked for, if that was in a trace. */
  readonly trace: TraceOrigin | undefined
  /** How long the worker lives without a heartbeat, in milliseconds; absent: for ever. */
  readonly leaseTtl: number | undefined
  readonly leaseExpiresAt: number | undefined
  /** How many items its timeline has had. */
  readonly told: number
}

/** A change that was accepted and is not done yet; such workers are bounded in number. */
export const isUnfinished = ({ task }: Pick<WorkerRecord, "task">): boolean =>
  task === "call" || task === "verify"

/**
 * The queue that a task waits in, from 0 to {@link lanes} − 1: registrations of each priority, then unregistrations of
 * each. Checks are for idle times.
 */
export const laneOf = ({ desired, priority, task }: Pick<WorkerRecord, "desired" | "priority" | "task">) =>
  (desired === "unregistered" ? 4 : 0) + rankOf[task === "check" ? "low" : priority]

export const lanes = 8
