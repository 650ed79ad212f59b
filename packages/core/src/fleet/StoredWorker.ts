/**
 * A worker as it lies in a store: JSON, decoded when somebody looks and written when somebody stores it, each at most
 * once. Most steps of a worker's life need neither.
 */
import { type Worker, workerFromJson } from "../Worker.ts"

export class StoredWorker {
  private decoded: Worker | undefined
  private encoded: string | undefined

  private constructor(decoded: Worker | undefined, encoded: string | undefined) {
    this.decoded = decoded
    this.encoded = encoded
  }

  static of(worker: Worker): StoredWorker {
    return new StoredWorker(worker, undefined)
  }

  /** From JSON that a store wrote; what nobody has written is a defect when it is looked at. */
  static fromJson(json: string): StoredWorker {
    return new StoredWorker(undefined, json)
  }

  get worker(): Worker {
    this.decoded ??= workerFromJson(this.json)
    return this.decoded
  }

  /** The worker as `Worker` encodes it: a `DateTime` writes itself as the schema does. */
  get json(): string {
    this.encoded ??= JSON.stringify(this.decoded)
    return this.encoded
  }
}
