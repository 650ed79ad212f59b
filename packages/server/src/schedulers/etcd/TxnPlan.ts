/**
 * How many registrations go into as few transactions as etcd's limits allow: on the operations of one (each
 * registration is one, and its own operations count once more), on the bytes of a request, and on keys, which a
 * transaction must not write twice.
 */
import type { WorkerId } from "@muster/core"
import { bytesOf, opsOfWorker, type Registration } from "./WorkerTxn.ts"

/** What etcd takes, as far as is known. */
export class TxnLimits {
  private maxOps: number
  private readonly maxBytes: number

  constructor(maxOps: number, maxBytes: number) {
    this.maxOps = maxOps
    this.maxBytes = maxBytes
  }

  /** etcd takes fewer operations than a transaction of so many registrations has. */
  tooMany(registrations: number): void {
    this.maxOps = Math.min(this.maxOps, Math.ceil(registrations / 2) + opsOfWorker)
  }

  get registrations(): number {
    return Math.max(1, this.maxOps - opsOfWorker)
  }

  get bytes(): number {
    return this.maxBytes - envelope
  }
}

/** Of a request beside its registrations: the write that is never done, and what etcd adds when it writes it down. */
const envelope = 2048

/** What goes into one transaction. */
export type Chunk = ReadonlyArray<Registration>

/**
 * Waves one after another, each of transactions that may be under way together. Of two registrations of the same
 * worker the later one is in a later wave.
 */
export const planTxns = (
  registrations: ReadonlyArray<Registration>,
  limits: TxnLimits
): ReadonlyArray<ReadonlyArray<Chunk>> => {
  const waves: Array<Array<Registration>> = []
  const occurrences = new Map<WorkerId, number>()
  for (const registration of registrations) {
    const earlier = occurrences.get(registration.id) ?? 0
    occurrences.set(registration.id, earlier + 1)
    const wave = (waves[earlier] ??= [])
    wave.push(registration)
  }
  return waves.map((wave) => chunksOf(wave, limits))
}

const chunksOf = (wave: ReadonlyArray<Registration>, limits: TxnLimits): ReadonlyArray<Chunk> => {
  const chunks: Array<Chunk> = []
  let chunk: Array<Registration> = []
  let bytes = 0
  for (const registration of wave) {
    const more = bytesOf(registration)
    if (chunk.length === limits.registrations || (chunk.length > 0 && bytes + more > limits.bytes)) {
      chunks.push(chunk)
      chunk = []
      bytes = 0
    }
    chunk.push(registration)
    bytes += more
  }
  if (chunk.length > 0) chunks.push(chunk)
  return chunks
}
