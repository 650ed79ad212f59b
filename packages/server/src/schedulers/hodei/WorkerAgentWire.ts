/**
 * The calls of Hodei's WorkerAgentService, as far as they differ between its versions.
 */
import type { Worker } from "@muster/core"
import { Effect } from "effect"
import { WorkerAgentServiceService as Methods, WorkerInfo } from "../generated/hodei/worker/worker_agent.ts"
import type { GrpcChannel } from "../grpc/GrpcChannel.ts"
import type { GrpcStatus } from "../grpc/GrpcStatus.ts"
import { jobIdOf, toWorkerInfo } from "./WorkerInfo.ts"

/** What the scheduler says to a call: yes or no. */
export interface Answer {
  readonly success: boolean
  readonly message: string
}

export interface Registered extends Answer {
  /** Empty where the scheduler says none. */
  readonly workerId: string
  readonly sessionId: string
}

/** A registration that is ready to be sent. */
export interface PreparedRegistration {
  /** What is registered, as it travels. */
  readonly bytes: Uint8Array
  readonly send: (proof: {
    readonly token: string
    readonly sessionId: string
  }) => Effect.Effect<Registered, GrpcStatus>
}

export interface Listed {
  readonly ids: ReadonlyArray<string>
  /** How many there are, as the scheduler says. */
  readonly total: number
}

/** The service in one of its versions. */
export interface Wire {
  readonly prepare: (worker: Worker) => PreparedRegistration
  readonly unregister: (workerId: string, reason: string) => Effect.Effect<Answer, GrpcStatus>
  readonly list: Effect.Effect<Listed, GrpcStatus>
}

/** All of them: the field is an int32, and 0 could be read as none. */
const everyWorker = 2 ** 31 - 1

/** Package `hodei.worker`. */
export const workerAgentWire = (channel: GrpcChannel): Wire => ({
  prepare: (worker) => {
    const workerInfo = toWorkerInfo(worker)
    return {
      bytes: WorkerInfo.encode(workerInfo).finish(),
      send: ({ sessionId, token }) =>
        channel
          .unary(Methods.register, { authToken: token, workerInfo, sessionId, jobId: jobIdOf(worker) })
          .pipe(
            Effect.map(({ assignedWorkerId, message, sessionId, success }) => ({
              success,
              message,
              workerId: assignedWorkerId?.value ?? "",
              sessionId
            }))
          )
    }
  },
  unregister: (workerId, reason) =>
    // Who unregisters a worker knows that it is gone; what ran on it is lost either way.
    channel.unary(Methods.unregisterWorker, { workerId: { value: workerId }, force: true, reason }),
  list: channel.unary(Methods.getAvailableWorkers, { maxResults: everyWorker }).pipe(
    Effect.map(({ totalAvailable, workers }) => ({
      ids: workers.map(({ workerId }) => workerId?.value ?? ""),
      total: Math.max(totalAvailable, workers.length)
    }))
  )
})
