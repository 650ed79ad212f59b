/**
 * What a server answers to `GET /v1/cluster`, as far as the torture test goes by it.
 */
import { Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"

const ServerPicture = Schema.Struct({
  id: Schema.String,
  state: Schema.Literals(["up", "silent", "lost", "stopping"]),
  isThis: Schema.Boolean,
  partitions: Schema.Array(Schema.Int)
})
export type ServerPicture = typeof ServerPicture.Type

const ClusterPicture = Schema.Struct({
  clustered: Schema.Boolean,
  partitions: Schema.Int,
  servers: Schema.Array(ServerPicture),
  unowned: Schema.Array(Schema.Int)
})
export type ClusterPicture = typeof ClusterPicture.Type

const patience = "1 second"

export const takePicture = (url: string) =>
  HttpClient.execute(HttpClientRequest.get(`${url}/v1/cluster`)).pipe(
    Effect.flatMap(HttpClientResponse.filterStatusOk),
    Effect.flatMap(HttpClientResponse.schemaBodyJson(ClusterPicture)),
    Effect.timeout(patience)
  )

/**
 * How often each partition is claimed. What a lost server had is somebody else's, or nobody's.
 */
export const claims = ({ partitions, servers }: ClusterPicture): ReadonlyArray<number> => {
  const counts = new Array<number>(partitions).fill(0)
  for (const server of servers) {
    if (server.state === "lost") continue
    for (const partition of server.partitions) counts[partition] = (counts[partition] ?? 0) + 1
  }
  return counts
}

/** What cannot be true of one answer, whenever it was given. */
export const contradictionsIn = (picture: ClusterPicture): ReadonlyArray<string> => {
  const counts = claims(picture)
  const unowned = new Set(picture.unowned)
  return [
    ...(picture.clustered ? [] : ["it says that it is alone"]),
    ...(picture.servers.filter(({ isThis }) => isThis).length > 1
      ? ["two servers are the one that answers"]
      : []),
    ...counts.flatMap((count, partition) => {
      if (count > 1) return [`${count} servers have partition ${partition}`]
      if (count === 1 && unowned.has(partition)) return [`partition ${partition} is somebody's and nobody's`]
      return []
    })
  ]
}
