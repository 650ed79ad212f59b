/**
 * The fleet's store in PostgreSQL, for those who have a server of it, or several services on one store. What `modify`
 * has answered is committed there; the server flushes it before it says so, even where it is configured not to.
 *
 * Whoever writes locks the workers and keys that it is about first, known or not; so those of several services that
 * have none in common commit side by side, and none of them can fail for another. Within a service, transactions take
 * turns: many changes share one.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import {
  Clock,
  type Context,
  Duration,
  Effect,
  Fiber,
  Random,
  type Redacted,
  Schema,
  type Scope,
  Semaphore
} from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as SqlClient from "effect/sql/SqlClient"
import * as SqlError from "effect/sql/SqlError"
import { CannotOpenStore } from "./CannotOpenStore.ts"
import { describeMigrationError, migrate } from "./Migrations.ts"
import { makePostgresDatabase, raisePlaces, stripes } from "./PostgresDatabase.ts"
import { describePostgresError } from "./PostgresErrors.ts"
import { parsePostgresUrl } from "./PostgresUrl.ts"
import { makeSqlStores, type StoreServices } from "./SqlStores.ts"
import { makeAttempt } from "./StoreAttempt.ts"

export interface PostgresStoreOptions {
  /** How long one answer may take, after which the store is unavailable. Default 15 seconds. */
  readonly timeout?: Duration.Input | undefined
}

/** The store in the database that a `postgres://` URL names; its tables are made where there are none. */
export const openPostgresStore = Effect.fnUntraced(function* (
  url: Redacted.Redacted,
  options: PostgresStoreOptions = {}
): Effect.fn.Return<Context.Context<StoreServices>, CannotOpenStore, Scope.Scope> {
  const { name, withoutPassword } = yield* parsePostgresUrl(url)
  const timeout = Duration.fromInputUnsafe(options.timeout ?? "15 seconds")
  const within = makeWithin(timeout)
  const describe = (error: SqlError.SqlError) => withoutPassword(describePostgresError(error))

  // Without the error itself: what is wrong in a URL may be quoted in it, and a URL has a password.
  const client = yield* Effect.mapError(connectPostgres(url, { timeout, connections: 5 }), (error) =>
    CannotOpenStore.because(name, describe(error))
  )
  yield* Effect.andThen(requireUtf8(client), Effect.andThen(migrate(client), raisePlaces(client))).pipe(
    // It takes more than one answer.
    makeWithin(Duration.times(timeout, 4)),
    Effect.mapError((error) =>
      CannotOpenStore.because(
        name,
        error._tag === "NotUtf8" ? error.message : describeMigrationError(error, describe)
      )
    ),
    Effect.withTracerEnabled(false)
  )
  const attempt = makeAttempt(name, describe)
  const stripe = yield* Random.nextIntBetween(0, stripes - 1)
  const database = makePostgresDatabase(client, yield* Semaphore.make(1), stripe)
  return makeSqlStores(database, (doing, effect) => attempt(doing, within(effect)))
})

/** What a database says of itself, as far as a store in it is concerned. */
export interface PostgresInspection {
  /** Of PostgreSQL. */
  readonly version: string
  readonly encoding: string
  /** Milliseconds since 1970, there and halfway between asking and answering here. */
  readonly clock: number
  readonly askedAt: number
  /** The version of Muster's tables; absent where there are none. */
  readonly tables: number | undefined
  readonly mayMakeTables: boolean
}

