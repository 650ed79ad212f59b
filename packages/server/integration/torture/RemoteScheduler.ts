/**
 * The adapter through which the service reaches the scheduler of the torture test, which is another process.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { type SchedulerError, SchedulerPort, SchedulerUnavailable } from "@muster/core"
import { Effect, Layer, Stream } from "effect"
import { RpcClient, type RpcClientError, RpcSerialization } from "effect/rpc"
import { SchedulerCalls } from "./SchedulerProtocol.ts"

/** How both ends speak; `connections`: at most so many at the same time. */
export const protocol = (url: string, connections: number) =>
  RpcClient.layerProtocolHttp({ url }).pipe(
    Layer.provide([
      RpcSerialization.layerNdjson,
      NodeHttpClient.layerNodeHttpOptions({ keepAlive: true, maxSockets: connections })
    ])
  )

export const remoteScheduler = (url: string): Layer.Layer<SchedulerPort> =>
  Layer.effect(
    SchedulerPort,
    Effect.map(RpcClient.make(SchedulerCalls), (scheduler) =>
      SchedulerPort.make({
        register: (worker, { generation }) =>
          Effect.mapError(scheduler.register({ worker, generation }), toSchedulerError),
        registerBatch: (members) => Effect.mapError(scheduler.registerBatch({ members }), toSchedulerError),
        unregister: (workerId, { generation }) =>
          Effect.mapError(scheduler.unregister({ workerId, generation }), toSchedulerError),
        get: (workerId) => Effect.mapError(scheduler.get({ workerId }), toSchedulerError),
        list: Stream.mapError(scheduler.list(), toSchedulerError),
        health: Effect.mapError(scheduler.health(), toSchedulerError)
      })
    )
  ).pipe(Layer.provide(protocol(url, 128)))

const toSchedulerError = (error: SchedulerError | RpcClientError.RpcClientError): SchedulerError =>
  error._tag === "RpcClientError" ? new SchedulerUnavailable({ message: error.message }) : error
