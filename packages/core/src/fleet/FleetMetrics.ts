/**
 * The metrics of the fleet: its workers, what is still to be done about them, and its store.
 */
import type { Context } from "effect"
import { counter, gauge, histogram, type MetricFamily } from "../MetricFamily.ts"
import { type FailureType, FailureType as FailureTypes } from "./Failure.ts"
import { Phase } from "./Phase.ts"
import { Priority } from "./Priority.ts"
import { DriftKind } from "./WorkerRecord.ts"

const workers = gauge({
  name: "muster_workers",
  help: "Workers that the fleet knows, by phase",
  whenItMoves:
    "`pending` and `registering` rise while more comes than the scheduler takes. `failed` are the dead letters: each waits for a person",
  labels: { phase: Phase.literals }
})

const unfinished = gauge({
  name: "muster_unfinished_changes",
  help: "Changes that were accepted and that the scheduler does not have yet, by priority",
  whenItMoves:
    "The queue. Rises: more comes than the scheduler takes, or it takes nothing. At `MUSTER_MAX_UNFINISHED` further changes are refused with 503",
  labels: { priority: Priority.literals }
})

export const oldestUnfinished = gauge({
  name: "muster_oldest_unfinished_age_seconds",
  help: "For how long the scheduler has not had what is wanted of a worker, of the one that has waited the longest, by priority",
  whenItMoves:
    "Rises by a second each second while that worker cannot be registered or unregistered. `muster why ID` says what keeps it; 0 where nothing waits",
  labels: { priority: Priority.literals }
})

const deadLetters = counter({
  name: "muster_dead_letters_total",
  help: "Workers that became dead letters, by the kind of their last error",
  whenItMoves:
    "`invalid_worker`: the scheduler refuses their data for good. Other kinds: it failed for longer than `MUSTER_DEAD_LETTER_AFTER`",
  labels: { error_type: FailureTypes.literals }
})

export const leasesExpired = counter({
  name: "muster_leases_expired_total",
  help: "Workers that were taken as gone because they had sent no heartbeat",
  whenItMoves:
    "One now and then: workers that died. Many at once: their network, or whoever sends heartbeats for them",
  labels: {}
})

export const drift = gauge({
  name: "muster_drift_workers",
  help: "Workers in which the scheduler differed from the fleet when they were last compared, by kind",
  whenItMoves:
    "`lost`: the scheduler has forgotten workers. `ghost`: it holds workers that are gone. Both are repaired at once, so the next comparison finds none. `unknown`: somebody else registers workers; `MUSTER_UNKNOWN_WORKERS` says what becomes of them",
  labels: { kind: DriftKind.literals }
})

export const driftComparisons = counter({
  name: "muster_drift_comparisons_total",
  help: "Comparisons of the scheduler's list with the fleet, by result",
  whenItMoves:
    "`failure`: the list did not come to its end; `GET /v1/scheduler` has the error. Drift goes unnoticed meanwhile",
  labels: { result: ["success", "failure"] }
})

const driftFound = counter({
  name: "muster_drift_found_total",
  help: "Workers that were found to differ at the scheduler and whose repair has begun, by kind",
  whenItMoves:
    "A step after a restart of the scheduler: it came back without its memory. A steady rise: it loses workers as it runs",
  labels: { kind: DriftKind.literals }
})

const driftRepaired = counter({
  name: "muster_drift_repaired_total",
  help: "Workers whose difference was repaired, by kind",
  whenItMoves:
    "Follows `muster_drift_found_total`. Stays behind: the repairs fail or wait; see the queue and the scheduler's calls",
  labels: { kind: DriftKind.literals }
})

export const storeWritable = gauge({
  name: "muster_store_writable",
  help: "1: the store takes changes; 0: the last attempt to write to it failed",
  whenItMoves: "0: every change is refused with 503 and `/readyz` fails; the log says what the store said",
  labels: {}
})

export const storeDurations = histogram({
  name: "muster_store_duration_seconds",
  help: "From asking the store to its answer, by operation, in seconds",
  whenItMoves:
    "`write` is a transaction with its flush of the disk, shared by many changes; it bounds how fast changes are accepted. Rises: the disk or the database is busy",
  labels: { operation: ["read", "write"] },
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]
})

export const storeFailures = counter({
  name: "muster_store_failures_total",
  help: "Questions to the store that failed, by operation",
  whenItMoves: "Any: a full disk, a database that is away or too slow; the log says which",
  labels: { operation: ["read", "write"] }
})

export const fleetMetrics: ReadonlyArray<MetricFamily> = [
  workers,
  unfinished,
  oldestUnfinished,
  deadLetters,
  leasesExpired,
  drift,
  driftComparisons,
  driftFound,
  driftRepaired,
  storeWritable,
  storeDurations,
  storeFailures
]

/** What is told of the fleet's workers. */
export interface WorkerMetrics {
  /** How many workers are in a phase. */
  readonly inPhase: (phase: Phase, count: number) => void
  /** How many changes of a priority are unfinished. */
  readonly unfinished: (priority: Priority, count: number) => void
  readonly becameDeadLetter: (error: FailureType) => void
  readonly foundDrift: (kind: DriftKind, count: number) => void
  readonly repairedDrift: (kind: DriftKind, count: number) => void
}

export const makeWorkerMetrics = (context: Context.Context<never>): WorkerMetrics => ({
  inPhase: (phase, count) => workers.at({ phase }).updateUnsafe(count, context),
  unfinished: (priority, count) => unfinished.at({ priority }).updateUnsafe(count, context),
  becameDeadLetter: (error_type) => deadLetters.at({ error_type }).updateUnsafe(1, context),
  foundDrift: (kind, count) => driftFound.at({ kind }).updateUnsafe(count, context),
  repairedDrift: (kind, count) => driftRepaired.at({ kind }).updateUnsafe(count, context)
})