/** Looks at the database that a `postgres://` URL names, and changes nothing in it. */
export const inspectPostgres = (
  url: Redacted.Redacted,
  timeout: Duration.Duration
): Effect.Effect<PostgresInspection, CannotOpenStore> =>
  Effect.gen(function* () {
    const { name, withoutPassword } = yield* parsePostgresUrl(url)
    const inspect = Effect.gen(function* () {
      const sql = yield* connectPostgres(url, { timeout, connections: 1 })
      const before = yield* Clock.currentTimeMillis
      const [found] = yield* sql<{
        version: string
        encoding: string
        clock: number
        has_tables: boolean
        may_make: boolean
      }>`SELECT current_setting('server_version') AS version, current_setting('server_encoding') AS encoding,
        (extract(epoch FROM clock_timestamp()) * 1000)::double precision AS clock,
        to_regclass('muster_migration') IS NOT NULL AS has_tables,
        coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_make`
      const after = yield* Clock.currentTimeMillis
      if (found === undefined) return yield* Effect.die(new Error("no row"))
      const [latest] = found.has_tables
        ? yield* sql<{ tables: number }>`SELECT max(migration_id) AS tables FROM muster_migration`
        : []
      return {
        version: found.version,
        encoding: found.encoding,
        clock: found.clock,
        askedAt: (before + after) / 2,
        tables: latest?.tables,
        mayMakeTables: found.may_make
      }
    })
    return yield* makeWithin(timeout)(Effect.scoped(inspect)).pipe(
      Effect.mapError((error) =>
        CannotOpenStore.because(name, withoutPassword(describePostgresError(error)))
      ),
      Effect.withTracerEnabled(false)
    )
  })

/** A client of the database that a `postgres://` URL names. `timeout`: how long one answer may take. */
export const connectPostgres = (
  url: Redacted.Redacted,
  { connections, timeout }: { readonly connections: number; readonly timeout: Duration.Duration }
) => {
  // The server gives up earlier, so that it has let go of everything, and says why, before we do.
  const serverTimeout = (share: number) => String(Math.max(1, Math.round(Duration.toMillis(timeout) * share)))
  return PgClient.make({
    url,
    applicationName: "muster",
    maxConnections: connections,
    connectTimeout: Duration.min(timeout, Duration.seconds(5)),
    keepAlive: "10 seconds",
    startupParameters: {
      statement_timeout: serverTimeout(0.75),
      lock_timeout: serverTimeout(0.5),
      // A service that has stopped in the middle of a transaction must not stop the others for longer than they wait.
      idle_in_transaction_session_timeout: serverTimeout(1 / 3),
      // Everything is found by its key or along an index. Of tables that have grown since they were last analysed, the
      // planner would believe otherwise.
      enable_seqscan: "off",
      enable_bitmapscan: "off",
      enable_hashjoin: "off",
      enable_mergejoin: "off",
      jit: "off"
    }
  }).pipe(Effect.provide(Reactivity.layer))
}

class NotUtf8 extends Schema.TaggedError<NotUtf8>("@muster/server/NotUtf8")("NotUtf8", {
  encoding: Schema.String
}) {
  override get message(): string {
    return `its encoding is ${this.encoding}, which has not all characters; make a database in UTF8`
  }
}

const requireUtf8 = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient
): Effect.fn.Return<void, NotUtf8 | SqlError.SqlError> {
  const [{ encoding } = { encoding: "unknown" }] = yield* sql<{ encoding: string }>`
    SELECT current_setting('server_encoding') AS encoding`
  if (encoding !== "UTF8") return yield* new NotUtf8({ encoding })
})

/**
 * A limit on the time that an effect takes. A server that does not answer does not answer to being interrupted
 * either, so that is not waited for.
 */
const makeWithin =
  (limit: Duration.Duration) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError.SqlError, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.forkDetach(Effect.interruptible(effect)), (fiber) =>
        Fiber.join(fiber).pipe(
          Effect.timeoutOrElse({
            duration: limit,
            orElse: () => {
              fiber.interruptUnsafe()
              return Effect.fail(timedOut(limit))
            }
          }),
          restore,
          Effect.onInterrupt(() => Fiber.interrupt(fiber))
        )
      )
    )

const timedOut = (limit: Duration.Duration) =>
  new SqlError.SqlError({
    reason: new SqlError.StatementTimeoutError({
      cause: new Error(`no answer within ${Duration.format(limit)}`),
      message: "no answer"
    })
  })
