/**
 * Effect's `SqlClient` over the SQLite that is part of Node: one connection, whose statements and transactions take
 * turns. Statements are prepared once and kept; a call is synchronous and returns when the disk has it.
 */
import { Effect, type Scope, Semaphore, Stream } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlConnection from "effect/sql/SqlConnection"
import * as SqlError from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"

export interface NodeSqliteClient extends SqlClient.SqlClient {
  /**
   * Runs a statement once for each of many lists of parameters, as one step: what is between two of them costs less
   * than one statement with all of them. To be called inside of a transaction.
   */
  readonly runMany: (
    sql: string,
    rows: ReadonlyArray<ReadonlyArray<SQLInputValue>>
  ) => Effect.Effect<void, SqlError.SqlError>
}

/** Opens a database file and runs the pragmas; closes it with the scope. */
export const make = (
  filename: string,
  pragmas: ReadonlyArray<string>
): Effect.Effect<NodeSqliteClient, SqlError.SqlError, Scope.Scope> =>
  Effect.provide(open(filename, pragmas), Reactivity.layer)

const open = Effect.fnUntraced(function* (filename: string, pragmas: ReadonlyArray<string>) {
  const connection = yield* Effect.acquireRelease(
    attempt("open", () => new NodeSqliteConnection(filename, pragmas)),
    (connection) => Effect.sync(() => connection.close())
  )
  const acquirers = SqlClient.makeSqliteAcquirers({
    connection: Effect.succeed(connection),
    semaphore: yield* Semaphore.make(1),
    isTransaction: ({ isTransaction }) => isTransaction
  })
  const client = yield* SqlClient.make({
    ...acquirers,
    compiler: Statement.makeCompilerSqlite(),
    driver: "node-sqlite",
    spanAttributes: [["db.system.name", "sqlite"]],
    beginTransaction: "BEGIN IMMEDIATE",
    prepareTransactionControls: true
  })
  const runMany: NodeSqliteClient["runMany"] = (sql, rows) => connection.runMany(sql, rows)
  return Object.assign(client, { runMany })
})

// The texts of Muster's statements are a few dozen; whoever makes more of them must not fill the memory.
const mostStatements = 200

class NodeSqliteConnection implements SqlConnection.Connection {
  private readonly database: DatabaseSync
  private readonly statements = new Map<string, StatementSync>()

  constructor(filename: string, pragmas: ReadonlyArray<string>) {
    this.database = new DatabaseSync(filename)
    try {
      for (const pragma of pragmas) this.database.exec(`PRAGMA ${pragma}`)
    } catch (error) {
      this.database.close()
      throw error
    }
  }

  get isTransaction(): boolean {
    return this.database.isTransaction
  }

  close(): void {
    this.statements.clear()
    this.database.close()
  }

  private prepare(sql: string): StatementSync {
    let statement = this.statements.get(sql)
    if (statement === undefined) {
      statement = this.database.prepare(sql)
      if (this.statements.size === mostStatements) this.statements.clear()
      this.statements.set(sql, statement)
    }
    return statement
  }

  execute: SqlConnection.Connection["execute"] = (sql, params, transformRows) => {
    const rows = attempt("execute", () => this.prepare(sql).all(...params.map(toInput)))
    return transformRows === undefined ? rows : Effect.map(rows, transformRows)
  }

  executeRaw: SqlConnection.Connection["executeRaw"] = (sql, params) =>
    attempt("execute", () => this.prepare(sql).run(...params.map(toInput)))

  executeValues: SqlConnection.Connection["executeValues"] = (sql, params) =>
    Effect.map(this.execute(sql, params, undefined), (rows) => rows.map(Object.values))

  executeUnprepared: SqlConnection.Connection["executeUnprepared"] = (sql, params, transformRows) => {
    const rows = attempt("execute", () => this.database.prepare(sql).all(...params.map(toInput)))
    return transformRows === undefined ? rows : Effect.map(rows, transformRows)
  }

  executeValuesUnprepared: SqlConnection.Connection["executeValuesUnprepared"] = (sql, params) =>
    Effect.map(this.executeUnprepared(sql, params, undefined), (rows) => rows.map(Object.values))

  executeStream: SqlConnection.Connection["executeStream"] = (sql, params, transformRows) =>
    Stream.fromIterableEffect(this.execute(sql, params, transformRows))

  readonly runMany: NodeSqliteClient["runMany"] = (sql, rows) =>
    attempt("execute", () => {
      const statement = this.prepare(sql)
      for (const row of rows) statement.run(...row)
    })
}

const attempt = <A>(operation: string, body: () => A): Effect.Effect<A, SqlError.SqlError> =>
  Effect.try({
    try: body,
    catch: (cause) => new SqlError.SqlError({ reason: SqlError.classifySqliteError(cause, { operation }) })
  })

const toInput = (value: unknown): SQLInputValue => {
  switch (typeof value) {
    case "string":
    case "number":
    case "bigint":
      return value
    case "boolean":
      return value ? 1 : 0
    default:
      if (value === null || value === undefined) return null
      if (value instanceof Uint8Array) return value
      throw new TypeError(`SQLite has no type for ${Object.prototype.toString.call(value)}`)
  }
}
