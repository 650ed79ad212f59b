/**
 * From the value of `--store` to the store that it names.
 */
import { FleetStore, MemoryFleetStore } from "@muster/core/fleet"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { AuditLog } from "../access/AuditLog.ts"
import { auditedMemory } from "../access/MemoryAuditLog.ts"
import { makeMemoryTokenStore } from "../access/MemoryTokenStore.ts"
import { TokenStore } from "../access/TokenStore.ts"
import { WrongUsage } from "../WrongUsage.ts"
import type { CannotOpenStore } from "./CannotOpenStore.ts"
import { isPostgresUrl, parsePostgresUrl } from "./PostgresUrl.ts"
import type { StoreServices } from "./SqlStores.ts"

/** The name of the store that forgets everything when the process ends. */
export const memoryStore = "memory"

/** The store that is used where none is named: a file in the data directory. */
export const defaultStore = ".muster/fleet.db"

/**
 * The store that `spec` names, with what else is kept there: `memory`, which forgets with the process, a `postgres://` URL, or the path of a file.
 * Building the layer fails with {@link WrongUsage} where it names none, and with {@link CannotOpenStore} where it
 * cannot be opened.
 *
 * @example
 * ```ts
 * import { FleetStore } from "@muster/core/fleet"
 * import { Effect } from "effect"
 * import { storeLayer } from "./store/Stores.ts"
 *
 * const overview = Effect.flatMap(FleetStore, (store) => store.overview).pipe(
 *   Effect.provide(storeLayer("/var/lib/muster/fleet.db"))
 * )
 * ```
 */
export const storeLayer = (spec: string): Layer.Layer<StoreServices, WrongUsage | CannotOpenStore> =>
  Layer.unwrap(
    Effect.map(storeKind(spec), (kind) => {
      switch (kind) {
        case "memory":
          return memoryStoreLayer
        case "postgres":
          return postgresStoreLayer(spec)
        case "file":
          return sqliteStoreLayer(spec)
      }
    })
  )

/** What kind of store `spec` names; fails where it names none. */
export const storeKind = (
  spec: string
): Effect.Effect<"memory" | "file" | "postgres", WrongUsage | CannotOpenStore> => {
  if (spec === memoryStore) return Effect.succeed("memory")
  if (isPostgresUrl(spec)) return Effect.as(parsePostgresUrl(Redacted.make(spec)), "postgres")
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(spec)?.[1]
  return spec.trim() === "" || scheme !== undefined
    ? Effect.fail(unsupported(scheme))
    : Effect.succeed("file")
}

/** The store that `spec` names, as it may be shown: without a password. */
export const shownStore = (spec: string): Effect.Effect<string, CannotOpenStore> =>
  isPostgresUrl(spec)
    ? Effect.map(parsePostgresUrl(Redacted.make(spec)), ({ withoutPassword }) => withoutPassword(spec))
    : Effect.succeed(spec)

const memoryStoreLayer: Layer.Layer<StoreServices> = Layer.effectContext(
  Effect.map(MemoryFleetStore.make, (fleetStore) => {
    const { auditLog, store } = auditedMemory(fleetStore)
    return Context.make(FleetStore, store).pipe(
      Context.add(TokenStore, makeMemoryTokenStore()),
      Context.add(AuditLog, auditLog)
    )
  })
)

/**
 * What `--store` says, where it may: every user of the machine can see the arguments of a process, so a password has
 * no place among them.
 */
export const checkStoreFlag = (
  flag: Option.Option<string>
): Effect.Effect<Option.Option<string>, WrongUsage> =>
  Option.match(flag, {
    onNone: () => Effect.succeed(flag),
    onSome: (spec) =>
      isPostgresUrl(spec)
        ? parsePostgresUrl(Redacted.make(spec)).pipe(
            // One that is no address is told where it is opened.
            Effect.orElseSucceed(() => ({ hasPassword: false })),
            Effect.flatMap(({ hasPassword }) =>
              hasPassword ? Effect.fail(passwordInFlag) : Effect.succeed(flag)
            )
          )
        : Effect.succeed(flag)
  })

const passwordInFlag = new WrongUsage({
  message:
    "--store takes no address with a password, which every user of this machine could see. " +
    "Put the address into MUSTER_STORE, or into a file that MUSTER_STORE_FILE names"
})

// What a command does not need, or a store, is not loaded: both take a while.
const sqliteStoreLayer = (path: string) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./SqliteStore.ts")),
      (store) => store.sqliteStoreLayer(path)
    )
  )

const postgresStoreLayer = (spec: string) =>
  Layer.effectContext(
    Effect.flatMap(
      Effect.promise(() => import("./PostgresStore.ts")),
      ({ openPostgresStore }) => openPostgresStore(Redacted.make(spec))
    )
  )

const unsupported = (scheme: string | undefined) =>
  new WrongUsage({
    message:
      `--store (MUSTER_STORE) ${scheme === undefined ? "is empty" : `${scheme}://… is not supported`}: ` +
      `it is "memory", the path of a file, or postgres://user:password@host:5432/database`
  })
