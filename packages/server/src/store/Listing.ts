/**
 * Listings: workers in the order in which they became known, narrowed by what is a column, or by labels.
 */
import {
  type BrowseOrder,
  type BrowseWindow,
  type ListFilter,
  PageBudget,
  type RecordPage,
  type RecordWindow
} from "@muster/core/fleet"
import { Effect } from "effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import type { StoreDatabase } from "./StoreDatabase.ts"
import type { makeWorkerCounts } from "./WorkerCounts.ts"
import type { makeWorkerRows } from "./WorkerRows.ts"

/**
 * No worker has a NUL or a half of a surrogate pair in it. PostgreSQL fails over the one and makes something else of the
 * other.
 */
const canMatch = ({ labels = [], namespace = "", search = "" }: ListFilter): boolean =>
  [search, namespace, ...labels.flat()].every((text) => text.isWellFormed() && !text.includes("\0"))

interface Place {
  readonly ordinal: number
  readonly size: number
}

/** A place with what the order goes by. */
interface OrderedPlace extends Place {
  readonly key: number | string
}

const orderColumns = { known: "w.ordinal", id: "w.id", updatedAt: "w.updated_at" } as const

// How many workers are looked at for their labels in one statement, for which SQLite keeps everybody waiting.
const slice = 5000

export const makeListing = (
  { hasLabel, isOneOf, sql }: StoreDatabase,
  workers: ReturnType<typeof makeWorkerRows>,
  counts: ReturnType<typeof makeWorkerCounts>
) => {
  /** All that a filter asks for, but for the labels. */
  const conditionsOf = (filter: ListFilter): ReadonlyArray<Statement.Fragment> => {
    const { phases = [] } = filter
    return [...(phases.length === 0 ? [] : [isOneOf("w.phase", phases)]), ...ofColumns(sql, filter)]
  }

  /** All places that match, found slice by slice. */
  const labelled = Effect.fnUntraced(function* (
    filter: ListFilter,
    by: BrowseOrder["by"]
  ): Effect.fn.Return<Array<OrderedPlace>, SqlError.SqlError> {
    const { labels = [] } = filter
    const conditions = [
      ...conditionsOf(filter),
      ...labels.map(([name, value]) => hasLabel("c.json", name, value))
    ]
    const [newest] = yield* sql<{ last: number | null }>`SELECT max(ordinal) AS last FROM muster_worker`
    const last = newest?.last ?? 0
    const found: Array<OrderedPlace> = []
    for (let after = 0; after < last; after += slice) {
      const range = [sql`w.ordinal > ${after}`, sql`w.ordinal <= ${after + slice}`]
      const places =
        yield* sql<OrderedPlace>`SELECT w.ordinal, w.size, ${sql.literal(orderColumns[by])} AS key
        FROM muster_worker w JOIN muster_content c ON c.ordinal = w.ordinal
        WHERE ${sql.and([...range, ...conditions])} ORDER BY w.ordinal`
      for (const place of places) found.push(place)
      yield* Effect.yieldNow
    }
    return found
  })

  const fittingOf = (candidates: ReadonlyArray<Place>, limit: number): ReadonlyArray<number> => {
    const budget = new PageBudget(limit)
    const fitting: Array<number> = []
    for (const { ordinal, size } of candidates) {
      if (!budget.take(size)) break
      fitting.push(ordinal)
    }
    return fitting
  }

  const pageOf = Effect.fnUntraced(function* (
    candidates: ReadonlyArray<Place>,
    limit: number,
    total: number
  ): Effect.fn.Return<RecordPage, SqlError.SqlError> {
    const fitting = fittingOf(candidates, limit)
    const kept = yield* workers.at(fitting)
    const next = fitting.length < candidates.length ? fitting.at(-1) : undefined
    return { records: kept.map(({ record }) => record), next, total }
  })

  const total = (filter: ListFilter): Effect.Effect<number, SqlError.SqlError> => {
    if (filter.search === undefined || filter.search === "") return counts.total(filter)
    return Effect.map(
      sql<{
        total: number | string
      }>`SELECT count(*) AS total FROM muster_worker w WHERE ${sql.and(conditionsOf(filter))}`,
      ([row]) => Number(row?.total ?? 0)
    )
  }

  const windowOf = Effect.fnUntraced(function* (
    places: ReadonlyArray<Place>,
    limit: number,
    total: number
  ): Effect.fn.Return<RecordWindow, SqlError.SqlError> {
    const fitting = fittingOf(places, limit)
    const records = new Map((yield* workers.at(fitting)).map(({ ordinal, record }) => [ordinal, record]))
    return { records: fitting.flatMap((ordinal) => records.get(ordinal) ?? []), total }
  })

  const browse = Effect.fnUntraced(function* (
    filter: ListFilter,
    { limit, order, skip }: BrowseWindow
  ): Effect.fn.Return<RecordWindow, SqlError.SqlError> {
    if (!canMatch(filter)) return { records: [], total: 0 }
    if (filter.labels !== undefined && filter.labels.length > 0) {
      const all = yield* labelled(filter, order.by)
      // Of equals, those that became known first stay first.
      all.sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0))
      if (order.descending) all.reverse()
      return yield* windowOf(all.slice(skip, skip + limit), limit, all.length)
    }
    const direction = sql.literal(order.descending ? "DESC" : "ASC")
    const places = yield* sql<Place>`SELECT w.ordinal, w.size FROM muster_worker w
      WHERE ${sql.and(conditionsOf(filter))}
      ORDER BY ${sql.literal(orderColumns[order.by])} ${direction}, w.ordinal ${direction}
      LIMIT ${limit} OFFSET ${skip}`
    return yield* windowOf(places, limit, yield* total(filter))
  })

  const list = Effect.fnUntraced(function* (
    filter: ListFilter,
    limit: number,
    after: number
  ): Effect.fn.Return<RecordPage, SqlError.SqlError> {
    if (!canMatch(filter)) return { records: [], next: undefined, total: 0 }
    if (filter.labels !== undefined && filter.labels.length > 0) {
      const all = yield* labelled(filter, "known")
      const candidates = all.filter(({ ordinal }) => ordinal > after).slice(0, limit + 1)
      return yield* pageOf(candidates, limit, all.length)
    }
    const candidates = yield* placesStatement(sql, filter, limit + 1, after)
    return yield* pageOf(candidates, limit, yield* total(filter))
  })

  return { browse, list }
}

