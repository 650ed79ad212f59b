/**
 * The segments of timelines: in the order of their commits, and by worker.
 */
import type { WorkerId } from "@muster/core"
import type { Decision, StoredSegment, TimelineItem, TimelineSegment } from "@muster/core/fleet"
import { Effect } from "effect"
import type * as SqlError from "effect/sql/SqlError"
import type { Columns, StoreDatabase } from "./StoreDatabase.ts"

const columns: Columns = [
  ["sequence", "number"],
  ["worker", "number"],
  ["last", "number"],
  ["at", "number"],
  ["items", "text"]
]

interface SegmentRow {
  readonly sequence: number
  readonly id: WorkerId
  readonly last: number
  readonly at: number
  readonly items: string
}

const fromRow = ({ at, id, items: json, last, sequence }: SegmentRow): StoredSegment => {
  const items: ReadonlyArray<TimelineItem> = JSON.parse(json)
  return { sequence, workerId: id, last, at, items }
}

export const makeTimelines = ({ deleteUpTo, insert, isOneOf, places: { isSettled }, sql }: StoreDatabase) => {
  const insertSegments = insert("muster_segment", columns)
  const deleteSegments = deleteUpTo("muster_segment", "worker", "last")
  const segmentsOfWorkers = sql.literal(
    "SELECT s.sequence, w.id, s.last, s.at, s.items FROM muster_segment s " +
      "JOIN muster_worker w ON w.ordinal = s.worker"
  )

  return {
    /** Appends segments of workers at these places; they get the sequence numbers after this one. */
    append: (
      segments: ReadonlyArray<TimelineSegment>,
      sequence: number,
      places: ReadonlyMap<WorkerId, number>
    ): Effect.Effect<void, SqlError.SqlError> =>
      insertSegments(
        segments.map(({ at, items, last, workerId }, index) => {
          const place = places.get(workerId)
          if (place === undefined) throw new Error(`a segment of ${workerId}, which is not known`)
          return [sequence + index + 1, place, last, at, JSON.stringify(items)]
        })
      ),
    trim: (trims: Decision<unknown>["trims"], places: ReadonlyMap<WorkerId, number>) =>
      deleteSegments(
        trims.flatMap(({ upTo, workerId }) => {
          const place = places.get(workerId)
          return place === undefined ? [] : [[place, upTo]]
        })
      ),
    of: (workerId: WorkerId): Effect.Effect<ReadonlyArray<StoredSegment>, SqlError.SqlError> =>
      Effect.map(sql<SegmentRow>`${segmentsOfWorkers} WHERE w.id = ${workerId} ORDER BY s.last`, (rows) =>
        rows.map(fromRow)
      ),
    after: (
      sequence: number,
      limit: number
    ): Effect.Effect<ReadonlyArray<StoredSegment>, SqlError.SqlError> =>
      Effect.map(
        sql<SegmentRow>`${segmentsOfWorkers} WHERE s.sequence > ${sequence}
          AND ${isSettled("s.sequence")} ORDER BY s.sequence LIMIT ${limit}`,
        (rows) => rows.map(fromRow)
      ),
    removeAllOf: (ordinals: ReadonlyArray<number>): Effect.Effect<void, SqlError.SqlError> =>
      Effect.asVoid(sql`DELETE FROM muster_segment WHERE ${isOneOf("worker", ordinals)}`),
    /** How many it removed. */
    removeBefore: (before: number, limit: number): Effect.Effect<number, SqlError.SqlError> =>
      Effect.map(
        sql`DELETE FROM muster_segment WHERE sequence IN (
          SELECT sequence FROM muster_segment WHERE at < ${before} ORDER BY at LIMIT ${limit}
        ) RETURNING 1 AS removed`,
        ({ length }) => length
      )
  }
}
