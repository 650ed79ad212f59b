/**
 * The adapter through which the service reaches the scheduler of the torture test, which is another process.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { type SchedulerError, SchedulerPort, SchedulerUnavailable } from "@muster/core"
import { Effect, Exit, Layer, Result, Stream } from "effect"
import { RpcClient, type RpcClientError, RpcSerialization } from "effect/rpc"
import type { GivenUp } from "./GivenUp.ts"
import { SchedulerCalls, type Sender } from "./SchedulerProtocol.ts"

/** How both ends speak; `connections`: at most so many at the same time. */
export const protocol = (url: string, connections: number) =>
  RpcClient.layerProtocolHttp({ url }).pipe(
    Layer.provide([
      RpcSerialization.layerNdjson,
      NodeHttpClient.layerNodeHttpOptions({ keepAlive: true, maxSockets: connections })
    ])
  )

/** `giveUp` is told of each call that changes something and is over without an answer. */
export const remoteScheduler = (url: string, giveUp: (call: GivenUp) => void): Layer.Layer<SchedulerPort> =>
  Layer.effect(
    SchedulerPort,
    Effect.map(RpcClient.make(SchedulerCalls), (scheduler) => {
      let calls = 0
      const send = <A>(
        call: (from: Sender) => Effect.Effect<A, SchedulerError | RpcClientError.RpcClientError>
      ) =>
        Effect.suspend(() => {
          const from = { pid: process.pid, call: ++calls, sentAt: Date.now() }
          return Effect.onExit(call(from), (exit) =>
            Effect.sync(() => {
              if (!isAnswer(exit)) giveUp({ ...from, at: Date.now() })
            })
          )
        }).pipe(Effect.mapError(toSchedulerError))
      return SchedulerPort.make({
        register: (worker, { generation }) =>
          send((from) => scheduler.register({ from, worker, generation })),
        registerBatch: (members) => send((from) => scheduler.registerBatch({ from, members })),
        unregister: (workerId, { generation }) =>
          send((from) => scheduler.unregister({ from, workerId, generation })),
        get: (workerId) => Effect.mapError(scheduler.get({ workerId }), toSchedulerError),
        list: Stream.mapError(scheduler.list(), toSchedulerError),
        health: Effect.mapError(scheduler.health(), toSchedulerError)
      })
    })
  ).pipe(Layer.provide(protocol(url, 128)))

/** Whether the scheduler has said something. */
const isAnswer = <A>(exit: Exit.Exit<A, SchedulerError | RpcClientError.RpcClientError>): boolean => {
  if (Exit.isSuccess(exit)) return true
  const error = Result.getOrUndefined(Exit.findError(exit))
  return error !== undefined && error._tag !== "RpcClientError"
}

const toSchedulerError = (error: SchedulerError | RpcClientError.RpcClientError): SchedulerError =>
  error._tag === "RpcClientError" ? new SchedulerUnavailable({ message: error.message }) : error
