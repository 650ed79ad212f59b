/**
 * What the fleet knows of one worker: the state that is wanted, how far it is from being so, and what was met on
 * the way.
 */
import type { Worker, WorkerId } from "@muster/core"
import type { Failure } from "./Failure.ts"
import type { Phase } from "./Phase.ts"
import { Timeline } from "./Timeline.ts"

/** A worker as it is shown: a copy that does not change. Times are milliseconds since 1970. */
export interface WorkerStatus {
  readonly id: WorkerId
  readonly worker: Worker | undefined
  readonly phase: Phase
  readonly generation: number
  readonly attempts: number
  readonly lastError: Failure | undefined
  readonly createdAt: number
  readonly updatedAt: number
  readonly registeredAt: number | undefined
  readonly nextAttemptAt: number | undefined
}

export type Desired = "registered" | "unregistered"

/** The phase of a worker for which a call is still to come. */
export const phaseBefore = { registered: "pending", unregistered: "unregistering" } as const

/** The place of the last event that changed a worker, so that an older one of the same source cannot undo it. */
export interface EventPlace {
  readonly source: string
  readonly occurredAt: number
}

export class Entry {
  readonly id: WorkerId
  /** Counts up with every worker that becomes known; the order of listings. */
  readonly ordinal: number
  readonly createdAt: number
  readonly timeline = new Timeline()
  /** Absent when all that is known of a worker is that it has to go. */
  worker: Worker | undefined
  desired: Desired
  generation = 0
  phase: Phase
  updatedAt: number
  registeredAt: number | undefined
  nextAttemptAt: number | undefined
  /** Calls made to the scheduler for the current generation. */
  attempts = 0
  lastError: Failure | undefined
  lastEvent: EventPlace | undefined
  /** The worker has said that it is ready since it was last provisioned. */
  saidReady = false
  /** The scheduler has to be asked whether it still has the worker. */
  verify = false
  /** A call is still to be made; such entries are counted and bounded. */
  unfinished = false
  /** The generation whose state the last call carried. */
  sent = 0
  /** The failures in a row since the last success or change of what is wanted. */
  failures = 0
  /** While the entry waits for a later call: shortens the wait, because what is wanted has turned round. */
  hurry: ((now: number) => void) | undefined
  observers: Set<() => void> | undefined

  constructor(id: WorkerId, ordinal: number, desired: Desired, now: number) {
    this.id = id
    this.ordinal = ordinal
    this.desired = desired
    this.phase = phaseBefore[desired]
    this.createdAt = now
    this.updatedAt = now
  }

  get status(): WorkerStatus {
    const {
      attempts,
      createdAt,
      generation,
      id,
      lastError,
      nextAttemptAt,
      phase,
      registeredAt,
      updatedAt,
      worker
    } = this
    return {
      id,
      worker,
      phase,
      generation,
      attempts,
      lastError,
      createdAt,
      updatedAt,
      registeredAt,
      nextAttemptAt
    }
  }

  notify(): void {
    this.observers?.forEach((observer) => observer())
  }
}
