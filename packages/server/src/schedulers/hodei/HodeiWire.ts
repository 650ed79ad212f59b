/**
 * Package `hodei`, which Hodei's own server (0.69) serves: the same calls, some fields elsewhere, and the list in another
 * service.
 */
import { Effect } from "effect"
import { SchedulerServiceService, WorkerAgentServiceService as Methods } from "../generated/hodei/hodei.ts"
import type { GrpcChannel } from "../grpc/GrpcChannel.ts"
import type { Wire } from "./Wire.ts"
import { jobIdOf, toWorkerInfo } from "./WorkerInfo.ts"

export const hodeiWire = (channel: GrpcChannel): Wire => ({
  register: (worker, { sessionId, token }) => {
    const { capacity, ...info } = toWorkerInfo(worker)
    return Effect.map(
      channel.unary(Methods.register, {
        authToken: token,
        workerInfo: {
          ...info,
          capacity: {
            cpuCores: worker.capabilities.cpuCores,
            memoryBytes: capacity?.memoryBytesTotal ?? "0",
            gpuCount: capacity?.gpuCountTotal ?? 0,
            customResources: wholeAmounts(worker.capabilities.customResources)
          }
        },
        sessionId,
        jobId: jobIdOf(worker)
      }),
      ({ message, sessionId, success, workerId }) => ({
        success,
        message,
        workerId: workerId?.value ?? "",
        sessionId
      })
    )
  },
  unregister: (workerId, reason) =>
    channel.unary(Methods.unregisterWorker, { workerId: { value: workerId }, force: true, reason }),
  list: Effect.map(channel.unary(SchedulerServiceService.getAvailableWorkers, {}), ({ workers }) => ({
    ids: workers.map(({ workerId }) => workerId?.value ?? ""),
    total: workers.length
  }))
})

/** The field has no fractions; what is less than one whole is still said among the capabilities. */
const wholeAmounts = (resources: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(resources).map(([name, amount]) => [name, Math.floor(amount)]))
