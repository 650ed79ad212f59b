/**
 * Workers as messages of Hodei's WorkerAgentService, and back. What has no field of its own travels as strings among
 * the capabilities ({@link toRemainingStrings}), so that nothing of a worker is lost.
 */
import { Worker } from "@muster/core"
import { DateTime, type Option } from "effect"
import type { WorkerInfo } from "../generated/hodei/worker/worker_agent.ts"
import { fromRemainingStrings, toRemainingStrings } from "./CapabilityStrings.ts"

export const toWorkerInfo = (worker: Worker): WorkerInfo => {
  const { capabilities, id, metadata } = worker
  return {
    workerId: { value: id },
    name: id,
    version: labelOf(worker, versionLabels),
    hostname: labelOf(worker, hostnameLabels) || id,
    architecture: labelOf(worker, architectureLabels),
    capacity: {
      cpuCoresTotal: capabilities.cpuCores,
      memoryBytesTotal: String(BigInt(capabilities.memoryMb) * bytesPerMib),
      gpuCountTotal: countGpus(capabilities.customResources)
    },
    capabilities: toRemainingStrings(worker),
    labels: metadata.labels,
    startTime: DateTime.toDateUtc(metadata.provisionedAt)
  }
}

/** None where it is not a worker within its bounds. */
export const fromWorkerInfo = (info: WorkerInfo): Option.Option<Worker> => {
  const { capabilities, metadata } = fromRemainingStrings(info.capabilities)
  return Worker.decodeOption({
    id: info.workerId?.value,
    capabilities: {
      cpuCores: info.capacity?.cpuCoresTotal,
      memoryMb: Number(BigInt(info.capacity?.memoryBytesTotal ?? 0) / bytesPerMib),
      ...capabilities
    },
    metadata: { ...metadata, labels: info.labels, provisionedAt: info.startTime?.toISOString() }
  })
}

/** The job that the worker was provisioned for, where a label says it. */
export const jobIdOf = ({ metadata }: Worker): string | undefined => metadata.labels[jobIdLabel] || undefined

const jobIdLabel = "hodei.dev/job-id"
const versionLabels = ["hodei.dev/version"]
const hostnameLabels = ["hodei.dev/hostname", "kubernetes.io/hostname", "hostname"]
const architectureLabels = ["hodei.dev/architecture", "kubernetes.io/arch", "architecture", "arch"]

/** The first of these labels that the worker has. */
const labelOf = ({ metadata }: Worker, names: ReadonlyArray<string>): string =>
  names.map((name) => metadata.labels[name]).find((value) => value !== undefined && value !== "") ?? ""

const bytesPerMib = 2n ** 20n

/** The field is an int32. */
const mostGpus = 2 ** 31 - 1

/** Whole ones only: `gpu`, and the extended resources of Kubernetes such as `nvidia.com/gpu`. */
const countGpus = (resources: Readonly<Record<string, number>>): number =>
  Object.entries(resources)
    .filter(([name]) => name === "gpu" || name.endsWith("/gpu"))
    .reduce((sum, [, amount]) => Math.min(mostGpus, sum + Math.floor(amount)), 0)
