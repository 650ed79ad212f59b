/**
 * From a Kubernetes Node to what a worker is decoded from.
 *
 * | worker | Node |
 * | --- | --- |
 * | `id` | `metadata.name` |
 * | `capabilities.cpuCores`, `memoryMb` | `cpu` and `memory` of `status.allocatable`, or else of `status.capacity` |
 * | `capabilities.customResources` | every extended resource: the names with a `/`, such as `nvidia.com/gpu` |
 * | `capabilities.dockerEnabled` | true where the container runtime is Docker |
 * | `metadata.labels` | `metadata.labels` |
 * | `metadata.provisionedAt` | `metadata.creationTimestamp` |
 *
 * `allocatable` comes first because it is what is left for work: capacity minus what the node keeps for itself. The
 * native resources without a `/` (`ephemeral-storage`, `hugepages-…`, `pods`, `attachable-volumes-…`) have no
 * counterpart in a worker and are left out.
 */
import type { WorkerIssue } from "@muster/core"
import { Predicate } from "effect"
import * as Quantity from "./Quantity.ts"

/** A value that says of itself what it is, as every Kubernetes object does. */
export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly [key: string]: unknown
}

export const isKubernetesObject = (value: unknown): value is KubernetesObject =>
  Predicate.isObject(value) && Predicate.isString(value.apiVersion) && Predicate.isString(value.kind)

/** Whether an object is a list of others: `v1/List`, as `kubectl get` prints it, or `NodeList`, as the server does. */
export const isList = (
  value: unknown
): value is KubernetesObject & { readonly items: ReadonlyArray<unknown> } =>
  isKubernetesObject(value) && /^(Node)?List$/.test(value.kind) && Array.isArray(value.items)

/** An element of a list. Those of a `NodeList` do not repeat what they are. */
export const listElement = (element: unknown, listKind: string | undefined): unknown =>
  listKind === "NodeList" && Predicate.isObject(element)
    ? { apiVersion: "v1", kind: "Node", ...element }
    : element

/** What a worker is decoded from. Anything but a Node has an issue that says what it is instead. */
export const workerFromObject = (
  object: KubernetesObject
): { readonly input: unknown; readonly issues: ReadonlyArray<WorkerIssue> } => {
  if (object.kind !== "Node" || object.apiVersion !== "v1") {
    const received = `a ${object.kind.slice(0, 100)} (${object.apiVersion.slice(0, 100)})`
    return { input: object, issues: [{ path: "", rule: "a Kubernetes Node (v1)", received }] }
  }
  const issues: Array<WorkerIssue> = []
  const metadata = member(object, "metadata")
  const status = member(object, "status")
  const resources = { ...toRecord(member(status, "capacity")), ...toRecord(member(status, "allocatable")) }
  const read = (name: string, path: string, convert: (quantity: Quantity.Quantity) => number): unknown => {
    const value = resources[name]
    if (value === undefined || value === null) return undefined
    const quantity =
      Predicate.isString(value) || Predicate.isNumber(value) ? Quantity.parse(String(value)) : undefined
    if (quantity !== undefined) return convert(quantity)
    issues.push({
      path,
      rule: `a Kubernetes quantity such as 8, 500m or 16Gi in the Node's resource ${name}`,
      received: Predicate.isString(value) ? `a string of ${value.length} characters` : `a ${typeof value}`
    })
    return value
  }
  const customResources = Object.fromEntries(
    Object.keys(resources)
      .filter((name) => name.includes("/"))
      .map((name) => [name, read(name, `capabilities.customResources.${name}`, Quantity.toNumber)])
  )
  const input = {
    id: member(metadata, "name"),
    capabilities: {
      cpuCores: read("cpu", "capabilities.cpuCores", Quantity.toNumber),
      memoryMb: read("memory", "capabilities.memoryMb", Quantity.toMebibytes),
      ...(usesDocker(status) ? { dockerEnabled: true } : undefined),
      customResources
    },
    metadata: {
      labels: member(metadata, "labels") ?? undefined,
      provisionedAt: member(metadata, "creationTimestamp") ?? undefined
    }
  }
  return { input, issues }
}

const usesDocker = (status: unknown): boolean => {
  const runtime = member(member(status, "nodeInfo"), "containerRuntimeVersion")
  return Predicate.isString(runtime) && runtime.startsWith("docker://")
}

const member = (value: unknown, key: string): unknown =>
  Predicate.hasProperty(value, key) ? value[key] : undefined

const toRecord = (value: unknown): Readonly<Record<string, unknown>> => (isRecord(value) ? value : {})

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => Predicate.isObject(value)
