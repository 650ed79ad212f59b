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
import type { Batch, Columns, StoreDatabase } from "./StoreDatabase.ts"

/** `turn` is what those of this process who write wait for, so that the connections are left to those who read. */
export const makePostgresDatabase = (sql: SqlClient.SqlClient, turn: Semaphore.Semaphore): StoreDatabase => {
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

  return {
    sql,
    transaction: makeTransaction(sql, turn),
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

// Locks what is written by every transaction. A server that is configured to lose what it has confirmed is told not
// to, for this transaction.
const takeTurn = `SELECT CASE current_setting('synchronous_commit')
  WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END AS commits
  FROM muster_state FOR UPDATE`

/**
 * Not the client's own `withTransaction`: that one cannot be interrupted while it commits, and a server that has
 * stopped answering would be waited for for ever.
 */
const makeTransaction =
  (sql: SqlClient.SqlClient, turn: Semaphore.Semaphore): StoreDatabase["transaction"] =>
  (effect) => {
    const inTransaction = Effect.fnUntraced(function* (connection: SqlConnection.Connection) {
      // Whatever the level is that the server has for others: the second of two who wait sees what the first did.
      yield* connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", [], undefined)
      yield* connection.execute(takeTurn, [], undefined)
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
