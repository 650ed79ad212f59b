/**
 * `/v1/cluster`: the servers, and who looks after what.
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Cluster } from "../cluster/Cluster.ts"
import { Api } from "./Api.ts"
import { toClusterResponse } from "./ClusterSchemas.ts"
import { storeUnavailable } from "./FleetProblems.ts"

export const ClusterHandlers = HttpApiBuilder.group(
  Api,
  "cluster",
  Effect.fnUntraced(function* (handlers) {
    const { view } = yield* Cluster
    return handlers.handle("getCluster", () =>
      Effect.mapBoth(view, { onSuccess: toClusterResponse, onFailure: (error) => storeUnavailable(error) })
    )
  })
)
