/**
 * What `muster doctor` looks at in a store that is in PostgreSQL, and on its clock. Nothing is written.
 */
import { Duration, Effect, Redacted } from "effect"
import { newestMigration } from "../store/Migrations.ts"
import { inspectPostgres } from "../store/PostgresStore.ts"
import { clockFinding } from "./ClockDifference.ts"
import { type Finding, ok, problem } from "./Finding.ts"

/** Sooner than the check as a whole, so that it can say why. */
const patience = Duration.seconds(4)

export const checkPostgresStore = (url: string): Effect.Effect<ReadonlyArray<Finding>> =>
  inspectPostgres(Redacted.make(url), patience).pipe(
    Effect.map(({ askedAt, clock, encoding, mayMakeTables, tables, version }): ReadonlyArray<Finding> => {
      const clocks = clockFinding(clock - askedAt, "PostgreSQL's", 0)
      if (encoding !== "UTF8") {
        return [problem(`the database has the encoding ${encoding}`, "Make a database in UTF8."), clocks]
      }
      if (tables !== undefined && tables > newestMigration) {
        return [
          problem(
            `the database was written by a newer version of muster: its tables are of version ${tables}, and this one knows ${newestMigration}`,
            "Run that version again, or start with an empty store and import an export."
          ),
          clocks
        ]
      }
      if (tables === undefined && !mayMakeTables) {
        return [
          problem(
            "there are no tables of muster, and this user may not make them",
            "GRANT CREATE ON SCHEMA to the user of the URL, or set its search_path."
          ),
          clocks
        ]
      }
      const state =
        tables === undefined ? "the service makes its tables" : `its tables are of version ${tables}`
      return [ok(`PostgreSQL ${version} answers; ${state}`), clocks]
    }),
    Effect.catch(({ message }) =>
      Effect.succeed([
        problem(message, "Look whether it runs, and whether user, password and address are right.")
      ])
    )
  )