/** The first places that match, whatever the labels; of several phases the first of each. */
export const placesStatement = (
  sql: SqlClient.SqlClient,
  filter: ListFilter,
  limit: number,
  after: number
) => {
  const { phases = [] } = filter
  const conditions = [...ofColumns(sql, filter), sql`w.ordinal > ${after}`]
  const first = (...phase: ReadonlyArray<Statement.Fragment>) =>
    sql`SELECT w.ordinal, w.size FROM muster_worker w WHERE ${sql.and([...phase, ...conditions])}
      ORDER BY w.ordinal LIMIT ${limit}`
  if (phases.length === 0) return sql<Place>`${first()}`
  const ofEach = Array.from(
    new Set(phases),
    (phase) => sql`SELECT ordinal, size FROM (${first(sql`w.phase = ${phase}`)}) of_phase`
  )
  return sql<Place>`${sql.join(" UNION ALL ", false)(ofEach)} ORDER BY ordinal LIMIT ${limit}`
}

const ofColumns = (
  sql: SqlClient.SqlClient,
  { namespace, search = "", workerType }: ListFilter
): ReadonlyArray<Statement.Fragment> => [
  ...(search === "" ? [] : [contains(sql, search.toLowerCase())]),
  ...(namespace === undefined ? [] : [sql`w.namespace = ${namespace}`]),
  ...(workerType === undefined ? [] : [sql`w.worker_type = ${workerType}`])
]

/** An id is ASCII, of which every database knows the small letters. */
const contains = (sql: SqlClient.SqlClient, part: string): Statement.Fragment =>
  sql.onDialectOrElse({
    pg: () => sql`strpos(lower(w.id), ${part}) > 0`,
    orElse: () => sql`instr(lower(w.id), ${part}) > 0`
  })
