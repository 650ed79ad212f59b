/**
 * Effect's `SqlClient` over the SQLite that is part of Node, for a file that nobody else writes to. Writing waits for
 * the disk, and has a thread of its own. What is read is in memory as a rule; a message to a thread and back costs
 * more, so reading has a connection of its own in this one.
 *
 * A transaction is one message: what it reads before it writes anything cannot change, since transactions take turns,
 * and is read here; `BEGIN` and what it writes go out with `COMMIT`, or with the first statement whose answer is
 * needed. If one of them fails, that one does.
 */
import { Effect, type Scope, Semaphore, Stream } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlConnection from "effect/sql/SqlConnection"
import type * as SqlError from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import type { SQLInputValue } from "node:sqlite"
import { SqliteConnection, type SqliteFile, type Step } from "./SqliteConnection.ts"
import { type SqliteWriter, startSqliteWriter, toSqlError } from "./SqliteWriter.ts"

/** A file, and what its connection for reading is opened with. */
export interface ReadAndWritten extends SqliteFile {
  readonly readerPragmas: ReadonlyArray<string>
}

export interface NodeSqliteClient extends SqlClient.SqlClient {
  /**
   * Runs a statement once for each of many lists of parameters. Only inside of a transaction: whether it could be run
   * is known when the next statement is answered, at the latest `COMMIT`.
   */
  readonly runMany: (
    sql: string,
    rows: ReadonlyArray<ReadonlyArray<SQLInputValue>>
  ) => Effect.Effect<void, SqlError.SqlError>
}

const beginTransaction = "BEGIN IMMEDIATE"

/** Opens a database file and runs the pragmas; closes it with the scope. */
export const make = (file: ReadAndWritten): Effect.Effect<NodeSqliteClient, SqlError.SqlError, Scope.Scope> =>
  Effect.provide(open(file), Reactivity.layer)

const open = Effect.fnUntraced(function* (file: ReadAndWritten) {
  const writer = yield* startSqliteWriter({ filename: file.filename, pragmas: file.pragmas })
  const reader = yield* Effect.acquireRelease(
    attempt(
      () => new SqliteConnection({ filename: file.filename, pragmas: file.readerPragmas, readOnly: true })
    ),
    (reader) => Effect.sync(() => reader.close())
  )
  const turn = yield* Semaphore.make(1)
  const read: Run = (step) => attempt(() => reader.run(step))
  const transaction = new Transaction(writer, read)
  const outside = new Connection((step) => (isQuery(step) ? read(step) : turn.withPermit(writer.ask(step))))
  const client = yield* SqlClient.make({
    ...SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(new Connection(transaction.run)),
      semaphore: turn
    }),
    acquirer: Effect.succeed(outside),
    borrower: (use) => use(outside),
    compiler: Statement.makeCompilerSqlite(),
    driver: "node-sqlite",
    spanAttributes: [["db.system.name", "sqlite"]],
    beginTransaction,
    prepareTransactionControls: true
  })
  const runMany: NodeSqliteClient["runMany"] = (sql, rows) => transaction.runMany(sql, rows)
  return Object.assign(client, { runMany })
})

type Run = (step: Step) => Effect.Effect<unknown, SqlError.SqlError>

const isQuery = ({ sql }: Step): boolean => sql.trimStart().startsWith("SELECT")

/** The transaction that has its turn: what of it has to go to the thread, and when. */
class Transaction {
  private readonly writer: SqliteWriter
  private readonly read: Run
  /** It has changed something; so it has to read what it has written itself. */
  private hasWritten = false

  constructor(writer: SqliteWriter, read: Run) {
    this.writer = writer
    this.read = read
  }

  readonly run: Run = (step) =>
    Effect.suspend(() => {
      if (step.sql === beginTransaction) {
        this.hasWritten = false
        return this.postpone(step)
      }
      if (!this.hasWritten) {
        if (isQuery(step)) return this.read(step)
        if (step.sql === "COMMIT" || step.sql === "ROLLBACK") return Effect.sync(() => this.writer.forget())
        this.hasWritten = true
      }
      return this.writer.ask(step)
    })

  runMany(
    sql: string,
    rows: ReadonlyArray<ReadonlyArray<SQLInputValue>>
  ): Effect.Effect<void, SqlError.SqlError> {
    return Effect.suspend(() => {
      this.hasWritten = true
      return this.postpone({ sql, kind: "each", rows, isUnprepared: false })
    })
  }

  private postpone(step: Step): Effect.Effect<void> {
    return Effect.sync(() => this.writer.postpone(step))
  }
}

class Connection implements SqlConnection.Connection {
  private readonly run: Run

  constructor(run: Run) {
    this.run = run
  }

  private ask(
    kind: "rows" | "run",
    sql: string,
    params: ReadonlyArray<unknown>,
    isUnprepared = false
  ): Effect.Effect<unknown, SqlError.SqlError> {
    return Effect.flatMap(
      attempt(() => params.map(toInput)),
      (row) => this.run({ sql, kind, rows: [row], isUnprepared })
    )
  }

  private rows(
    sql: string,
    params: ReadonlyArray<unknown>,
    transformRows: TransformRows | undefined,
    isUnprepared: boolean
  ): ReturnType<SqlConnection.Connection["execute"]> {
    return Effect.map(this.ask("rows", sql, params, isUnprepared), (answer) => {
      const rows = Array.isArray(answer) ? answer : []
      return transformRows === undefined ? rows : transformRows(rows)
    })
  }

  execute: SqlConnection.Connection["execute"] = (sql, params, transformRows) =>
    this.rows(sql, params, transformRows, false)

  executeRaw: SqlConnection.Connection["executeRaw"] = (sql, params) => this.ask("run", sql, params)

  executeValues: SqlConnection.Connection["executeValues"] = (sql, params) =>
    Effect.map(this.execute(sql, params, undefined), (rows) => rows.map(Object.values))

  executeUnprepared: SqlConnection.Connection["executeUnprepared"] = (sql, params, transformRows) =>
    this.rows(sql, params, transformRows, true)

  executeValuesUnprepared: SqlConnection.Connection["executeValuesUnprepared"] = (sql, params) =>
    Effect.map(this.executeUnprepared(sql, params, undefined), (rows) => rows.map(Object.values))

  executeStream: SqlConnection.Connection["executeStream"] = (sql, params, transformRows) =>
    Stream.fromIterableEffect(this.execute(sql, params, transformRows))
}

type TransformRows = NonNullable<Parameters<SqlConnection.Connection["execute"]>[2]>

const attempt = <A>(body: () => A): Effect.Effect<A, SqlError.SqlError> =>
  Effect.try({ try: body, catch: toSqlError })

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
