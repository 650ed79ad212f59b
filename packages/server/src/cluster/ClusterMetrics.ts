/**
 * The metrics of a server of a cluster; one that is alone has none of them.
 */
import { MetricFamily } from "@muster/core"

export const partitionsHeld = MetricFamily.gauge({
  name: "muster_partitions_held",
  help: "Partitions of the fleet that this server of a cluster looks after, for certain",
  whenItMoves:
    "It moves when a server comes or goes. Those of all servers together are 32; fewer for longer than the lock's expiration: nobody looks after some of the workers, see `muster cluster`",
  labels: {}
})

export const serversSeen = MetricFamily.gauge({
  name: "muster_cluster_servers",
  help: "Servers of the cluster of which this one, by the store, knows that they live, itself included",
  whenItMoves: "A server has joined, left or gone silent: `muster cluster` says which",
  labels: {}
})

export const clusterMetrics: ReadonlyArray<MetricFamily.MetricFamily> = [partitionsHeld, serversSeen]
