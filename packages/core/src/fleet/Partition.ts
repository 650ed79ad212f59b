/**
 * Where several processes share a fleet, each looks after some of its partitions. A worker's is a function of its id
 * alone, so that everybody knows it without asking.
 */
import type { WorkerId } from "../WorkerId.ts"
import { mix } from "./HeldIds.ts"

/** How many partitions every fleet has. */
export const partitions = 32

/**
 * The partition of a worker, from 0 to {@link partitions} − 1. Stores keep it with each worker: it must never change.
 * (FNV-1a over the id, with a final mix.)
 */
export const partitionOf = (id: WorkerId): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  return mix(hash >>> 0) % partitions
}
