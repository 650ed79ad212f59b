/**
 * Which server looks after which partition: each is a singleton of Effect's cluster engine, which places it on one live
 * server, spreads them evenly, and moves them when a server comes or goes. The engine says who should have a partition;
 * that nobody else has it any more is made sure of by the claim in the store.
 */
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { partitions } from "@muster/core/fleet"
import { Duration, Effect, Layer, Option } from "effect"
import * as EntityId from "effect/cluster/EntityId"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Sharding from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SocketRunner from "effect/cluster/SocketRunner"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import type { ClusterSettings } from "./ClusterSettings.ts"
import { podHealthLayer } from "./PodHealth.ts"

/**
 * The engine, over the `SqlClient` of the context. `isAlive`: whether a server lives, by the same word as its claims; one
 * that was stopped still accepts connections, so asking it says nothing.
 */
export const engineLayer = (
  settings: ClusterSettings,
  isAlive: (address: string) => Effect.Effect<boolean, unknown>
) => {
  const { health, host, lockExpiration, podSelector, port } = settings
  const third = Duration.times(lockExpiration, 1 / 3)
  const config = ShardingConfig.layer({
    runnerAddress: Option.some(RunnerAddress.make(host, port)),
    // One for each partition.
    shardsPerGroup: partitions,
    shardLockExpiration: lockExpiration,
    shardLockRefreshInterval: third,
    // Rows outlive a restart of the database and a change of connections; locks of a session do not.
    shardLockDisableAdvisory: true,
    refreshAssignmentsInterval: Duration.seconds(1),
    runnerHealthCheckInterval: third,
    entityMessagePollInterval: Duration.seconds(1)
  })
  const livesInStore = ({ host, port }: RunnerAddress.RunnerAddress) =>
    // Where the store does not answer, nobody is moved.
    Effect.orElseSucceed(isAlive(`${host}:${port}`), () => true)
  const runnerHealth =
    health === "kubernetes"
      ? podHealthLayer(livesInStore, podSelector).pipe(
          Layer.provide([NodeClusterSocket.layerK8sHttpClient, NodeFileSystem.layer])
        )
      : Layer.succeed(RunnerHealth.RunnerHealth, { isAlive: livesInStore })
  return SocketRunner.layer.pipe(
    Layer.provide([NodeClusterSocket.layerSocketServer, NodeClusterSocket.layerClientProtocol]),
    Layer.provide(runnerHealth),
    // Partitions are sent no messages.
    Layer.provide(MessageStorage.layerNoop),
    Layer.provide(SqlRunnerStorage.layerWith({ prefix: "muster_cluster" })),
    Layer.provide(config),
    Layer.provide(RpcSerialization.layerSchemaBinary())
  )
}

/** Runs `lookAfter` for each partition on one server at a time; where it is interrupted, it is waited for. */
export const placePartitions = Effect.fnUntraced(function* (
  lookAfter: (partition: number) => Effect.Effect<void>
) {
  const sharding = yield* Sharding.Sharding
  for (let partition = 0; partition < partitions; partition++) {
    yield* sharding.registerSingleton(nameOf(sharding, partition), lookAfter(partition))
  }
})

/**
 * The engine spreads shards evenly, and puts a singleton on the one that its name falls upon. So that each partition has
 * a shard of its own, its name is one that falls upon that.
 */
const nameOf = (sharding: Sharding.Sharding["Service"], partition: number): string => {
  for (let attempt = 0; ; attempt++) {
    const name = `partition ${partition} ${attempt}`
    if (sharding.getShardId(EntityId.make(name), "default").id === partition + 1) return name
  }
}
