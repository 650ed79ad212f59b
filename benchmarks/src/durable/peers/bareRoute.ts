/** A route of Effect's `HttpApi` that decodes a worker as Muster does and answers, and stores nothing. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Worker, WorkerId } from "@muster/core"
import { Effect, Layer, Schema } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { createServer } from "node:http"

const Accepted = Schema.Struct({ id: WorkerId, generation: Schema.Int, phase: Schema.String }).annotate({
  httpApiStatus: 202
})

const Api = HttpApi.make("bare").add(
  HttpApiGroup.make("workers").add(
    HttpApiEndpoint.post("registerWorker", "/v1/workers", { payload: Schema.Unknown, success: Accepted })
  )
)

let generation = 0

const Handlers = HttpApiBuilder.group(Api, "workers", (handlers) =>
  handlers.handle("registerWorker", ({ payload }) =>
    Worker.decode(payload).pipe(
      Effect.map(({ id }) => ({ id, generation: generation++, phase: "pending" })),
      Effect.orDie
    )
  )
)

/** Listens on a free port until the process ends. */
export const listen = async (): Promise<number> => {
  const server = createServer()
  const service = HttpRouter.serve(HttpApiBuilder.layer(Api).pipe(Layer.provide(Handlers)), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(Layer.provide(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 })))
  const listening = new Promise((resolve) => server.once("listening", resolve))
  Effect.runFork(Layer.launch(service))
  await listening
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("there is no port")
  return address.port
}
