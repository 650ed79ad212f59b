/**
 * A worker as Slurm schedules on it: what of its capabilities, labels and tags becomes CPUs, memory, features and
 * generic resources of a node. What Slurm has no place for is kept in the node's notes alone.
 */
import { SchedulerRejected, type Worker } from "@muster/core"
import { Result } from "effect"

export interface NodeSpec {
  /** Whole; Slurm does not know parts of one. */
  readonly cpus: number
  readonly memoryMb: number
  /** In the order in which they are written; {@link markerFeature} is the first. */
  readonly features: ReadonlyArray<string>
  /** As in `Gres=`: `gpu:2,gpu:a100:1`; empty for none. */
  readonly gres: string
  /** Where its `slurmd` is reached; absent: under its name. */
  readonly address: string | undefined
}

/** The feature of every node that Muster has made. A node without it is somebody else's. */
export const markerFeature = "muster"

/** The label whose value becomes `NodeAddr`. */
export const addressLabel = "slurm/node-addr"

/** The most CPUs that Slurm counts for one node: 16 bits less its three special values. */
const maxCpus = 65_533

/** The longest feature. What would be longer is kept in the notes alone. */
const maxFeatureLength = 200

/** The node for a worker, where `gresTypes` are the names that `GresTypes` in slurm.conf lists. */
export const toNodeSpec = (
  { capabilities, metadata }: Worker,
  gresTypes: ReadonlySet<string>
): Result.Result<NodeSpec, SchedulerRejected> => {
  const cpus = Math.max(1, Math.floor(capabilities.cpuCores))
  if (cpus > maxCpus) {
    return rejected(`cpuCores is ${capabilities.cpuCores}, and Slurm counts at most ${maxCpus} CPUs a node`)
  }
  const address = metadata.labels[addressLabel]
  if (address !== undefined && !/^[A-Za-z0-9](?:[A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$/.test(address)) {
    return rejected(`the label ${addressLabel} is neither a host name nor an address`)
  }
  return Result.succeed({
    cpus,
    memoryMb: capabilities.memoryMb,
    features: featuresOf({ capabilities, metadata }),
    gres: gresOf(capabilities.customResources, gresTypes),
    address
  })
}

/** The `code` of a worker that Slurm cannot hold as a node. */
export const invalidNode = "invalid_node"

const rejected = (message: string) =>
  Result.fail(
    new SchedulerRejected({ message: `Slurm cannot hold this worker: ${message}`, code: invalidNode })
  )

const featuresOf = ({ capabilities, metadata }: Pick<Worker, "capabilities" | "metadata">) => {
  const features = [
    markerFeature,
    `type=${metadata.workerType}`,
    `namespace=${encode(metadata.namespace)}`,
    ...(capabilities.dockerEnabled ? ["docker"] : []),
    ...metadata.tags.map(encode),
    ...Object.entries(metadata.labels)
      .filter(([name]) => name !== addressLabel)
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
  ]
  return Array.from(new Set(features)).filter((feature) => feature.length <= maxFeatureLength)
}

/**
 * As in a URL, what is no letter, digit or harmless sign: `sbatch --constraint` has a meaning for `& | * , : ( ) [ ]`
 * and others. `%` is harmless.
 */
const encode = (text: string): string =>
  encodeURIComponent(text)
    .replaceAll("%2F", "/")
    .replaceAll("%40", "@")
    .replaceAll("%2B", "+")
    .replace(/[!'()*~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)

/** `gpu` and, of a certain kind, `gpu:a100`: the name of a resource is that of the type, with the kind if there is one. */
const gresOf = (resources: Readonly<Record<string, number>>, gresTypes: ReadonlySet<string>): string =>
  Object.entries(resources)
    .filter(([name, amount]) => amount >= 1 && isGres(name, gresTypes))
    .map(([name, amount]) => `${name}:${Math.floor(amount)}`)
    .toSorted()
    .join(",")

/** Whether Slurm can give jobs a share of the custom resource of this name. */
export const isGres = (name: string, gresTypes: ReadonlySet<string>): boolean => {
  const [, type] = /^([A-Za-z0-9._-]+)(?::[A-Za-z][A-Za-z0-9._-]*)?$/.exec(name) ?? []
  return type !== undefined && gresTypes.has(type)
}
