import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { WorkerId } from "@muster/core"
import { FleetStore, partitionOf } from "@muster/core/fleet"
import { fleetStoreContract, workerRecord } from "@muster/testing"
import { Cause, Context, type Duration, Effect, Exit, Fiber, Layer, Redacted, Schedule, Scope } from "effect"
import { inspect } from "node:util"
import { testTokenStore } from "../src/access/TestTokenStore.ts"
import { TokenStore } from "../src/access/TokenStore.ts"
import { openPostgresStore } from "../src/store/PostgresStore.ts"
import { storeLayer } from "../src/store/Stores.ts"
import { type PostgresServer, startPostgres } from "./PostgresServer.ts"
import { assertSteps, commitStep } from "./StoreSteps.ts"
import { openTcpGate } from "./TcpGate.ts"

let server: PostgresServer
const scope = Effect.runSync(Scope.make())
beforeAll(async () => {
  server = await Effect.runPromise(Effect.provideService(startPostgres, Scope.Scope, scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const reopens = Effect.suspend(() => Effect.map(server.makePlace, storeLayer))

fleetStoreContract("PostgresStore", Layer.unwrap(reopens), { reopens, clock: "live" })

testTokenStore(
  "in PostgreSQL",
  Effect.orDie(
    Effect.flatMap(
      Effect.suspend(() => server.makePlace),
      (url) => Effect.map(openPostgresStore(Redacted.make(url)), Context.get(TokenStore))
    )
  )
)

const open = (url: string, timeout: Duration.Input = "15 seconds") =>
  Effect.map(openPostgresStore(Redacted.make(url), { timeout }), Context.get(FleetStore))

const put = (store: FleetStore["Service"], name: string) =>
  store.modify({ workerIds: [WorkerId.make(name)], keys: [] }, () => ({
    records: [workerRecord(name)],
    segments: [],
    trims: [],
    notes: [],
    value: undefined
  }))

/** Until the store takes something again. */
const untilAvailable = (store: FleetStore["Service"]) =>
  Effect.retry(store.probe, Schedule.spaced("20 millis"))

const withDatabase = <A, E>(behaviour: string, body: (url: string) => Effect.Effect<A, E, Scope.Scope>) =>
  it.live(behaviour, () =>
    Effect.scoped(
      Effect.flatMap(
        Effect.suspend(() => server.makePlace),
        body
      )
    )
  )

describe("PostgresStore", () => {
  withDatabase(
    "has everything that it has answered when PostgreSQL is killed, and goes on with the next",
    (url) =>
      Effect.gen(function* () {
        // It would lose the latest commits, which it has confirmed already.
        yield* server.administrate("ALTER ROLE postgres SET synchronous_commit = off")
        const store = yield* open(url)
        const answered: Array<number> = []
        const unavailable: Array<string> = []
        let step = 0
        const write = Effect.suspend(() => commitStep(store, ++step)).pipe(
          Effect.tap(() => Effect.sync(() => answered.push(step))),
          Effect.catch(({ message }) => Effect.sync(() => unavailable.push(message))),
          Effect.forever
        )
        const until = (isTrue: () => boolean) => Effect.repeat(Effect.yieldNow, { until: isTrue })
        const writing = yield* Effect.forkChild(write)
        for (const count of [10, 100, 300]) {
          const before = answered.length + count
          yield* until(() => answered.length > before)
          const failures = unavailable.length
          yield* server.kill
          yield* until(() => unavailable.length > failures)
          yield* server.start
          yield* untilAvailable(store)
        }
        yield* Fiber.interrupt(writing)
        yield* server.administrate("ALTER ROLE postgres RESET synchronous_commit")
        assert.match(
          unavailable[0] ?? "",
          /^the store postgres:\/\/postgres@127\.0\.0\.1:\d+\/postgres cannot be written to: PostgreSQL /
        )
        yield* assertSteps(store, answered, step)
        yield* assertSteps(yield* open(url), answered, step)
      })
  )

  withDatabase("is unavailable while nothing answers, not for ever, and available afterwards", (url) =>
    Effect.gen(function* () {
      const gate = yield* openTcpGate(server.port)
      const store = yield* open(url.replace(String(server.port), String(gate.port)), "1 second")
      yield* put(store, "a")
      yield* gate.block
      for (const attempt of [put(store, "b"), put(store, "c"), Effect.asVoid(store.overview)]) {
        const { message } = yield* Effect.flip(attempt)
        assert.include(message, "PostgreSQL takes too long (no answer within 1s)")
      }
      yield* gate.unblock
      yield* untilAvailable(store)
      yield* put(store, "d")
      assert.lengthOf(yield* store.get([WorkerId.make("a"), WorkerId.make("d")]), 2)
    })
  )

  withDatabase("finds new connections when it has lost the old ones", (url) =>
    Effect.gen(function* () {
      const gate = yield* openTcpGate(server.port)
      const store = yield* open(url.replace(String(server.port), String(gate.port)))
      const writing = yield* Effect.forkChild(
        Effect.forEach([1, 2, 3, 4], (step) => commitStep(store, step), { concurrency: "unbounded" })
      )
      yield* Effect.yieldNow
      yield* gate.reset
      const exit = yield* Fiber.await(writing)
      if (Exit.isFailure(exit))
        assert.include(String(Cause.squash(exit.cause)), "PostgreSQL cannot be reached")
      yield* untilAvailable(store)
      yield* put(store, "a")
      assert.lengthOf(yield* store.get([WorkerId.make("a")]), 1)
    })
  )

  withDatabase("says who keeps it locked, and goes on when nobody does", (url) =>
    Effect.gen(function* () {
      const store = yield* open(url, "1 second")
      const schema = new URL(url).searchParams.get("options")?.split("=")[1]
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* server.hold(`LOCK TABLE ${schema}.muster_state`)
          const { message } = yield* Effect.flip(put(store, "a"))
          assert.include(message, "cannot be written to: somebody else keeps it locked")
        })
      )
      yield* put(store, "a")
    })
  )

  withDatabase("is one store for all who have it open, who take turns", (url) =>
    Effect.gen(function* () {
      const stores = yield* Effect.all([open(url), open(url), open(url)])
      const counter = WorkerId.make("counter")
      const increment = (store: FleetStore["Service"]) =>
        store.modify({ workerIds: [counter], keys: [] }, ({ records }) => {
          const attempts = (records.get(counter)?.attempts ?? 0) + 1
          return {
            records: [workerRecord(counter, { attempts })],
            segments: [{ workerId: counter, last: attempts, at: attempts, items: [] }],
            trims: [],
            notes: [],
            value: undefined
          }
        })
      const writing = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 100 }, (_, index) => stores[index % 3] ?? stores[0]),
          increment,
          { concurrency: "unbounded" }
        )
      )
      // Who reads on from the latest that it has seen misses nothing.
      const seen: Array<number> = []
      let sequence = 0
      while (seen.length < 100) {
        for (const segment of yield* stores[0].segments(sequence, 10)) {
          seen.push(segment.last)
          sequence = segment.sequence
        }
      }
      yield* Fiber.join(writing)
      assert.deepStrictEqual(
        seen,
        Array.from({ length: 100 }, (_, index) => index + 1)
      )
    })
  )

  withDatabase("takes over the tables of version 3, in which no worker had a partition", (url) =>
    Effect.gen(function* () {
      const names = Array.from({ length: 40 }, (_, index) => WorkerId.make(`w-${index}`))
      yield* Effect.scoped(
        Effect.flatMap(open(url), (store) =>
          store.modify({ workerIds: [], keys: [] }, () => ({
            records: names.map((id) => workerRecord(id, { task: "call", dueAt: 1 })),
            segments: names.map((workerId) => ({ workerId, last: 1, at: 1, items: [] })),
            trims: [],
            notes: [],
            value: undefined
          }))
        )
      )
      const schema = new URL(url).searchParams.get("options")?.split("=")[1]
      yield* server.administrate(`SET search_path TO ${schema};
        DELETE FROM muster_migration WHERE migration_id > 3;
        UPDATE muster_state SET ordinal = 40, sequence = 1e15;
        ALTER TABLE muster_state DROP COLUMN compatible_from, DROP COLUMN sequence_base;
        ALTER TABLE muster_worker DROP COLUMN partition;
        CREATE INDEX muster_worker_due ON muster_worker (lane, due_at);
        CREATE INDEX muster_worker_lease ON muster_worker (lease_expires_at, ordinal);
        DROP SEQUENCE muster_ordinal; DROP TABLE muster_partition; DROP TABLE muster_server;
        ALTER TABLE muster_count DROP COLUMN stripe;
        ALTER TABLE muster_count ADD PRIMARY KEY (phase, namespace, worker_type, priority)`)

      const store = yield* open(url)
      for (const partition of [0, 7, 31]) {
        const due = yield* store.due(1, 100, [partition])
        assert.sameMembers(
          due.map(({ id }) => id),
          names.filter((id) => partitionOf(id) === partition)
        )
      }
      const { sequence } = yield* store.overview
      yield* put(store, "new")
      yield* store.modify({ workerIds: [], keys: [] }, () => ({
        records: [],
        segments: [{ workerId: WorkerId.make("new"), last: 1, at: 2, items: [] }],
        trims: [],
        notes: [],
        value: undefined
      }))
      const { records } = yield* store.list({}, 100, 40)
      assert.deepStrictEqual(
        records.map(({ id }) => id),
        ["new"]
      )
      const after = yield* store.segments(sequence, 10)
      assert.deepStrictEqual(
        after.map(({ workerId }) => workerId),
        ["new"]
      )
    })
  )

  withDatabase("is opened by several at the same time, where there is nothing yet", (url) =>
    Effect.gen(function* () {
      const stores = yield* Effect.all([open(url), open(url), open(url), open(url)], {
        concurrency: "unbounded"
      })
      for (const [index, store] of stores.entries()) yield* put(store, `w${index}`)
      assert.strictEqual((yield* stores[0].list({}, 10, 0)).total, 4)
    })
  )

  withDatabase("does without the isolation that the server has for others", (url) =>
    Effect.gen(function* () {
      yield* server.administrate("ALTER ROLE postgres SET default_transaction_isolation = 'serializable'")
      const stores = yield* Effect.all([open(url), open(url)])
      yield* server.administrate("ALTER ROLE postgres RESET default_transaction_isolation")
      yield* Effect.forEach(
        Array.from({ length: 40 }, (_, step) => step + 1),
        (step) => commitStep(stores[step % 2] ?? stores[0], step),
        { concurrency: "unbounded" }
      )
      const [record] = yield* stores[0].get([WorkerId.make("counter")])
      assert.strictEqual(record?.attempts, 40)
    })
  )

  describe("cannot be opened, and says why, but never a password,", () => {
    const cannotOpen = (behaviour: string, change: (url: URL) => void, complaint: string) =>
      withDatabase(behaviour, (text) =>
        Effect.gen(function* () {
          const url = new URL(text)
          change(url)
          const error = yield* Effect.flip(open(url.href))
          assert.include(error.message, complaint)
          const secret = decodeURIComponent(new URL(text).password)
          assert.notInclude(inspect(error, { depth: 20, showHidden: true }), secret)
        })
      )

    cannotOpen(
      "with a wrong password",
      (url) => {
        url.password = "wrong"
      },
      'PostgreSQL does not let the user in (password authentication failed for user "postgres")'
    )
    cannotOpen(
      "in a database that there is not",
      (url) => {
        url.pathname = "/missing"
      },
      'PostgreSQL has no such database (database "missing" does not exist)'
    )
    cannotOpen(
      "where it may not make tables",
      (url) => {
        url.searchParams.set(
          "options",
          "-c search_path=information_schema,missing -c default_transaction_read_only=on"
        )
      },
      "PostgreSQL may only be read"
    )

    withDatabase("in a database that has not all characters", (url) =>
      Effect.gen(function* () {
        yield* server.administrate(
          "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
        const { message } = yield* Effect.flip(open(url.replace("/postgres?", "/ascii?")))
        assert.include(message, "its encoding is SQL_ASCII, which has not all characters")
      })
    )
  })
})
