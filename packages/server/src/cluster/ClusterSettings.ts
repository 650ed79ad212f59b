/**
 * How a server is one of several, from the environment.
 */
import { Duration, Effect } from "effect"
import { networkInterfaces } from "node:os"
import { isLoopback } from "../http/NetworkAddress.ts"
import { isPostgresUrl } from "../store/PostgresUrl.ts"
import { oneOf, positiveDuration, read, text, wholeNumber } from "../Variables.ts"
import { WrongUsage } from "../WrongUsage.ts"

export interface ClusterSettings {
  /** Where the other servers reach this one. */
  readonly host: string
  readonly port: number
  /** After so long without a word of it, a server's partitions are given to others. */
  readonly lockExpiration: Duration.Duration
  /** Where the servers find out which of them live: in the store, or from Kubernetes. */
  readonly health: "store" | "kubernetes"
  /** Of the pods of the servers, where Kubernetes is asked. */
  readonly podSelector: string | undefined
}

const shortestExpiration = Duration.seconds(3)

/** In the order in which they are shown. */
export const clusterVariables = {
  cluster: oneOf({
    name: "MUSTER_CLUSTER",
    flag: "cluster",
    description:
      "whether the store is shared with other servers, each of which looks after its part of the fleet",
    values: ["off", "on"],
    fallback: "off"
  }),
  host: text({
    name: "MUSTER_CLUSTER_HOST",
    description: "the name or address at which the other servers of the cluster reach this one",
    rule: "a host name or an IP address",
    defaultText: "the machine's own address; 127.0.0.1 where the service itself listens on loopback"
  }),
  port: wholeNumber({
    name: "MUSTER_CLUSTER_PORT",
    description: "the port for the other servers; nobody else should be able to reach it",
    minimum: 1,
    maximum: 65_535,
    fallback: 34_431
  }),
  lockExpiration: positiveDuration({
    name: "MUSTER_CLUSTER_LOCK_EXPIRATION",
    description:
      "how long the store may hear nothing of a server before its partitions are given to others; at least 3 seconds",
    fallback: Duration.seconds(10)
  }),
  health: oneOf({
    name: "MUSTER_CLUSTER_HEALTH",
    description:
      "where the servers find out which of them live: in the store, where each says so every second, or from Kubernetes as well, which knows whose pod is gone",
    values: ["store", "kubernetes"],
    fallback: "store"
  }),
  podSelector: text({
    name: "MUSTER_CLUSTER_POD_SELECTOR",
    description: "the label selector of the servers' pods, where Kubernetes is asked",
    rule: "a label selector, such as app.kubernetes.io/name=muster"
  })
}

/** `undefined`: there is no cluster. */
export const resolveCluster = Effect.fnUntraced(function* (
  store: string,
  serviceHost: string,
  flag: boolean
): Effect.fn.Return<ClusterSettings | undefined, WrongUsage> {
  const isOn = flag || (yield* read(clusterVariables.cluster)) === "on"
  const lockExpiration = yield* read(clusterVariables.lockExpiration)
  if (Duration.isLessThan(lockExpiration, shortestExpiration)) {
    return yield* new WrongUsage({
      message: `${clusterVariables.lockExpiration.name} must be at least ${Duration.format(shortestExpiration)}`
    })
  }
  if (!isOn) return undefined
  if (!isPostgresUrl(store)) {
    return yield* new WrongUsage({
      message:
        "--cluster (MUSTER_CLUSTER) needs a store that several servers can share: " +
        "name a PostgreSQL database with --store or MUSTER_STORE, such as postgres://muster@db.example/muster"
    })
  }
  return {
    host: (yield* read(clusterVariables.host)) ?? ownAddress(serviceHost),
    port: yield* read(clusterVariables.port),
    lockExpiration,
    health: yield* read(clusterVariables.health),
    podSelector: yield* read(clusterVariables.podSelector)
  }
})

const loopback = "127.0.0.1"

/** A service that only this machine can reach shows no more of itself to others for having company. */
const ownAddress = (serviceHost: string): string => {
  if (isLoopback(serviceHost)) return loopback
  const addresses = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? loopback
}
