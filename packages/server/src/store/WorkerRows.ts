/**
 * The records of workers as rows: what of them is a column, and what is JSON.
 */
import type { WorkerId } from "@muster/core"
import {
  type Desired,
  laneOf,
  partitionOf,
  type Phase,
  type Priority,
  StoredWorker,
  type Task,
  type WorkerRecord
} from "@muster/core/fleet"
import { Effect } from "effect"
import type * as SqlError from "effect/sql/SqlError"
import type { Columns, Row, StoreDatabase } from "./StoreDatabase.ts"

/** A row of `muster_worker` with its worker, as it is read. */
export interface WorkerRow {
  readonly ordinal: number
  readonly id: WorkerId
  readonly phase: Phase
  readonly desired: Desired
  readonly priority: Priority
  readonly generation: number
  readonly task: Task | null
  readonly due_at: number | null
  readonly unfinished_since: number | null
  readonly lease_expires_at: number | null
  readonly registered_at: number | null
  readonly updated_at: number
  readonly rest: string
  readonly namespace: string | null
  readonly worker_type: string | null
  readonly json: string | null
}

/** What lies in `rest`. */
type Rest = Pick<
  WorkerRecord,
  | "repairs"
  | "attempts"
  | "failures"
  | "failingSince"
  | "losses"
  | "saidReady"
  | "createdAt"
  | "nextAttemptAt"
  | "notBefore"
  | "lastError"
  | "lastEvent"
  | "owner"
  | "trace"
  | "leaseTtl"
  | "told"
>

/** A record at its place, with the columns that follow from its worker. */
export interface KeptRecord {
  readonly ordinal: number
  readonly record: WorkerRecord
  readonly namespace: string | null
  readonly workerType: string | null
}

const toRest = (record: WorkerRecord): string => {
  const rest: Rest = {
    repairs: record.repairs,
    attempts: record.attempts,
    failures: record.failures,
    failingSince: record.failingSince,
    losses: record.losses,
    saidReady: record.saidReady,
    createdAt: record.createdAt,
    nextAttemptAt: record.nextAttemptAt,
    notBefore: record.notBefore,
    lastError: record.lastError,
    lastEvent: record.lastEvent,
    owner: record.owner,
    trace: record.trace,
    leaseTtl: record.leaseTtl,
    told: record.told
  }
  return JSON.stringify(rest)
}

/** What changes with every step of a worker's life. */
const stateColumns: Columns = [
  ["phase", "text"],
  ["desired", "text"],
  ["priority", "text"],
  ["generation", "number"],
  ["task", "text"],
  ["lane", "number"],
  ["due_at", "number"],
  ["unfinished_since", "number"],
  ["lease_expires_at", "number"],
  ["registered_at", "number"],
  ["updated_at", "number"],
  ["rest", "text"]
]

/** What changes with the worker alone, too. */
const wholeColumns: Columns = [
  ...stateColumns,
  ["namespace", "text"],
  ["worker_type", "text"],
  ["size", "number"]
]

const newColumns: Columns = [...wholeColumns, ["ordinal", "number"], ["id", "text"]]

const contentColumns: Columns = [
  ["ordinal", "number"],
  ["json", "text"]
]

const toState = ({ record }: KeptRecord): Array<Row[number]> => [
  record.phase,
  record.desired,
  record.priority,
  record.generation,
  record.task ?? null,
  record.dueAt === undefined ? null : laneOf(record),
  record.dueAt ?? null,
  record.unfinishedSince ?? null,
  record.leaseExpiresAt ?? null,
  record.registeredAt ?? null,
  record.updatedAt,
  toRest(record)
]

const toWhole = (kept: KeptRecord): Array<Row[number]> => {
  const row = toState(kept)
  row.push(kept.namespace, kept.workerType, kept.record.stored?.json.length ?? 0)
  return row
}

const fromRow = (row: WorkerRow): KeptRecord => {
  const rest: Rest = JSON.parse(row.rest)
  return {
    ordinal: row.ordinal,
    namespace: row.namespace,
    workerType: row.worker_type,
    record: {
      id: row.id,
      stored: row.json === null ? undefined : StoredWorker.fromJson(row.json),
      desired: row.desired,
      phase: row.phase,
      priority: row.priority,
      generation: row.generation,
      task: row.task ?? undefined,
      dueAt: row.due_at ?? undefined,
      unfinishedSince: row.unfinished_since ?? undefined,
      repairs: rest.repairs,
      attempts: rest.attempts,
      failures: rest.failures,
      failingSince: rest.failingSince,
      losses: rest.losses,
      saidReady: rest.saidReady,
      createdAt: rest.createdAt,
      updatedAt: row.updated_at,
      registeredAt: row.registered_at ?? undefined,
      nextAttemptAt: rest.nextAttemptAt,
      notBefore: rest.notBefore,
      lastError: rest.lastError,
      lastEvent: rest.lastEvent,
      owner: rest.owner,
      trace: rest.trace,
      leaseTtl: rest.leaseTtl,
      leaseExpiresAt: row.lease_expires_at ?? undefined,
      told: rest.told
    }
  }
}

