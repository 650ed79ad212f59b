/**
 * How a fleet lies in etcd. Below the prefix there are two keys for each worker:
 *
 * - `workers/{id}`: `{"generation": 7, "worker": {…}}`, while it is registered. This is what others watch.
 * - `generations/{id}`: the generation as 16 decimal digits, so that etcd, which compares bytes, compares numbers. It
 *   outlives the worker for a while: then it keeps a late registration from bringing it back.
 */
import { type HeldWorker, Worker, type WorkerId } from "@muster/core"
import { Option, Schema } from "effect"
import type { KeyValue } from "../generated/etcd/etcd.ts"

/** The digits of the largest generation. */
const digits = String(Number.MAX_SAFE_INTEGER).length

export class EtcdLayout {
  private readonly workers: string
  private readonly generations: string

  constructor(prefix: string) {
    this.workers = `${prefix}/workers/`
    this.generations = `${prefix}/generations/`
  }

  workerKey(id: WorkerId): Uint8Array {
    return Buffer.from(this.workers + id)
  }

  generationKey(id: WorkerId): Uint8Array {
    return Buffer.from(this.generations + id)
  }

  get firstWorkerKey(): Uint8Array {
    return Buffer.from(this.workers)
  }

  /** The first key that is no worker's: `0` follows `/`. */
  get workersEnd(): Uint8Array {
    return Buffer.from(this.workers.replace(/\/$/, "0"))
  }

  /** None where somebody else has put something that is not a worker. */
  heldWorker({ key, value }: KeyValue): Option.Option<HeldWorker> {
    const id = Buffer.from(key).toString().slice(this.workers.length)
    return Option.filter(decodeHeld(Buffer.from(value).toString()), ({ worker }) => worker.id === id)
  }
}

/** The value of `workers/{id}`. A `DateTime` writes itself as the schema of a worker does. */
export const workerValue = (worker: Worker, generation: number): Uint8Array =>
  Buffer.from(JSON.stringify({ generation, worker }))

/** The value of `generations/{id}`. */
export const generationValue = (generation: number): Uint8Array =>
  Buffer.from(String(generation).padStart(digits, "0"))

/** `undefined` where it is none. */
export const generationOf = (value: Uint8Array): number | undefined => {
  const text = Buffer.from(value).toString()
  return /^\d{16}$/.test(text) ? Number(text) : undefined
}

const decodeEnvelope = Schema.decodeUnknownOption(
  Schema.fromJsonString(
    Schema.Struct({ generation: Schema.optionalKey(Schema.Finite), worker: Schema.Unknown })
  )
)

const decodeHeld = (json: string): Option.Option<HeldWorker> =>
  Option.flatMap(decodeEnvelope(json), ({ generation, worker }) =>
    Option.map(Worker.decodeOption(worker), (worker) =>
      generation === undefined ? { worker } : { worker, generation }
    )
  )
