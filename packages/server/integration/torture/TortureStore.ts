/**
 * The stores that the torture test can run over: what `--store` is given, and the database behind it, if it has one.
 */
import { Effect, type Scope } from "effect"
import { startPostgres } from "../PostgresServer.ts"

export const storeKinds = ["sqlite", "postgres", "memory"] as const
export type StoreKind = (typeof storeKinds)[number]

/** A database that is a process of its own. */
export interface Database {
  readonly kill: Effect.Effect<void>
  /** Ends it in the way that an administrator would, in a hurry or not. */
  readonly shutDown: (mode: "fast" | "immediate") => Effect.Effect<void>
  readonly port: number
  /** Does nothing where it runs. */
  readonly start: Effect.Effect<void>
}

export interface TortureStore {
  /** The value of `--store`. */
  readonly spec: string
  readonly database: Database | undefined
}

/** Opens a store in an empty folder, or where it has a place of its own. */
export const openStore = (
  kind: StoreKind,
  directory: string
): Effect.Effect<TortureStore, never, Scope.Scope> => {
  switch (kind) {
    case "memory":
      return Effect.succeed({ spec: "memory", database: undefined })
    case "sqlite":
      return Effect.succeed({ spec: `${directory}/fleet.db`, database: undefined })
    case "postgres":
      return startDatabase
  }
}

/** An empty PostgreSQL of its own. */
export const startDatabase = Effect.gen(function* () {
  const server = yield* startPostgres
  let isDown = false
  const down = Effect.sync(() => {
    isDown = true
  })
  const database: Database = {
    kill: Effect.andThen(server.kill, down),
    // Half of it could not be put right.
    shutDown: (mode) => Effect.uninterruptible(Effect.andThen(server.shutDown(mode), down)),
    port: server.port,
    // One that is interrupted while it starts could not be started again.
    start: Effect.uninterruptible(
      Effect.suspend(() => (isDown ? server.start : Effect.void)).pipe(
        Effect.andThen(
          Effect.sync(() => {
            isDown = false
          })
        )
      )
    )
  }
  return { spec: yield* server.makePlace, database }
})
