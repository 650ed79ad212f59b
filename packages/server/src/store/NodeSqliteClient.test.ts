import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, FileSystem } from "effect"
import * as SqlError from "effect/sql/SqlError"
import { DatabaseSync } from "node:sqlite"
import * as NodeSqliteClient from "./NodeSqliteClient.ts"
import { startSqliteWriter } from "./SqliteWriter.ts"

const newFile = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  return `${yield* fs.makeTempDirectoryScoped({ prefix: "muster-sqlite-" })}/test.db`
}).pipe(Effect.provide(NodeFileSystem.layer))

const open = (filename: string) =>
  NodeSqliteClient.make({
    filename,
    pragmas: ["busy_timeout = 200", "journal_mode = WAL"],
    readerPragmas: []
  })

const openWithTable = Effect.gen(function* () {
  const sql = yield* open(yield* newFile)
  yield* sql`CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT NOT NULL)`
  return sql
})

type Client = Effect.Success<typeof openWithTable>

const insert = "INSERT INTO thing (id, name) VALUES (?, ?)"

const names = (sql: Client) =>
  Effect.map(sql<{ name: string }>`SELECT name FROM thing ORDER BY id`, (rows) =>
    rows.map(({ name }) => name)
  )

describe("NodeSqliteClient", () => {
  it.effect("reads in a transaction what it has written itself, which others see when it is committed", () =>
    Effect.gen(function* () {
      const sql = yield* openWithTable
      const seen = yield* sql.withTransaction(
        Effect.gen(function* () {
          const before = yield* names(sql)
          yield* sql.runMany(insert, [
            [1, "a"],
            [2, "b"]
          ])
          const within = yield* names(sql)
          return { before, within }
        })
      )
      assert.deepStrictEqual(seen, { before: [], within: ["a", "b"] })
      assert.deepStrictEqual(yield* names(sql), ["a", "b"])
    })
  )

  it.effect("reads outside of a transaction without waiting for the one under way", () =>
    Effect.gen(function* () {
      const sql = yield* openWithTable
      const outside = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql.runMany(insert, [[1, "a"]])
          yield* names(sql)
          return yield* Effect.promise(() => Effect.runPromise(names(sql)))
        })
      )
      assert.deepStrictEqual(outside, [])
    })
  )

  it.effect("fails a transaction for a statement that nobody waited for, and keeps nothing of it", () =>
    Effect.gen(function* () {
      const sql = yield* openWithTable
      const exit = yield* Effect.exit(
        sql.withTransaction(
          sql.runMany(insert, [
            [1, "a"],
            [1, "the same key"]
          ])
        )
      )
      // SQLITE_CONSTRAINT_PRIMARYKEY
      assert.deepInclude(causeOf(exit), { errcode: 1555 })
      assert.deepStrictEqual(yield* names(sql), [])
      yield* sql.withTransaction(sql.runMany(insert, [[1, "b"]]))
      assert.deepStrictEqual(yield* names(sql), ["b"])
    })
  )

  it.effect("keeps nothing of a transaction that fails by itself", () =>
    Effect.gen(function* () {
      const sql = yield* openWithTable
      const failure = yield* Effect.flip(
        sql.withTransaction(Effect.andThen(sql.runMany(insert, [[1, "a"]]), Effect.fail("enough")))
      )
      assert.strictEqual(failure, "enough")
      // One that has neither written nor read leaves nothing behind for the next one.
      yield* sql.withTransaction(Effect.void)
      yield* sql.withTransaction(sql.runMany(insert, [[2, "b"]]))
      assert.deepStrictEqual(yield* names(sql), ["b"])
    })
  )

  it.live("holds up nobody while it waits for a lock that another program has, and then says so", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      const sql = yield* open(filename)
      yield* sql`CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT NOT NULL)`
      const other = new DatabaseSync(filename)
      other.exec("BEGIN IMMEDIATE")
      let ticks = 0
      const ticking = setInterval(() => ticks++, 5)
      const exit = yield* Effect.exit(sql.withTransaction(sql.runMany(insert, [[1, "a"]])))
      clearInterval(ticking)
      other.close()
      // SQLITE_BUSY
      assert.deepInclude(causeOf(exit), { errcode: 5 })
      assert.isAbove(ticks, 3)
      yield* sql.withTransaction(sql.runMany(insert, [[1, "b"]]))
      assert.deepStrictEqual(yield* names(sql), ["b"])
    })
  )

  it.effect("fails to open what is no database", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      const fs = yield* FileSystem.FileSystem
      yield* fs.writeFileString(
        filename,
        "this is no database, but it is long enough to be looked at".repeat(20)
      )
      const exit = yield* Effect.exit(open(filename))
      assert.include(String(causeOf(exit)), "file is not a database")
      // SQLITE_NOTADB
      assert.deepInclude(causeOf(exit), { errcode: 26 })
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.effect("a thread that has ended answers everything with a failure", () =>
    Effect.gen(function* () {
      const writer = yield* startSqliteWriter({ filename: yield* newFile, pragmas: [] })
      yield* writer.close
      const select = { sql: "SELECT 1", kind: "rows", rows: [[]], isUnprepared: false } as const
      const error = yield* Effect.flip(writer.ask(select))
      assert.include(String(error.reason.cause), "has ended")
    })
  )
})

/** What SQLite threw. */
const causeOf = (exit: Exit.Exit<unknown, unknown>): unknown => {
  if (Exit.isSuccess(exit)) return undefined
  for (const reason of exit.cause.reasons) {
    const error = Cause.isFailReason(reason) ? reason.error : undefined
    if (SqlError.isSqlError(error)) return error.reason.cause
  }
  return undefined
}
