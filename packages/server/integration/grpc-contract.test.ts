import { EmbeddedScheduler } from "@muster/core"
import { schedulerPortContract } from "@muster/testing"
import { Effect, Layer } from "effect"
import { layer } from "@muster/server/schedulers/Grpc"
import { serveGrpc } from "../src/schedulers/grpc/GrpcServer.ts"

const served = Layer.unwrap(
  Effect.map(serveGrpc(EmbeddedScheduler.make().port, { host: "127.0.0.1", port: 0 }), (port) =>
    layer({ addresses: [`127.0.0.1:${port}`] })
  )
)

schedulerPortContract("The gRPC adapter", served, { clock: "live" })
