import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { WorkerId } from "@muster/core"
import {
  type FleetStore,
  lanes,
  type ListFilter,
  Priority,
  StoredWorker,
  type WorkerRecord
} from "@muster/core/fleet"
import { fleetStoreContract, workerRecord } from "@muster/testing"
import { Effect, FileSystem, Layer, type Scope } from "effect"
import type * as Statement from "effect/sql/Statement"
import { DatabaseSync } from "node:sqlite"
import { placesStatement } from "./Listing.ts"
import { openSqliteStore, sqliteStoreLayer } from "./SqliteStore.ts"
import { makeWorkStatements } from "./Work.ts"

const directory = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  fs.makeTempDirectoryScoped({ prefix: "muster-store-" })
).pipe(Effect.provide(NodeFileSystem.layer), Effect.orDie)

const reopens = Effect.map(directory, (directory) => sqliteStoreLayer(`${directory}/fleet.db`))

fleetStoreContract("SqliteStore", Layer.unwrap(reopens), { reopens })

const put = (store: FleetStore["Service"], ...records: ReadonlyArray<WorkerRecord>) =>
  store.modify({ workerIds: records.map(({ id }) => id), keys: [] }, () => ({
    records,
    segments: [],
    trims: [],
    notes: [],
    value: undefined
  }))

/** What a transaction that reads this worker finds, if it finds it. */
const attemptsOf = (store: FleetStore["Service"], id: string) =>
  store.modify({ workerIds: [WorkerId.make(id)], keys: [] }, ({ records }) => ({
    records: [],
    segments: [],
    trims: [],
    notes: [],
    value: Array.from(records.values(), ({ attempts }) => attempts)
  }))

/** Why the file at a path cannot be opened. */
const refusal = (path: string) =>
  Effect.map(Effect.flip(Effect.scoped(openSqliteStore(path))), ({ message }) => message)

const inDirectory = <A, E>(
  behaviour: string,
  body: (directory: string) => Effect.Effect<A, E, Scope.Scope | FileSystem.FileSystem>
) => it.effect(behaviour, () => directory.pipe(Effect.flatMap(body), Effect.provide(NodeFileSystem.layer)))

