/**
 * What of the cluster's configuration a registration depends on, read from the controller itself, since that is what
 * it works by.
 */
import { type SchedulerError, SchedulerFault } from "@muster/core"
import { Duration, Effect, Exit } from "effect"
import type { Scontrol } from "./Scontrol.ts"
import { errorOf } from "./SlurmErrors.ts"

export interface Cluster {
  /** The names that jobs can ask for with `--gres`. */
  readonly gresTypes: ReadonlySet<string>
  /** Where it cannot be worked with: why, and what to do. */
  readonly obstacle: string | undefined
}

/** An administrator may change it at any time. */
const validFor = Duration.seconds(10)

/** The configuration as of the last ten seconds; what could not be read is read again. */
export const makeCluster = (scontrol: Scontrol): Effect.Effect<Effect.Effect<Cluster, SchedulerError>> =>
  scontrol.call("show", "config").pipe(
    Effect.flatMap(({ printed, refusal }) =>
      refusal === undefined ? Effect.succeed(parseCluster(printed)) : Effect.fail(errorOf(refusal))
    ),
    Effect.cachedWithTTL((exit) => (Exit.isSuccess(exit) ? validFor : Duration.zero))
  )

/** Fails where the cluster cannot be worked with. */
export const requireUsable = ({ obstacle }: Cluster): Effect.Effect<void, SchedulerFault> =>
  obstacle === undefined
    ? Effect.void
    : Effect.fail(new SchedulerFault({ message: obstacle, retryable: true }))

/** From what `scontrol show config` prints. */
export const parseCluster = (printed: string): Cluster => {
  const setting = (name: string) => new RegExp(`^${name} *= *(.*)$`, "m").exec(printed)?.[1]?.trim() ?? ""
  const listed = (name: string) =>
    setting(name)
      .split(",")
      .map((item) => item.trim())
  return {
    gresTypes: new Set(listed("GresTypes").filter((type) => type !== "" && type !== "(null)")),
    obstacle: !listed("PrivateData").includes("cloud")
      ? "slurm.conf needs PrivateData=cloud: without it, Slurm hides the nodes on which no job runs"
      : setting("SelectType") !== "select/cons_tres"
        ? "slurm.conf needs SelectType=select/cons_tres: with another, Slurm has no dynamic nodes"
        : undefined
  }
}
