/**
 * Whether input is a worker in order to the last field, by plain comparisons. Nearly all input is, and to say so costs a
 * twentieth of what a schema needs that could also say what is wrong. What is not in order here may be so for the
 * schema of `Worker`, which is the rule; nothing is in order here that is not so there.
 */
import { isText } from "./Text.ts"
import { isWorkerId, type WorkerId, type WorkerType } from "./WorkerId.ts"
import { WorkerLimits } from "./WorkerLimits.ts"

/** Input without anything that a schema would have to change, but for defaults, double tags and the time. */
interface WorkerInOrder {
  readonly id: WorkerId
  readonly capabilities: {
    readonly cpuCores: number
    readonly memoryMb: number
    readonly dockerEnabled?: boolean
    readonly customResources?: Readonly<Record<string, number>>
  }
  readonly metadata?: {
    readonly workerType?: WorkerType
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly tags?: ReadonlyArray<string>
    /** Any string. */
    readonly provisionedAt?: string
  }
}

/** A key such as `__proto__` would be an own property here and a prototype in the next program that copies it. */
export const isName = (value: unknown): boolean =>
  isText(value, 1, WorkerLimits.name) && value !== "__proto__"

export const isInOrder = (input: unknown): input is WorkerInOrder => {
  if (!isPlain(input) || !isWorkerId(input.id) || !areCapabilities(input.capabilities)) return false
  return isAbsent(input, "metadata") || isMetadata(input.metadata)
}

const areCapabilities = (input: unknown): boolean =>
  isPlain(input) &&
  isAmount(input.cpuCores, WorkerLimits.cpuCores) &&
  input.cpuCores > 0 &&
  isAmount(input.memoryMb, WorkerLimits.memoryMb) &&
  input.memoryMb > 0 &&
  Number.isInteger(input.memoryMb) &&
  (isAbsent(input, "dockerEnabled") || typeof input.dockerEnabled === "boolean") &&
  (isAbsent(input, "customResources") ||
    isRecord(input.customResources, WorkerLimits.customResources, isResourceAmount))

const isMetadata = (input: unknown): boolean =>
  isPlain(input) &&
  (isAbsent(input, "workerType") || input.workerType === "dynamic" || input.workerType === "static") &&
  (isAbsent(input, "namespace") || isText(input.namespace, 1, WorkerLimits.namespace)) &&
  (isAbsent(input, "labels") || isRecord(input.labels, WorkerLimits.labels, isLabelValue)) &&
  (isAbsent(input, "tags") || areTags(input.tags)) &&
  (isAbsent(input, "provisionedAt") || typeof input.provisionedAt === "string")

const isResourceAmount = (value: unknown) => isAmount(value, WorkerLimits.customResourceAmount)
const isLabelValue = (value: unknown) => isText(value, 0, WorkerLimits.labelValue)

const areTags = (input: unknown): boolean => {
  if (!Array.isArray(input) || input.length > WorkerLimits.tags) return false
  // Not `every`, which passes over what an array leaves out.
  for (let index = 0; index < input.length; index++) if (!isName(input[index])) return false
  return true
}

/** From 0 to `maximum`. */
const isAmount = (value: unknown, maximum: number): value is number =>
  typeof value === "number" && value >= 0 && value <= maximum

const isRecord = (input: unknown, maximum: number, isValue: (value: unknown) => boolean): boolean => {
  if (!isPlain(input)) return false
  let entries = 0
  for (const key in input) if (++entries > maximum || !isName(key) || !isValue(input[key])) return false
  return true
}

/** As it comes from JSON: what inherits something is left to the schema. */
const isPlain = (input: unknown): input is Readonly<Record<string, unknown>> => {
  if (typeof input !== "object" || input === null) return false
  const prototype: unknown = Object.getPrototypeOf(input)
  return prototype === Object.prototype || prototype === null
}

const isAbsent = (input: object, key: string): boolean => !(key in input)
