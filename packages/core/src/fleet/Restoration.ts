/**
 * Workers from an export: what another store, or this one at an earlier time, knew of them. Each becomes a change like
 * any other, with a generation of its own above the one that it had, so that the scheduler takes it over everything
 * that it heard before.
 */
import { Duration } from "effect"
import { ticksPerMilli } from "../Generation.ts"
import type { Worker } from "../Worker.ts"
import type { WorkerId } from "../WorkerId.ts"
import type { Draft } from "./Draft.ts"
import type { Failure } from "./Failure.ts"
import {
  begin,
  blank,
  type Change,
  changeItem,
  full,
  nothingToDo,
  phaseBefore,
  phaseItem
} from "./FleetChanges.ts"
import type { Priority } from "./Priority.ts"
import { StoredWorker } from "./StoredWorker.ts"
import { type Desired, type EventPlace, isUnfinished, type WorkerRecord } from "./WorkerRecord.ts"

/** What is left to do about a worker: `call` the scheduler, or nothing, because it `failed` for good or is `gone`. */
export type RestoredState = "call" | "failed" | "gone"

/** All times are milliseconds since 1970. */
export interface RestoredWorker {
  readonly id: WorkerId
  /** Absent when all that is known of a worker is that it has to go, or is gone. */
  readonly worker: Worker | undefined
  readonly desired: Desired
  readonly state: RestoredState
  readonly generation: number
  readonly priority: Priority
  readonly leaseTtl: number | undefined
  readonly saidReady: boolean
  readonly createdAt: number
  readonly updatedAt: number
  readonly lastError: Failure | undefined
  readonly lastEvent: EventPlace | undefined
}

const furthestAhead = Duration.days(365)

/**
 * The largest generation that is taken from elsewhere at `now`: that of a year later. One that is further ahead would
 * use up those of the years between, and after the last safe integer no change could be told from another.
 */
export const furthestGeneration = (now: number): number =>
  Math.min(Number.MAX_SAFE_INTEGER, (now + Duration.toMillis(furthestAhead)) * ticksPerMilli)

/** Whether the fleet knows a worker in this state or a newer one. */
export const isKept = (
  known: Pick<WorkerRecord, "generation"> | undefined,
  restored: RestoredWorker
): boolean => known !== undefined && known.generation >= restored.generation

/**
 * Takes a worker in as it was. A newer state stays (`Outdated`). A worker that is wanted is registered again, since
 * what became of it after the export is not known; a dead letter is one again, without a call.
 */
export const restore = (draft: Draft, restored: RestoredWorker): Change => {
  const known = draft.record(restored.id)
  if (known !== undefined && isKept(known, restored)) return { _tag: "Outdated", record: known }
  // The scheduler may have heard of a worker that is known here: that it is gone has to be told.
  const state = restored.state === "gone" && known !== undefined ? "call" : restored.state
  if (state === "call" && draft.isFull && (known === undefined || !isUnfinished(known))) return full

  const { desired, worker } = restored
  const base = known ?? blank(restored.id, desired, draft.now)
  const generation = draft.nextGeneration({
    ...base,
    generation: Math.max(base.generation, restored.generation)
  })
  const isWanted = desired === "registered"
  const record: WorkerRecord = {
    ...base,
    ...nothingToDo,
    stored: worker === undefined ? undefined : StoredWorker.of(worker),
    desired,
    phase: state === "failed" ? "failed" : state === "gone" ? "terminated" : phaseBefore[desired],
    priority: restored.priority,
    generation,
    attempts: 0,
    failures: 0,
    failingSince: undefined,
    losses: 0,
    saidReady: isWanted && restored.saidReady,
    leaseTtl: isWanted ? restored.leaseTtl : undefined,
    leaseExpiresAt: isWanted ? draft.leaseEnd(restored.leaseTtl) : undefined,
    createdAt: Math.min(restored.createdAt, draft.now),
    // How long a worker that is gone is remembered counts from when it went.
    updatedAt: state === "gone" ? Math.min(restored.updatedAt, draft.now) : draft.now,
    registeredAt: undefined,
    lastError: state === "failed" ? restored.lastError : undefined,
    lastEvent: restored.lastEvent
  }
  const begun = state === "call" ? begin(draft, record) : record
  const item = changeItem(begun, draft.now, { name: "imported" })
  return { _tag: "Applied", record: draft.put(begun, [item, phaseItem(begun, draft.now, begun.phase)]) }
}
