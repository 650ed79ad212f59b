/**
 * PostgreSQL as the modules of this folder use it. A batch travels in columns, one array for each, so that its text
 * and its plan are the same for any number of rows.
 */
import { OID } from "@effect/sql-pg/PgTypes"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Effect, Predicate, Result, type Semaphore } from "effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlConnection from "effect/sql/SqlConnection"
import * as SqlError from "effect/sql/SqlError"
import type { Batch, Columns, Places, StoreDatabase } from "./StoreDatabase.ts"

/**
 * `turn` is what those of this process who write wait for, so that the connections are left to those who read. `stripe`:
 * from 0 to {@link stripes} − 1.
 */
export const makePostgresDatabase = (
  sql: SqlClient.SqlClient,
  turn: Semaphore.Semaphore,
  stripe: number
): StoreDatabase => {
  const batch =
    (columns: Columns, statement: string): Batch =>
    (rows) =>
      rows.length === 0
        ? Effect.void
        : Effect.asVoid(
            sql.unsafe(
              statement,
              columns.map(([, type], index) =>
                arrayOf(
                  type,
                  rows.map((row) => row[index] ?? null)
                )
              )
            )
          )
  const insertInto = (table: string, columns: Columns) =>
    `INSERT INTO ${table} (${names(columns).join(", ")}) SELECT * FROM ${unnest(columns)}`

  const transactionOn = makeTransactionOn(sql, turn)

  return {
    sql,
    transaction: (effect) => transactionOn(["everything"], effect),
    transactionOn,
    places: placesIn(sql),
    stripe,
    isShared: true,
    insert: (table, columns) => batch(columns, insertInto(table, columns)),
    update: (table, columns, key) => {
      const set = names(columns).map((name) => `${name} = changed.${name}`)
      const all: Columns = [...columns, [key, "number"]]
      return batch(
        all,
        `UPDATE ${table} SET ${set.join(", ")}
          FROM ${unnest(all)} AS changed (${names(all).join(", ")}) WHERE ${table}.${key} = changed.${key}`
      )
    },
    upsert: (table, columns, key, set) => {
      const assignments = Object.entries(set).map(([name, value]) => `${name} = ${value}`)
      return batch(
        columns,
        `${insertInto(table, columns)} ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${assignments.join(", ")}`
      )
    },
    deleteUpTo: (table, key, bound) => {
      const columns: Columns = [
        [key, "number"],
        [bound, "number"]
      ]
      return batch(
        columns,
        `DELETE FROM ${table} USING ${unnest(columns)} AS gone (${key}, ${bound})
          WHERE ${table}.${key} = gone.${key} AND ${table}.${bound} <= gone.${bound}`
      )
    },
    isOneOf: (column, values) =>
      sql`${sql.literal(column)} = ANY(${arrayOf(typeof values[0] === "number" ? "number" : "text", values)})`,
    hasLabel: (column, name, value) =>
      sql`${sql.literal(column)}::jsonb -> 'metadata' -> 'labels' ->> ${PgTypes.text(name)} = ${value}`
  }
}

const names = (columns: Columns) => columns.map(([name]) => name)

const unnest = (columns: Columns): string =>
  `unnest(${columns.map(([, type], index) => `$${index + 1}::${elements[type].name}[]`).join(", ")})`

const elements = {
  text: { oid: OID.text, name: "text" },
  number: { oid: OID.float8, name: "double precision" }
}

const arrayOf = (type: keyof typeof elements, values: ReadonlyArray<unknown>): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array(values, elements[type].oid))

/** How many shares there are of each number that is kept. More make sums slower, fewer let more transactions meet. */
export const stripes = 16

/** The most segments that one transaction may bring. */
const segmentsOfTransaction = 4096

/**
 * PostgreSQL numbers transactions that write in the order in which they do so first, and knows which is the oldest that
 * has not ended. A segment's place is its transaction's number and its own in it. So nobody waits for anybody to be
 * given one; and who reads up to the oldest transaction that has not ended misses nothing, for whatever comes later has
 * a later place. Numbers start anew in a database that was restored from a dump, therefore the base.
 */
