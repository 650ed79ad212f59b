/**
 * Brings the tables of a database to the form that this version of Muster reads and writes. Forward only, and in one
 * transaction: a database is migrated as a whole or as it was.
 *
 * Servers of two neighbouring versions can work on one database. So what a migration takes away or changes, the version
 * before it must not need: a change takes two of them. The first adds (with a default, for those who do not know it), the
 * second, in a later version, removes, and raises `compatible_from`: the oldest version of the tables that a server may
 * know to work on these.
 */
import { Effect, Schema } from "effect"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import * as SqlError from "effect/sql/SqlError"
import fleet from "./migrations/0001_fleet.ts"
import backlog from "./migrations/0002_backlog.ts"
import access from "./migrations/0003_access.ts"
import cluster from "./migrations/0004_cluster.ts"

const migrations = { "1_fleet": fleet, "2_backlog": backlog, "3_access": access, "4_cluster": cluster }

/** The version of the tables that this version of Muster makes. */
export const newestMigration = Object.keys(migrations).length

const table = "muster_migration"

/** The tables were made by a version of Muster that comes after this one, and are not for this one any more. */
class NewerStore extends Schema.TaggedError<NewerStore>("@muster/server/NewerStore")("NewerStore", {
  version: Schema.Int
}) {
  override get message(): string {
    return (
      `it was written by a newer version of muster: its tables are of version ${this.version}, ` +
      `and this one knows ${newestMigration}. Run that version again, or another store`
    )
  }
}

type MigrateError = NewerStore | Migrator.MigrationError | SqlError.SqlError

export const migrate = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient
): Effect.fn.Return<void, MigrateError> {
  yield* Effect.provideService(run, SqlClient.SqlClient, sql)
  const [latest] = yield* sql<{ version: number }>`SELECT max(migration_id) AS version FROM ${sql(table)}`
  if (latest === undefined || latest.version <= newestMigration) return
  const [state] = yield* sql<{ compatible_from: number }>`SELECT compatible_from FROM muster_state`
  if ((state?.compatible_from ?? Infinity) > newestMigration)
    return yield* new NewerStore({ version: latest.version })
})

const run = Migrator.make({})({ loader: Migrator.fromRecord(migrations), table })

/** In words for people; `describe` says what an error of the database means. */
export const describeMigrationError = (
  error: MigrateError,
  describe: (error: SqlError.SqlError) => string
): string => {
  switch (error._tag) {
    case "SqlError":
      return describe(error)
    case "MigrationError":
      return `its tables cannot be made: ${SqlError.isSqlError(error.cause) ? describe(error.cause) : error.message}`
    default:
      return error.message
  }
}
