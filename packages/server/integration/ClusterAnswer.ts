/**
 * What answers as a service does whose cluster is as the test says.
 */
import { once } from "node:events"
import { createServer } from "node:http"
import type { ClusterView } from "../src/cluster/Cluster.ts"
import { toClusterResponse } from "../src/http/ClusterSchemas.ts"
import { version } from "../src/version.ts"

export const answering = async (view: ClusterView) => {
  const cluster = { view }
  const server = createServer(({ url }, response) => {
    const answer = url === "/v1/cluster" ? toClusterResponse(cluster.view) : { status: "ok", version }
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  const port = typeof address === "object" ? address?.port : undefined
  return {
    /** Its `view` can be replaced. */
    cluster,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    }
  }
}
