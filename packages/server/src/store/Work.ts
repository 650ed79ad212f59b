/**
 * What is to be done, and when: each answer is the beginning of an index.
 */
import type { WorkerId } from "@muster/core"
import { type DueWorker, lanes, Priority, type ScannedWorker } from "@muster/core/fleet"
import { Effect } from "effect"
import type * as SqlError from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import type { StoreDatabase } from "./StoreDatabase.ts"
import type { WorkerRow } from "./WorkerRows.ts"

type DueRow = Pick<WorkerRow, "id" | "desired" | "priority" | "task"> & { readonly due_at: number }
type UnfinishedRow = Pick<WorkerRow, "priority"> & { readonly unfinished_since: number }
type ScannedRow = Pick<
  WorkerRow,
  "id" | "desired" | "phase" | "priority" | "generation" | "task" | "registered_at"
>

export const makeWork = (database: StoreDatabase) => {
  const statements = makeWorkStatements(database)
  return {
    due: (
      now: number,
      limit: number,
      partitions?: ReadonlyArray<number>
    ): Effect.Effect<ReadonlyArray<DueWorker>, SqlError.SqlError> =>
      isNone(partitions)
        ? Effect.succeed([])
        : Effect.map(statements.due(now, limit, partitions), (rows) =>
            rows.map(({ desired, due_at, id, priority, task }) => ({
              id,
              desired,
              priority,
              task: task ?? undefined,
              dueAt: due_at
            }))
          ),
    nextDueAt: (
      now: number,
      partitions?: ReadonlyArray<number>
    ): Effect.Effect<number | undefined, SqlError.SqlError> =>
      isNone(partitions)
        ? Effect.succeed(undefined)
        : Effect.map(statements.nextDueAt(now, partitions), ([row]) => row?.due_at ?? undefined),
    oldestUnfinished: Effect.map(
      statements.oldestUnfinished,
      (rows): ReadonlyMap<Priority, number> =>
        new Map(rows.map(({ priority, unfinished_since }) => [priority, unfinished_since]))
    ),
    expired: (
      now: number,
      limit: number,
      partitions?: ReadonlyArray<number>
    ): Effect.Effect<ReadonlyArray<WorkerId>, SqlError.SqlError> =>
      isNone(partitions)
        ? Effect.succeed([])
        : Effect.map(statements.expired(now, limit, partitions), (rows) => rows.map(({ id }) => id)),
    scan: (
      after: WorkerId | undefined,
      limit: number
    ): Effect.Effect<ReadonlyArray<ScannedWorker>, SqlError.SqlError> =>
      Effect.map(statements.scan(after, limit), (rows) =>
        rows.map(({ desired, generation, id, phase, priority, registered_at, task }) => ({
          id,
          desired,
          phase,
          priority,
          generation,
          task: task ?? undefined,
          registeredAt: registered_at ?? undefined
        }))
      )
  }
}

/** What is looked for in no partition would be looked for in a whole index. */
const isNone = (partitions: ReadonlyArray<number> | undefined): boolean => partitions?.length === 0

/** The statements alone, so that a test can look at how they are carried out. */
export const makeWorkStatements = ({
  isOneOf,
  isShared,
  sql
}: Pick<StoreDatabase, "isOneOf" | "isShared" | "sql">) => {
  const numbers = Array.from({ length: lanes }, (_, lane) => sql.literal(String(lane)))
  const ofEachLane = (select: (lane: Statement.Fragment) => Statement.Fragment): Statement.Fragment =>
    sql.join(" UNION ALL ", false)(numbers.map((lane) => sql`SELECT * FROM (${select(lane)}) of_lane`))

  const oldestOf = Priority.literals.map(
    (priority) => sql`SELECT * FROM (SELECT priority, unfinished_since FROM muster_worker
      WHERE priority = ${priority} AND unfinished_since IS NOT NULL
      ORDER BY unfinished_since LIMIT 1) of_priority`
  )

  /** A store for one process has all partitions. */
  const of = (partitions: ReadonlyArray<number> | undefined): Statement.Fragment =>
    isShared && partitions !== undefined ? sql`AND ${isOneOf("partition", partitions)}` : sql.literal("")

  return {
    oldestUnfinished: sql<UnfinishedRow>`${sql.join(" UNION ALL ", false)(oldestOf)}`,
    due: (now: number, limit: number, partitions?: ReadonlyArray<number>) =>
      sql<DueRow>`${ofEachLane(
        (lane) => sql`SELECT id, desired, priority, task, due_at FROM muster_worker
          WHERE lane = ${lane} AND due_at <= ${now} ${of(partitions)} ORDER BY due_at LIMIT ${limit}`
      )}`,
    nextDueAt: (now: number, partitions?: ReadonlyArray<number>) =>
      sql<{ due_at: number | null }>`SELECT min(due_at) AS due_at FROM (${ofEachLane(
        (
          lane
        ) => sql`SELECT due_at FROM muster_worker WHERE lane = ${lane} AND due_at > ${now} ${of(partitions)}
          ORDER BY due_at LIMIT 1`
      )}) first_of_lanes`,
    expired: (now: number, limit: number, partitions?: ReadonlyArray<number>) =>
      sql<Pick<WorkerRow, "id">>`SELECT id FROM muster_worker WHERE lease_expires_at <= ${now}
        ${of(partitions)} ORDER BY lease_expires_at, ordinal LIMIT ${limit}`,
    // No id comes before "".
    scan: (after: WorkerId | undefined, limit: number) =>
      sql<ScannedRow>`SELECT id, desired, phase, priority, generation, task, registered_at
        FROM muster_worker WHERE id > ${after ?? ""} ORDER BY id LIMIT ${limit}`
  }
}
