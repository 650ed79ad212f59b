/**
 * What Kubernetes knows of the servers of a cluster. Its word is one more beside the store's, and only against a server:
 * where the API cannot be asked, the store's is enough.
 */
import { Duration, Effect, FileSystem, Layer } from "effect"
import * as K8sHttpClient from "effect/cluster/K8sHttpClient"
import * as RunnerHealth from "effect/cluster/RunnerHealth"

/** Where a pod finds the namespace that it is in; beside it is the token that the API is asked with. */
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

/** The client itself would ask again for ever, and nothing would be found out meanwhile. */
const patience = Duration.seconds(2)

const unanswered =
  "The Kubernetes API does not say which pods there are; which servers live is found out from the store alone"

/**
 * A server lives if the store says so, and its pod is still there. `podSelector`: a label selector of the servers' pods;
 * absent: all pods of the namespace.
 *
 * A pod that is there and not ready counts as there: it is so while the database is away, for all of them at once, and
 * moving partitions about would not help. The API's answer can be ten seconds old, and a server can be in the cluster
 * before its pod is known to run: so a pod is missed only after it was seen.
 */
export const podHealthLayer = (
  livesInStore: RunnerHealth.RunnerHealth["Service"]["isAlive"],
  podSelector: string | undefined
): Layer.Layer<RunnerHealth.RunnerHealth, never, K8sHttpClient.K8sHttpClient | FileSystem.FileSystem> =>
  Layer.effect(
    RunnerHealth.RunnerHealth,
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const namespace = yield* Effect.orElseSucceed(files.readFileString(namespaceFile), () => "")
      if (namespace === "") {
        yield* Effect.logWarning(
          `Kubernetes is not asked which servers live: there is no ${namespaceFile}; ` +
            "give the pod its ServiceAccount's token, or set MUSTER_CLUSTER_HEALTH to store"
        )
        return { isAlive: livesInStore }
      }
      const pods = yield* K8sHttpClient.makeGetPods({
        namespace: namespace.trim(),
        labelSelector: podSelector
      })
      const seen = new Set<string>()
      let wasAnswered = true
      const isGone = (host: string) =>
        Effect.timeout(pods, patience).pipe(
          Effect.map((running) => {
            wasAnswered = true
            for (const address of running.keys()) seen.add(address)
            return seen.has(host) && !running.has(host)
          }),
          Effect.catchCause(() => {
            const isNew = wasAnswered
            wasAnswered = false
            return Effect.as(isNew ? Effect.logWarning(unanswered) : Effect.void, false)
          })
        )
      return {
        isAlive: (address) =>
          Effect.flatMap(livesInStore(address), (lives) =>
            lives ? Effect.map(isGone(address.host), (gone) => !gone) : Effect.succeed(false)
          )
      }
    })
  )
