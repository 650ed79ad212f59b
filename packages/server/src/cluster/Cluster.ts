/**
 * The servers that look after the fleet, and which of them looks after which partition: what is shown to people, from
 * whichever server they ask.
 */
import { partitions, type StoreUnavailable } from "@muster/core/fleet"
import { Clock, Context, Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { version } from "../version.ts"
import { ListeningUrl } from "./ListeningUrl.ts"

/** One server of the cluster. Times are milliseconds since 1970, by the store's clock. */
export interface ClusterServer {
  /** Another one with each start. */
  readonly id: string
  /** Where the other servers reach it, host:port; absent where it is alone. */
  readonly address: string | undefined
  /** Where its HTTP API listens. */
  readonly url: string
  readonly version: string
  readonly startedAt: number
  /** When it was heard of last. */
  readonly seenAt: number
  /** `up`: heard of within the last 5 seconds; `silent`: within the lock's expiration; `lost`: longer ago, its partitions are somebody else's or will be; `stopping`: it hands its partitions over. */
  readonly state: "up" | "silent" | "lost" | "stopping"
  /** The one that answers. */
  readonly isThis: boolean
  /** In ascending order. */
  readonly partitions: ReadonlyArray<number>
}

export interface ClusterView {
  /** `false`: this server is alone, without `--cluster`. */
  readonly clustered: boolean
  /** The oldest first. Lost ones are shown for ten minutes. */
  readonly servers: ReadonlyArray<ClusterServer>
  /** Those that no server looks after at present. */
  readonly unowned: ReadonlyArray<number>
}

export class Cluster extends Context.Service<
  Cluster,
  { readonly view: Effect.Effect<ClusterView, StoreUnavailable> }
>()("@muster/server/Cluster") {
  /** A server that is alone: it looks after everything itself. */
  static readonly layerAlone: Layer.Layer<Cluster, never, ListeningUrl> = Layer.effect(
    Cluster,
    Effect.gen(function* () {
      const listening = yield* ListeningUrl
      const id = randomUUID()
      const startedAt = yield* Clock.currentTimeMillis
      return {
        view: Effect.gen(function* () {
          const url = yield* listening.url
          const seenAt = yield* Clock.currentTimeMillis
          const server: ClusterServer = {
            id,
            address: undefined,
            url,
            version,
            startedAt,
            seenAt,
            state: "up",
            isThis: true,
            partitions: Array.from({ length: partitions }, (_, partition) => partition)
          }
          return { clustered: false, servers: [server], unowned: [] }
        })
      }
    })
  )
}
