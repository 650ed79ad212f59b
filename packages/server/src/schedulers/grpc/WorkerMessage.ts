/**
 * Workers as messages of `muster.scheduler.v1`, and back.
 */
import type { HeldWorker, ListedWorker, Worker } from "@muster/core"
import { isWhole, Worker as WorkerSchema } from "@muster/core"
import { DateTime, Option } from "effect"
import {
  type HeldWorker as HeldWorkerMessage,
  type Worker as WorkerMessage,
  WorkerType
} from "../generated/muster/scheduler/v1/scheduler.ts"

export const toMessage = ({ capabilities, id, metadata }: Worker): WorkerMessage => ({
  id,
  capabilities: {
    cpuCores: capabilities.cpuCores,
    memoryMib: capabilities.memoryMb,
    dockerEnabled: capabilities.dockerEnabled,
    customResources: capabilities.customResources
  },
  metadata: {
    workerType: metadata.workerType === "static" ? WorkerType.STATIC : WorkerType.DYNAMIC,
    namespace: metadata.namespace,
    labels: metadata.labels,
    tags: Array.from(metadata.tags),
    provisionedAt: DateTime.toDateUtc(metadata.provisionedAt)
  }
})

/** None where it is not a worker within its bounds. */
export const fromMessage = (message: WorkerMessage | undefined): Option.Option<Worker> => {
  if (message === undefined) return Option.none()
  const { capabilities, id, metadata } = message
  return WorkerSchema.decodeOption({
    id,
    capabilities: {
      cpuCores: capabilities?.cpuCores,
      memoryMb: capabilities?.memoryMib,
      dockerEnabled: capabilities?.dockerEnabled,
      customResources: capabilities?.customResources
    },
    metadata: {
      workerType: metadata?.workerType === WorkerType.STATIC ? "static" : "dynamic",
      namespace: metadata?.namespace || "default",
      labels: metadata?.labels ?? {},
      tags: metadata?.tags ?? [],
      provisionedAt: toTimestamp(metadata?.provisionedAt)
    }
  })
}

const toTimestamp = (date: Date | undefined): string | undefined =>
  date === undefined || Number.isNaN(date.getTime()) ? undefined : date.toISOString()

export const fromHeldMessage = (held: HeldWorkerMessage | undefined): Option.Option<HeldWorker> =>
  Option.map(fromMessage(held?.worker), (worker) =>
    held === undefined || held.generation === 0 ? { worker } : { worker, generation: held.generation }
  )

export const toHeldMessage = (held: ListedWorker): HeldWorkerMessage => ({
  worker: isWhole(held)
    ? toMessage(held.worker)
    : { id: held.worker.id, capabilities: undefined, metadata: undefined },
  generation: held.generation ?? 0
})
