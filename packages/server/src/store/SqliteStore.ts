/**
 * The fleet's store in a file: SQLite, as it comes with Node. What `modify` has answered is on the disk.
 *
 * One process has a file open at a time. Who opens it holds an exclusive lock on a second, empty database beside it:
 * the operating system takes the lock away with the process, however that ends, and tools can still read the store,
 * which `PRAGMA locking_mode = EXCLUSIVE` on the file itself would not let them. On a network file system locks may
 * not work, nor does SQLite's write-ahead log.
 */
import { FleetStore } from "@muster/core/fleet"
import { Context, Effect, Layer, Predicate, type Scope } from "effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import { closeSync, mkdirSync, openSync, realpathSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { CannotOpenStore } from "./CannotOpenStore.ts"
import { describeMigrationError, migrate } from "./Migrations.ts"
import * as NodeSqliteClient from "./NodeSqliteClient.ts"
import { makeSqlStores, type StoreServices } from "./SqlStores.ts"
import { makeAttempt } from "./StoreAttempt.ts"
import type { Columns, Places, StoreDatabase } from "./StoreDatabase.ts"

/** "must" in ASCII: what `file` and Muster know its databases by. */
export const applicationId = 0x6d757374

const everyPragmas = [
  // Tools may hold a lock for a moment; nobody else does.
  "busy_timeout = 2000",
  // In KiB.
  "cache_size = -32768",
  "trusted_schema = OFF"
]

const writerPragmas = [
  ...everyPragmas,
  `application_id = ${applicationId}`,
  "journal_mode = WAL",
  "synchronous = FULL",
  // On macOS a disk flushes only when it is asked in this way; elsewhere this changes nothing.
  "fullfsync = ON",
  // In pages of 4 KiB: the more of them share a checkpoint, the fewer are written twice.
  "wal_autocheckpoint = 4000",
  "journal_size_limit = 67108864"
]

/**
 * The store in the file at `path`, which is made, with its directory, where there is none. The client is the store's
 * own, for those who want to look at what it does.
 */
export const openSqliteStore = Effect.fnUntraced(function* (path: string): Effect.fn.Return<
  {
    readonly store: FleetStore["Service"]
    readonly services: Context.Context<StoreServices>
    readonly sql: SqlClient.SqlClient
  },
  CannotOpenStore,
  Scope.Scope
> {
  const name = `the store ${path}`
  const attempt = <A>(body: () => A, describe: (cause: unknown) => string) =>
    Effect.try({ try: body, catch: (cause) => CannotOpenStore.because(name, describe(cause), cause) })

  const file = yield* attempt(() => createFile(resolve(path)), describeFileError)
  yield* Effect.acquireRelease(
    attempt(
      () => lock(`${file}.lock`),
      (cause) => describeLockError(cause, file)
    ),
    (lock) => Effect.sync(() => lock.close())
  )
  yield* attempt(() => requireStore(file), describeCause)
  const client = yield* Effect.mapError(
    NodeSqliteClient.make({ filename: file, pragmas: writerPragmas, readerPragmas: everyPragmas }),
    (error) => CannotOpenStore.because(name, describe(error), error)
  )
  yield* migrate(client).pipe(
    Effect.mapError((error) => CannotOpenStore.because(name, describeMigrationError(error, describe), error)),
    Effect.withTracerEnabled(false)
  )
  const services = makeSqlStores(makeDatabase(client), makeAttempt(name, describe))
  return { sql: client, services, store: Context.get(services, FleetStore) }
})

/** Building the layer fails with {@link CannotOpenStore}. */
export const sqliteStoreLayer = (path: string): Layer.Layer<StoreServices, CannotOpenStore> =>
  Layer.effectContext(Effect.map(openSqliteStore(path), ({ services }) => services))

/** Makes the file, for its owner alone; where it really lies. */
const createFile = (path: string): string => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new Error("it is a directory; a store is a file, such as muster.db in it")
  }
  closeSync(openSync(path, "a", 0o600))
  return realpathSync(path)
}

