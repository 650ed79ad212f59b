/**
 * How the service is set up: a flag over its variable over the default. What makes no sense is refused with the
 * variable's name and the rule.
 */
import type { FleetOptions } from "@muster/core/fleet"
import { Duration, Effect, Option, Schema } from "effect"
import { type AccessSettings, resolveAccess } from "./access/AccessSettings.ts"
import { type ClusterSettings, resolveCluster } from "./cluster/ClusterSettings.ts"
import { resolveFleetOptions } from "./FleetSettings.ts"
import { type LimitSettings, resolveLimits } from "./LimitSettings.ts"
import { resolveTls } from "./http/TlsSettings.ts"
import { type PolicySettings, resolvePolicies } from "./PolicySettings.ts"
import { defaultScheduler } from "./Schedulers.ts"
import { checkStoreFlag, defaultStore } from "./store/Stores.ts"
import type { TlsFiles } from "./tls/TlsFiles.ts"
import { positiveDuration, read, type Variable, variable } from "./Variables.ts"
import type { WrongUsage } from "./WrongUsage.ts"

export interface ServeSettings {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** Of HTTPS; `undefined`: HTTP. */
  readonly tls: TlsFiles | undefined
  readonly scheduler: string
  /** Of the scheduler `slurm`, where it was given. */
  readonly slurmConf: string | undefined
  readonly store: string
  /** `undefined`: this server has its store for itself. */
  readonly cluster: ClusterSettings | undefined
  /** How long work in flight may take to end once the service is told to stop. */
  readonly shutdownTimeout: Duration.Duration
  readonly access: AccessSettings
  readonly fleet: FleetOptions
  readonly policies: PolicySettings
  readonly limits: LimitSettings
}

/** What was given on the command line. */
export interface ServeFlags {
  readonly host: Option.Option<string>
  readonly port: Option.Option<number>
  readonly scheduler: Option.Option<string>
  readonly slurmConf?: Option.Option<string>
  readonly store: Option.Option<string>
  readonly cluster?: boolean
}

export const maximumPort = 65_535

const nonEmpty = Schema.String.check(Schema.isMinLength(1))

/** In the order in which they are shown. */
export const serviceVariables = {
  host: variable({
    name: "MUSTER_HOST",
    flag: "host",
    description: "the address to listen on",
    schema: nonEmpty,
    rule: "a host name or an IP address",
    fallback: "127.0.0.1"
  }),
  port: variable({
    name: "MUSTER_PORT",
    flag: "port",
    description: "the port to listen on; 0: any that is free",
    schema: Schema.FiniteFromString.check(
      Schema.isInt(),
      Schema.isBetween({ minimum: 0, maximum: maximumPort })
    ),
    rule: `a port, a whole number from 0 to ${maximumPort}`,
    fallback: 7070
  }),
  scheduler: variable({
    name: "MUSTER_SCHEDULER",
    flag: "scheduler",
    description: "the scheduler that workers are registered with",
    schema: nonEmpty,
    rule: `the name of a scheduler, such as ${defaultScheduler}`,
    fallback: defaultScheduler
  }),
  store: variable({
    name: "MUSTER_STORE",
    flag: "store",
    description: "where the fleet is kept: a file, `postgres://…`, or `memory`, which forgets it",
    schema: nonEmpty,
    rule: "memory, a file or a postgres:// address",
    // An address may have a password in it.
    canBeInFile: true,
    fallback: defaultStore
  }),
  shutdownTimeout: positiveDuration({
    name: "MUSTER_SHUTDOWN_TIMEOUT",
    description: "how long work in flight may take to end once the service is told to stop",
    fallback: Duration.seconds(10)
  })
}

export const resolveSettings = Effect.fnUntraced(function* (
  flags: ServeFlags
): Effect.fn.Return<ServeSettings, WrongUsage> {
  const over = <A>(flag: Option.Option<A>, otherwise: Variable<A>) =>
    Option.match(flag, { onSome: Effect.succeed, onNone: () => read(otherwise) })
  const fleet = yield* resolveFleetOptions
  const host = yield* over(flags.host, serviceVariables.host)
  const store = yield* over(yield* checkStoreFlag(flags.store), serviceVariables.store)
  const settings: ServeSettings = {
    host,
    port: yield* over(flags.port, serviceVariables.port),
    tls: (yield* resolveTls)?.files,
    scheduler: yield* over(flags.scheduler, serviceVariables.scheduler),
    slurmConf: Option.getOrUndefined(flags.slurmConf ?? Option.none()),
    store,
    cluster: yield* resolveCluster(store, host, flags.cluster === true),
    shutdownTimeout: yield* read(serviceVariables.shutdownTimeout),
    access: yield* resolveAccess(host),
    fleet,
    policies: yield* resolvePolicies(fleet.concurrency),
    limits: yield* resolveLimits
  }
  return settings
})
