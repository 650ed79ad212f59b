/**
 * How the service is set up: a flag over its variable over the default. What makes no sense is refused with the
 * variable's name and the rule.
 */
import type { FleetOptions } from "@muster/core/fleet"
import { Duration, Effect, Option, Schema } from "effect"
import { resolveFleetOptions } from "./FleetSettings.ts"
import { type PolicySettings, resolvePolicies } from "./PolicySettings.ts"
import { defaultScheduler } from "./Schedulers.ts"
import { defaultStore } from "./store/Stores.ts"
import { positiveDuration, variable } from "./Variables.ts"
import type { WrongUsage } from "./WrongUsage.ts"

export interface ServeSettings {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  readonly scheduler: string
  /** Of the scheduler `slurm`, where it was given. */
  readonly slurmConf: string | undefined
  readonly store: string
  /** How long work in flight may take to end once the service is told to stop. */
  readonly shutdownTimeout: Duration.Duration
  readonly fleet: FleetOptions
  readonly policies: PolicySettings
}

/** What was given on the command line. */
export interface ServeFlags {
  readonly host: Option.Option<string>
  readonly port: Option.Option<number>
  readonly scheduler: Option.Option<string>
  readonly slurmConf?: Option.Option<string>
  readonly store: Option.Option<string>
}

export const maximumPort = 65_535

const text = Schema.String.check(Schema.isMinLength(1))

const port = Schema.FiniteFromString.check(
  Schema.isInt(),
  Schema.isBetween({ minimum: 0, maximum: maximumPort })
)

export const resolveSettings = Effect.fnUntraced(function* (
  flags: ServeFlags
): Effect.fn.Return<ServeSettings, WrongUsage> {
  const over = <A>(flag: Option.Option<A>, otherwise: Effect.Effect<A, WrongUsage>) =>
    Option.match(flag, { onSome: Effect.succeed, onNone: () => otherwise })
  const fleet = yield* resolveFleetOptions
  const settings: ServeSettings = {
    host: yield* over(flags.host, variable("MUSTER_HOST", text, "a host name or an IP address", "127.0.0.1")),
    port: yield* over(
      flags.port,
      variable("MUSTER_PORT", port, `a port, a whole number from 0 to ${maximumPort}`, 7070)
    ),
    scheduler: yield* over(
      flags.scheduler,
      variable(
        "MUSTER_SCHEDULER",
        text,
        `the name of a scheduler, such as ${defaultScheduler}`,
        defaultScheduler
      )
    ),
    slurmConf: Option.getOrUndefined(flags.slurmConf ?? Option.none()),
    store: yield* over(
      flags.store,
      variable("MUSTER_STORE", text, "memory, a file or a postgres:// address", defaultStore)
    ),
    shutdownTimeout: yield* positiveDuration("MUSTER_SHUTDOWN_TIMEOUT", Duration.seconds(10)),
    fleet,
    policies: yield* resolvePolicies(fleet.concurrency)
  }
  return settings
})