describe("SqliteStore", () => {
  inDirectory("makes the directories on the way to its file, for its owner alone", (directory) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { store } = yield* openSqliteStore(`${directory}/var/lib/fleet.db`)
      yield* put(store, workerRecord("a"))
      for (const [path, mode] of [
        ["var", 0o700],
        ["var/lib", 0o700],
        ["var/lib/fleet.db", 0o600],
        ["var/lib/fleet.db-wal", 0o600],
        ["var/lib/fleet.db.lock", 0o600]
      ] as const) {
        assert.strictEqual((yield* fs.stat(`${directory}/${path}`)).mode & 0o777, mode, path)
      }
    })
  )

  inDirectory("is open in one place at a time, by whatever name", (directory) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = `${directory}/fleet.db`
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { store } = yield* openSqliteStore(path)
          yield* fs.symlink(path, `${directory}/other.db`)
          for (const name of [path, `${directory}/./fleet.db`, `${directory}/other.db`]) {
            assert.include(yield* refusal(name), "another muster has it open. Stop that one")
          }
          yield* put(store, workerRecord("a"))
        })
      )
      const { store } = yield* openSqliteStore(`${directory}/other.db`)
      assert.lengthOf(yield* store.get([WorkerId.make("a")]), 1)
    })
  )

  inDirectory("can be read by tools while it is open", (directory) =>
    Effect.gen(function* () {
      const { store } = yield* openSqliteStore(`${directory}/fleet.db`)
      yield* put(store, workerRecord("a"))
      const tool = new DatabaseSync(`${directory}/fleet.db`, { readOnly: true })
      assert.deepStrictEqual(tool.prepare("SELECT id FROM muster_worker").all().map(Object.values), [["a"]])
      tool.close()
    })
  )

  inDirectory("flushes every commit", (directory) =>
    Effect.gen(function* () {
      const { sql } = yield* openSqliteStore(`${directory}/fleet.db`)
      assert.deepStrictEqual(yield* sql`SELECT * FROM pragma_synchronous`, [{ synchronous: 2 }])
      assert.deepStrictEqual(yield* sql`SELECT * FROM pragma_journal_mode`, [{ journal_mode: "wal" }])
    })
  )

  inDirectory("has nothing left of what it has forgotten", (directory) =>
    Effect.gen(function* () {
      const { sql, store } = yield* openSqliteStore(`${directory}/fleet.db`)
      const stored = StoredWorker.fromJson(
        `{"id":"a","capabilities":{"cpuCores":1,"memoryMb":1},"metadata":{"namespace":"ci"}}`
      )
      const terminated = workerRecord("a", { stored, phase: "terminated" })
      yield* store.modify({ workerIds: [terminated.id], keys: [] }, () => ({
        records: [terminated],
        segments: [{ workerId: terminated.id, last: 1, at: 1, items: [] }],
        trims: [],
        notes: [],
        value: undefined
      }))
      const rows = Effect.forEach(["worker", "content", "segment", "count"], (table) =>
        Effect.map(sql`SELECT * FROM ${sql(`muster_${table}`)}`, ({ length }) => length)
      )
      assert.deepStrictEqual(yield* rows, [1, 1, 1, 1])
      yield* store.forget({ before: 10_000, keep: 0, limit: 10 })
      assert.deepStrictEqual(yield* rows, [0, 0, 0, 0])
    })
  )

  describe("cannot be opened, and says why,", () => {
    inDirectory("in a directory", (directory) =>
      Effect.map(refusal(directory), (message) =>
        assert.strictEqual(
          message,
          `cannot open the store ${directory}: it is a directory; a store is a file, such as muster.db in it`
        )
      )
    )

    inDirectory("below a file", (directory) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* fs.writeFileString(`${directory}/file`, "")
        assert.include(yield* refusal(`${directory}/file/fleet.db`), "as if that were a directory")
        assert.include(yield* refusal(`${directory}/file/below/fleet.db`), "as if that were a directory")
      })
    )

    inDirectory("in a file that is no database", (directory) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const text = "a letter to a friend, and no database. ".repeat(100)
        yield* fs.writeFileString(`${directory}/letter.txt`, text)
        assert.include(yield* refusal(`${directory}/letter.txt`), "it is not an SQLite database")
        assert.strictEqual(yield* fs.readFileString(`${directory}/letter.txt`), text)
      })
    )

    inDirectory("in somebody else's database, which stays as it is", (directory) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = `${directory}/theirs.db`
        const theirs = new DatabaseSync(path)
        theirs.exec("CREATE TABLE theirs (a)")
        theirs.close()
        const before = yield* fs.readFile(path)
        assert.include(yield* refusal(path), "it is an SQLite database, but not one of muster's")
        assert.deepStrictEqual(yield* fs.readFile(path), before)
      })
    )

    inDirectory("in a file that is damaged", (directory) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = `${directory}/fleet.db`
        yield* Effect.scoped(openSqliteStore(path))
        const content = yield* fs.readFile(path)
        yield* fs.writeFile(path, content.fill(0x2a, 100, 4096))
        assert.include(yield* refusal(path), "it is damaged")
      })
    )

    inDirectory("when a newer version has written it", (directory) =>
      Effect.gen(function* () {
        const path = `${directory}/fleet.db`
        yield* Effect.scoped(openSqliteStore(path))
        const database = new DatabaseSync(path)
        database.exec(`INSERT INTO muster_migration (migration_id, name) VALUES (7, 'future');
          UPDATE muster_state SET compatible_from = 6`)
        database.close()
        assert.include(
          yield* refusal(path),
          "it was written by a newer version of muster: its tables are of version 7, and this one knows 4"
        )
      })
    )
  })

  inDirectory("works on the tables of a newer version that says it may", (directory) =>
    Effect.gen(function* () {
      const path = `${directory}/fleet.db`
      yield* Effect.scoped(
        Effect.flatMap(openSqliteStore(path), ({ store }) => put(store, workerRecord("a")))
      )
      const database = new DatabaseSync(path)
      database.exec("INSERT INTO muster_migration (migration_id, name) VALUES (7, 'future')")
      database.close()
      const { store } = yield* openSqliteStore(path)
      yield* put(store, workerRecord("b"))
      assert.lengthOf((yield* store.list({}, 10, 0)).records, 2)
    })
  )

  inDirectory(
    "takes over the tables of version 1, in which nothing said since when a change waits",
    (directory) =>
      Effect.gen(function* () {
        const path = `${directory}/fleet.db`
        yield* Effect.scoped(
          Effect.flatMap(openSqliteStore(path), ({ store }) =>
            put(
              store,
              workerRecord("a", { task: "call", dueAt: 9, updatedAt: 7, priority: "high" }),
              workerRecord("b", { task: "verify", dueAt: 9, updatedAt: 8, leaseTtl: 1, leaseExpiresAt: 1 }),
              workerRecord("c", { task: "check", dueAt: 9, phase: "ready" })
            )
          )
        )
        const database = new DatabaseSync(path)
        database.exec(`DELETE FROM muster_migration WHERE migration_id > 1;
        DROP TABLE muster_token;
        DROP TABLE muster_audit;
        ALTER TABLE muster_state DROP COLUMN compatible_from;
        ALTER TABLE muster_state DROP COLUMN audit_sequence;
        ALTER TABLE muster_state DROP COLUMN audit_hash;
        ALTER TABLE muster_state DROP COLUMN audit_removed;
        ALTER TABLE muster_state DROP COLUMN audit_removed_hash;
        DROP INDEX muster_worker_unfinished;
        ALTER TABLE muster_worker DROP COLUMN unfinished_since;
        DROP TABLE muster_count;
        CREATE TABLE muster_count (phase TEXT)`)
        database.close()

        const { store } = yield* openSqliteStore(path)
        assert.deepStrictEqual(Object.fromEntries(yield* store.oldestUnfinished), { high: 7, normal: 8 })
        const { leased, phases, unfinishedOf } = yield* store.overview
        assert.deepStrictEqual(Object.fromEntries(phases), { pending: 2, ready: 1 })
        assert.deepStrictEqual(Object.fromEntries(unfinishedOf), { high: 1, normal: 1 })
        assert.strictEqual(leased, 1)
      })
  )

  describe("when it cannot write", () => {
    inDirectory(
      "says that the disk is full, changes nothing, and goes on when there is room again",
      (directory) =>
        Effect.gen(function* () {
          const { sql, store } = yield* openSqliteStore(`${directory}/fleet.db`)
          yield* put(store, workerRecord("a"))
          const [{ pages } = { pages: 0 }] = yield* sql<{ pages: number }>`SELECT page_count AS pages
          FROM pragma_page_count`
          yield* sql`PRAGMA max_page_count = ${sql.literal(String(pages + 20))}`

          const large = { type: "unexpected", message: "x".repeat(10_000), retryable: true, at: 1 } as const
          const many = Array.from({ length: 50 }, (_, index) =>
            workerRecord(`b${index}`, { lastError: large })
          )
          for (const _ of [1, 2]) {
            const error = yield* Effect.flip(put(store, workerRecord("a", { attempts: 1 }), ...many))
            assert.strictEqual(error._tag, "StoreUnavailable")
            assert.strictEqual(
              error.message,
              `the store ${directory}/fleet.db cannot be written to: the disk is full`
            )
            const { records } = yield* store.list({}, 100, 0)
            assert.deepStrictEqual(
              records.map(({ attempts, id }) => [id, attempts]),
              [["a", 0]]
            )
          }

          yield* sql`PRAGMA max_page_count = 1000000`
          yield* put(store, ...many)
          assert.strictEqual((yield* store.list({}, 1, 0)).total, 51)
        })
    )

    inDirectory("goes by what is in the file, not by what it failed to write", (directory) =>
      Effect.gen(function* () {
        const { sql, store } = yield* openSqliteStore(`${directory}/fleet.db`)
        const unfinished = (attempts: number) => workerRecord("a", { task: "call", dueAt: 1, attempts })
        const found = Effect.map(attemptsOf(store, "a"), ([attempts]) => attempts)
        yield* put(store, unfinished(1))
        assert.strictEqual(yield* found, 1)
        yield* sql`CREATE TRIGGER refuse BEFORE UPDATE ON muster_worker
          WHEN NEW.rest LIKE '%"attempts":2%' BEGIN SELECT RAISE(ABORT, 'refused'); END`
        yield* Effect.flip(put(store, unfinished(2)))
        assert.strictEqual(yield* found, 1)
        yield* put(store, unfinished(3))
        assert.strictEqual(yield* found, 3)
      })
    )

    inDirectory("says so when somebody else holds a lock, and goes on when it is gone", (directory) =>
      Effect.gen(function* () {
        const { sql, store } = yield* openSqliteStore(`${directory}/fleet.db`)
        yield* sql`PRAGMA busy_timeout = 1`
        const other = new DatabaseSync(`${directory}/fleet.db`)
        other.exec("BEGIN IMMEDIATE")
        const error = yield* Effect.flip(put(store, workerRecord("a")))
        assert.include(error.message, "cannot be written to: another program holds a lock on it")
        assert.include((yield* Effect.flip(store.probe)).message, "another program holds a lock on it")
        other.close()
        yield* put(store, workerRecord("a"))
        yield* store.probe
      })
    )
  })

  inDirectory(
    "finds what is asked for often at the beginning of an index, with whatever else there is",
    (directory) =>
      Effect.gen(function* () {
        const { sql, store } = yield* openSqliteStore(`${directory}/fleet.db`)
        yield* put(store, workerRecord("a", { task: "call", dueAt: 1 }))
        const { due, expired, nextDueAt, oldestUnfinished, scan } = makeWorkStatements({
          sql,
          isShared: false,
          isOneOf: () => sql.literal("TRUE")
        })
        const places = (filter: ListFilter) => placesStatement(sql, filter, 100, 5)
        const plan = (statement: Statement.Statement<unknown>) => {
          const [text, parameters] = statement.compile()
          return Effect.map(
            sql.unsafe<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`, parameters),
            (steps) =>
              steps.map(({ detail }) => detail).filter((detail) => / muster_worker| w |B-TREE/.test(detail))
          )
        }
        const search = (index: string) => `SEARCH muster_worker USING ${index}`
        const each = (step: string) => Array.from({ length: lanes }, () => step)

        const dueStep = search("INDEX muster_worker_due (lane=? AND due_at<?)")
        assert.deepStrictEqual(yield* plan(due(5, 10)), each(dueStep))
        const nextStep = search("COVERING INDEX muster_worker_due (lane=? AND due_at>?)")
        assert.deepStrictEqual(yield* plan(nextDueAt(5)), each(nextStep))
        assert.deepStrictEqual(
          yield* plan(oldestUnfinished),
          Priority.literals.map(() =>
            search("COVERING INDEX muster_worker_unfinished (priority=? AND unfinished_since>?)")
          )
        )
        assert.deepStrictEqual(yield* plan(expired(5, 10)), [
          search("INDEX muster_worker_lease (lease_expires_at<?)")
        ])
        assert.deepStrictEqual(yield* plan(scan(undefined, 10)), [
          search("INDEX sqlite_autoindex_muster_worker_1 (id>?)")
        ])
        assert.deepStrictEqual(yield* plan(places({})), ["SEARCH w USING INTEGER PRIMARY KEY (rowid>?)"])
        const ofPhase = "SEARCH w USING INDEX muster_worker_phase (phase=? AND ordinal>?)"
        assert.deepStrictEqual(yield* plan(places({ phases: ["ready"] })), [ofPhase])
        // What is sorted then is no more than one page of each.
        const merge = "USE TEMP B-TREE FOR ORDER BY"
        assert.deepStrictEqual(yield* plan(places({ phases: ["ready", "failed"] })), [
          ofPhase,
          merge,
          ofPhase,
          merge
        ])
        assert.deepStrictEqual(yield* plan(places({ namespace: "a" })), [
          "SEARCH w USING INDEX muster_worker_namespace (namespace=? AND ordinal>?)"
        ])
        assert.deepStrictEqual(yield* plan(places({ workerType: "static" })), [
          "SEARCH w USING INDEX muster_worker_type (worker_type=? AND ordinal>?)"
        ])
      })
  )
})