const placesIn = (sql: SqlClient.SqlClient): Places => {
  const placeOf = (transaction: string) =>
    sql.literal(`sequence_base + (${transaction})::text::double precision * ${segmentsOfTransaction}`)
  const settled = placeOf("pg_snapshot_xmin(pg_current_snapshot())")
  return {
    take: (workers, segments) =>
      segments > segmentsOfTransaction
        ? Effect.die(
            new Error(`${segments} segments in one transaction, which takes ${segmentsOfTransaction}`)
          )
        : Effect.map(
            sql<{ segment: number; workers: ReadonlyArray<number> }>`
              SELECT ${placeOf("pg_current_xact_id()")} AS segment,
                ARRAY(SELECT nextval('muster_ordinal')::double precision
                  FROM generate_series(1, ${workers})) AS workers FROM muster_state`,
            ([taken]) => taken ?? { segment: 0, workers: [] }
          ),
    latestSegment: Effect.map(
      sql<{ latest: number }>`SELECT ${settled} AS latest FROM muster_state`,
      ([row]) => row?.latest ?? 0
    ),
    isSettled: (column) => sql`${sql.literal(column)} <= (SELECT ${settled} FROM muster_state)`
  }
}

/** Sees to it that new segments come after all that are there, whatever database the tables came from. */
export const raisePlaces = (sql: SqlClient.SqlClient) =>
  Effect.asVoid(sql`UPDATE muster_state SET sequence_base = latest.sequence
    FROM (SELECT max(sequence) AS sequence FROM muster_segment) latest
    WHERE sequence_base + pg_snapshot_xmin(pg_current_snapshot())::text::double precision * ${segmentsOfTransaction}
      < latest.sequence`)

// Every transaction locks all that it will need at its beginning, in one order, so that none of them can stand in
// another's way in a circle; and before it has a number, so that those who wait for one another are numbered in the
// order in which they commit. A name stands for its hash: two that have the same one wait for each other in vain.
const lockNames = `SELECT count(pg_advisory_xact_lock(lock)) FROM (
  SELECT DISTINCT hashtextextended(name, 'muster_state'::regclass::oid::bigint) AS lock
  FROM unnest($1::text[]) AS name ORDER BY lock) locks`

// A server that is configured to lose what it has confirmed is told not to, for this transaction.
const requireFlush = `SELECT set_config('synchronous_commit', 'on', true)
  WHERE current_setting('synchronous_commit') = 'off'`

/**
 * Not the client's own `withTransaction`: that one cannot be interrupted while it commits, and a server that has
 * stopped answering would be waited for for ever.
 */
const makeTransactionOn =
  (sql: SqlClient.SqlClient, turn: Semaphore.Semaphore): StoreDatabase["transactionOn"] =>
  (names, effect) => {
    const lock = names.length === 0 ? undefined : [arrayOf("text", names)]
    const inTransaction = Effect.fnUntraced(function* (connection: SqlConnection.Connection) {
      // Whatever the level is that the server has for others: the second of two who wait sees what the first did.
      yield* connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", [], undefined)
      yield* connection.execute(requireFlush, [], undefined)
      if (lock !== undefined) yield* connection.execute(lockNames, lock, undefined)
      const value = yield* Effect.provideService(effect, sql.transactionService, [connection, 0])
      yield* commit(connection)
      return value
    })
    const once = Effect.scoped(
      Effect.flatMap(sql.reserve, (connection) =>
        Effect.onError(inTransaction(connection), () =>
          Effect.ignoreCause(connection.execute("ROLLBACK", [], undefined))
        )
      )
    )
    // Everybody takes turns, so that nobody fails for another; but the server may see it differently.
    return turn.withPermit(Effect.retry(once, { while: wasRolledBack, times: 5 }))
  }

const commit = (connection: SqlConnection.Connection): Effect.Effect<void, SqlError.SqlError> =>
  Effect.flatMap(connection.executeRaw("COMMIT", []), (result) =>
    // So PostgreSQL answers when something in the transaction has failed.
    Predicate.hasProperty(result, "command") && result.command === "COMMIT"
      ? Effect.void
      : Effect.fail(
          new SqlError.SqlError({
            reason: new SqlError.UnknownError({ cause: new Error("the transaction was rolled back") })
          })
        )
  )

const wasRolledBack = (error: unknown): boolean =>
  SqlError.isSqlError(error) &&
  (error.reason._tag === "SerializationError" || error.reason._tag === "DeadlockError")