const lock = (path: string): DatabaseSync => {
  closeSync(openSync(path, "a", 0o600))
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec("BEGIN EXCLUSIVE")
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Nothing of somebody else's database is changed, which marking it as Muster's and migrating it would do. */
const requireStore = (file: string): void => {
  const database = new DatabaseSync(file, { timeout: 2000 })
  try {
    const { tables } = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get() ?? {}
    const { application_id } = database.prepare("PRAGMA application_id").get() ?? {}
    if (tables !== 0 && application_id !== applicationId) {
      throw new Error("it is an SQLite database, but not one of muster's; name another file")
    }
  } finally {
    database.close()
  }
}

/** Whoever writes is alone, so places are counted. */
const placesIn = (sql: NodeSqliteClient.NodeSqliteClient): Places => {
  const read = Effect.map(
    sql<{ ordinal: number; sequence: number }>`SELECT ordinal, sequence FROM muster_state`,
    ([row]) => row ?? { ordinal: 0, sequence: 0 }
  )
  return {
    take: Effect.fnUntraced(function* (workers, segments) {
      const { ordinal, sequence } = yield* read
      yield* sql.runMany("UPDATE muster_state SET ordinal = ?, sequence = ?", [
        [ordinal + workers, sequence + segments]
      ])
      return {
        workers: Array.from({ length: workers }, (_, index) => ordinal + index + 1),
        segment: sequence
      }
    }),
    latestSegment: Effect.map(read, ({ sequence }) => sequence),
    isSettled: () => sql.literal("TRUE")
  }
}

const makeDatabase = (sql: NodeSqliteClient.NodeSqliteClient): StoreDatabase => {
  const names = (columns: Columns) => columns.map(([name]) => name).join(", ")
  const insertInto = (table: string, columns: Columns) =>
    `INSERT INTO ${table} (${names(columns)}) VALUES (${columns.map(() => "?").join(", ")})`
  const batch =
    (statement: string): ReturnType<StoreDatabase["insert"]> =>
    (rows) =>
      rows.length === 0 ? Effect.void : sql.runMany(statement, rows)

  return {
    sql,
    transaction: sql.withTransaction,
    transactionOn: (_, effect) => sql.withTransaction(effect),
    places: placesIn(sql),
    stripe: undefined,
    isShared: false,
    insert: (table, columns) => batch(insertInto(table, columns)),
    update: (table, columns, key) =>
      batch(`UPDATE ${table} SET ${columns.map(([name]) => `${name} = ?`).join(", ")} WHERE ${key} = ?`),
    upsert: (table, columns, key, set) => {
      const assignments = Object.entries(set).map(([name, value]) => `${name} = ${value}`)
      return batch(
        `${insertInto(table, columns)} ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${assignments.join(", ")}`
      )
    },
    deleteUpTo: (table, key, bound) => batch(`DELETE FROM ${table} WHERE ${key} = ? AND ${bound} <= ?`),
    isOneOf: (column, values) =>
      sql`${sql.literal(column)} IN (SELECT value FROM json_each(${JSON.stringify(values)}))`,
    hasLabel: (column, name, value) =>
      sql`EXISTS (SELECT 1 FROM json_each(${sql.literal(column)}, '$.metadata.labels') label
        WHERE label.key = ${name} AND label.value = ${value})`
  }
}

const describe = ({ reason }: SqlError.SqlError): string => describeCause(reason.cause)

/** What SQLite says is for programmers; this is for those who run one. By its primary result codes. */
const describeCause = (cause: unknown): string => {
  const message = cause instanceof Error ? cause.message : String(cause)
  switch (primaryCode(cause)) {
    case 5:
    case 6:
      return "another program holds a lock on it"
    case 8:
      return "it may only be read"
    case 10:
      return `the disk failed (${message})`
    case 11:
      return `it is damaged (${message}); restore it from a backup`
    case 13:
      return "the disk is full"
    case 14:
      return "the file cannot be opened any more; was it moved, or are there too many open files?"
    case 26:
      return "it is not an SQLite database; name another file"
    default:
      return message
  }
}

const primaryCode = (cause: unknown): number | undefined =>
  Predicate.hasProperty(cause, "errcode") && typeof cause.errcode === "number"
    ? cause.errcode & 0xff
    : undefined

const describeLockError = (cause: unknown, file: string): string =>
  primaryCode(cause) === 5
    ? `another muster has it open. Stop that one, or name another file (the lock is on ${file}.lock)`
    : primaryCode(cause) === undefined
      ? describeFileError(cause)
      : describeCause(cause)

const describeFileError = (cause: unknown): string => {
  const path = Predicate.hasProperty(cause, "path") ? String(cause.path) : "it"
  switch (Predicate.hasProperty(cause, "code") ? cause.code : undefined) {
    case "EACCES":
    case "EPERM":
      return `the user that muster runs as may not write to ${path}`
    case "EROFS":
      return `${path} is on a file system that may only be read`
    case "ENOTDIR":
    case "EEXIST":
      return `${path} goes through a file as if that were a directory`
    case "EISDIR":
      return `${path} is a directory`
    case "ENOSPC":
      return "the disk is full"
    default:
      return cause instanceof Error ? cause.message : String(cause)
  }
}
