/**
 * What `/v1/cluster` sends.
 */
import { partitions } from "@muster/core/fleet"
import { Schema } from "effect"
import type { ClusterServer, ClusterView } from "../cluster/Cluster.ts"
import { formatTime, timestamp } from "./Schemas.ts"

const partitionList = Schema.Array(
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: partitions - 1 }))
)

const ClusterServerResponse = Schema.Struct({
  id: Schema.String.annotate({ description: "Another one with each start" }),
  address: Schema.NullOr(Schema.String).annotate({
    description: "Where the other servers reach it; null: it is alone",
    examples: ["10.0.0.1:34431"]
  }),
  url: Schema.String.annotate({
    description: "Where its HTTP API listens",
    examples: ["http://10.0.0.1:7070"]
  }),
  version: Schema.String.annotate({ description: "Of Muster", examples: ["1.0.0"] }),
  startedAt: timestamp,
  seenAt: timestamp.annotate({ description: "When it was heard of last" }),
  state: Schema.Literals(["up", "silent", "lost", "stopping"]).annotate({
    description:
      "up: heard of within the last 5 seconds. silent: it still has its partitions. lost: they are other servers', or will be. stopping: it hands them over"
  }),
  isThis: Schema.Boolean.annotate({ description: "The server that answers" }),
  partitions: partitionList.annotate({ description: "Which it looks after, ascending" })
}).annotate({ identifier: "ClusterServer" })

export const ClusterResponse = Schema.Struct({
  clustered: Schema.Boolean.annotate({ description: "false: this server is alone" }),
  partitions: Schema.Int.annotate({
    description: "Into how many the fleet is divided",
    examples: [partitions]
  }),
  servers: Schema.Array(ClusterServerResponse).annotate({
    description: "The oldest first. Lost ones are shown for ten minutes"
  }),
  unowned: partitionList.annotate({
    description:
      "Which no server looks after now: changes of their workers are accepted, and wait until one does"
  })
}).annotate({ identifier: "Cluster" })
export type ClusterResponse = typeof ClusterResponse.Type

const toServerResponse = ({
  address,
  seenAt,
  startedAt,
  ...server
}: ClusterServer): ClusterResponse["servers"][number] => ({
  ...server,
  address: address ?? null,
  startedAt: formatTime(startedAt),
  seenAt: formatTime(seenAt)
})

export const toClusterResponse = ({ clustered, servers, unowned }: ClusterView): ClusterResponse => ({
  clustered,
  partitions,
  servers: servers.map(toServerResponse),
  unowned
})
