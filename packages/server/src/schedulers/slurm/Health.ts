/**
 * What can be said of a cluster as a whole: its controllers, and whether its configuration can be worked with.
 */
import type { SchedulerError, SchedulerHealth } from "@muster/core"
import { Effect } from "effect"
import type { Cluster } from "./Cluster.ts"
import type { Scontrol } from "./Scontrol.ts"

export const slurmHealth = (
  { ping }: Scontrol,
  cluster: Effect.Effect<Cluster, SchedulerError>
): Effect.Effect<SchedulerHealth, SchedulerError> =>
  Effect.gen(function* (): Effect.fn.Return<SchedulerHealth, SchedulerError> {
    const { down, up } = yield* ping
    if (up === 0) return { status: "unavailable", message: "no controller of Slurm answers scontrol ping" }
    const { obstacle } = yield* cluster
    if (obstacle !== undefined) return { status: "degraded", message: obstacle }
    if (down > 0)
      return { status: "degraded", message: `${down} of Slurm's ${up + down} controllers are down` }
    return { status: "healthy" }
  })
