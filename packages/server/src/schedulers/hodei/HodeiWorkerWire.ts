/**
 * Package `hodei.worker`, the protocol as Hodei describes it: one service for everything.
 */
import { Effect } from "effect"
import { WorkerAgentServiceService as Methods } from "../generated/hodei/worker/worker_agent.ts"
import type { GrpcChannel } from "../grpc/GrpcChannel.ts"
import type { Wire } from "./Wire.ts"
import { jobIdOf, toWorkerInfo } from "./WorkerInfo.ts"

/** All of them: the field is an int32, and 0 could be read as none. */
const everyWorker = 2 ** 31 - 1

export const hodeiWorkerWire = (channel: GrpcChannel): Wire => ({
  register: (worker, { sessionId, token }) =>
    Effect.map(
      channel.unary(Methods.register, {
        authToken: token,
        workerInfo: toWorkerInfo(worker),
        sessionId,
        jobId: jobIdOf(worker)
      }),
      ({ assignedWorkerId, message, sessionId, success }) => ({
        success,
        message,
        workerId: assignedWorkerId?.value ?? "",
        sessionId
      })
    ),
  // Who unregisters a worker knows that it is gone; what ran on it is lost either way.
  unregister: (workerId, reason) =>
    channel.unary(Methods.unregisterWorker, { workerId: { value: workerId }, force: true, reason }),
  list: Effect.map(
    channel.unary(Methods.getAvailableWorkers, { maxResults: everyWorker }),
    ({ totalAvailable, workers }) => ({
      ids: workers.map(({ workerId }) => workerId?.value ?? ""),
      total: Math.max(totalAvailable, workers.length)
    })
  )
})