const isSameContent = (left: StoredWorker | undefined, right: StoredWorker | undefined): boolean =>
  left === right || left?.json === right?.json

/** A record in the place of another, or a new one. */
export interface RecordChange {
  readonly before: KeptRecord | undefined
  readonly after: KeptRecord
}

export const makeWorkerRows = ({ insert, isOneOf, isShared, sql, update, upsert }: StoreDatabase) => {
  const insertWorkers = insert(
    "muster_worker",
    isShared ? [...newColumns, ["partition", "number"]] : newColumns
  )
  const updateWorkers = update("muster_worker", wholeColumns, "ordinal")
  const updateStates = update("muster_worker", stateColumns, "ordinal")
  const upsertContents = upsert("muster_content", contentColumns, ["ordinal"], { json: "excluded.json" })

  const columns = sql.literal(
    "w.ordinal, w.id, w.phase, w.desired, w.priority, w.generation, w.task, w.due_at, w.unfinished_since, w.lease_expires_at, " +
      "w.registered_at, w.updated_at, w.rest, w.namespace, w.worker_type, c.json"
  )
  const joined = sql.literal("muster_worker w LEFT JOIN muster_content c ON c.ordinal = w.ordinal")

  const find = (workerIds: ReadonlyArray<WorkerId>): Effect.Effect<Array<KeptRecord>, SqlError.SqlError> =>
    workerIds.length === 0
      ? Effect.succeed([])
      : Effect.map(
          sql<WorkerRow>`SELECT ${columns} FROM ${joined} WHERE ${isOneOf("w.id", workerIds)}`,
          (rows) => rows.map(fromRow)
        )

  /** Those at these places, in their order. */
  const at = (ordinals: ReadonlyArray<number>): Effect.Effect<Array<KeptRecord>, SqlError.SqlError> =>
    ordinals.length === 0
      ? Effect.succeed([])
      : Effect.map(
          sql<WorkerRow>`SELECT ${columns} FROM ${joined} WHERE ${isOneOf("w.ordinal", ordinals)}
            ORDER BY w.ordinal`,
          (rows) => rows.map(fromRow)
        )

  const write = Effect.fnUntraced(function* (
    changes: ReadonlyArray<RecordChange>
  ): Effect.fn.Return<void, SqlError.SqlError> {
    const added: Array<Row> = []
    const replaced: Array<Row> = []
    const moved: Array<Row> = []
    const contents: Array<Row> = []
    for (const { after, before } of changes) {
      const { ordinal, record } = after
      if (before !== undefined && isSameContent(before.record.stored, record.stored)) {
        moved.push([...toState(after), ordinal])
        continue
      }
      if (before === undefined) {
        const row = [...toWhole(after), ordinal, record.id]
        added.push(isShared ? [...row, partitionOf(record.id)] : row)
      } else replaced.push([...toWhole(after), ordinal])
      const json = record.stored?.json
      if (json !== undefined || before !== undefined) contents.push([ordinal, json ?? null])
    }
    yield* insertWorkers(added)
    yield* updateWorkers(replaced)
    yield* updateStates(moved)
    yield* upsertContents(contents)
  })

  /** `record` at a place, with what follows from its worker; from `before` where that is the same. */
  const keep = (record: WorkerRecord, ordinal: number, before: KeptRecord | undefined): KeptRecord => {
    if (before !== undefined && isSameContent(before.record.stored, record.stored)) {
      return { ordinal, record, namespace: before.namespace, workerType: before.workerType }
    }
    const metadata = record.stored?.worker.metadata
    return {
      ordinal,
      record,
      namespace: metadata?.namespace ?? null,
      workerType: metadata?.workerType ?? null
    }
  }

  const remove = Effect.fnUntraced(function* (
    ordinals: ReadonlyArray<number>
  ): Effect.fn.Return<void, SqlError.SqlError> {
    yield* sql`DELETE FROM muster_content WHERE ${isOneOf("ordinal", ordinals)}`
    yield* sql`DELETE FROM muster_worker WHERE ${isOneOf("ordinal", ordinals)}`
  })

  return { find, at, keep, write, remove }
}
