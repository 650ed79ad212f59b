/**
 * Who works on a PostgreSQL database: one server that has it for itself, or the servers of a cluster, but not both. It is
 * a lock of a session, so it ends with the process, however that ends.
 */
import { Duration, Effect, type Redacted, Schedule, type Scope } from "effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import { CannotOpenStore } from "./CannotOpenStore.ts"
import { describePostgresError } from "./PostgresErrors.ts"
import { connectPostgres } from "./PostgresStore.ts"
import { parsePostgresUrl } from "./PostgresUrl.ts"

export type Occupancy = "alone" | "shared"

const functions = { alone: "pg_try_advisory_lock", shared: "pg_try_advisory_lock_shared" }

/** The server does not notice at once that a process is gone. */
const patience = Schedule.max([Schedule.spaced("250 millis"), Schedule.recurs(20)])

const lookInterval = Duration.seconds(5)

const reasons = {
  alone:
    "other servers work on it. Stop them, or let all of them share it: muster serve --cluster (MUSTER_CLUSTER=on)",
  shared:
    "a server without --cluster works on it. Stop that one; all that share a database need --cluster (MUSTER_CLUSTER=on)"
}

/** Works on the database until the scope ends; fails where others do who exclude it. */
export const occupy = Effect.fnUntraced(function* (
  url: Redacted.Redacted,
  occupancy: Occupancy
): Effect.fn.Return<void, CannotOpenStore, Scope.Scope> {
  const { name, withoutPassword } = yield* parsePostgresUrl(url)
  const describe = (error: SqlError.SqlError) => withoutPassword(describePostgresError(error))
  const sql = yield* connectPostgres(url, { timeout: lookInterval, connections: 1 }).pipe(
    Effect.mapError((error) => CannotOpenStore.because(name, describe(error)))
  )
  const isOurs = yield* isGranted(sql, occupancy).pipe(
    Effect.repeat({ schedule: patience, until: (granted) => granted }),
    Effect.mapError((error) => CannotOpenStore.because(name, describe(error)))
  )
  if (!isOurs) return yield* CannotOpenStore.because(name, reasons[occupancy])
  // A lock that was lost with its connection is taken again. Who has taken it meanwhile is told of, and not stopped: that
  // is for people to decide.
  let isTold = false
  const look = Effect.flatMap(isGranted(sql, occupancy), (granted) => {
    const isNew = !granted && !isTold
    isTold = !granted
    return isNew ? Effect.logError(`The store ${name} is used by others: ${reasons[occupancy]}`) : Effect.void
  })
  yield* Effect.forkScoped(Effect.repeat(Effect.ignore(look), Schedule.spaced(lookInterval)))
})

/** A lock that a session has, it gets again. */
const isGranted = (
  sql: SqlClient.SqlClient,
  occupancy: Occupancy
): Effect.Effect<boolean, SqlError.SqlError> =>
  Effect.map(
    sql<{ granted: boolean }>`SELECT ${sql.literal(functions[occupancy])}(
      hashtextextended('muster ' || coalesce(current_schema(), ''), 0)) AS granted`,
    ([row]) => row?.granted === true
  ).pipe(Effect.withTracerEnabled(false))
