/**
 * Those who wait for something to become true of a worker.
 */
import { Deferred, Effect, Option } from "effect"
import type { WorkerId } from "../WorkerId.ts"
import type { StoreUnavailable } from "./FleetStore.ts"
import type { WorkerRecord } from "./WorkerRecord.ts"

export class Observers {
  private readonly byWorker = new Map<WorkerId, Set<(record: WorkerRecord) => void>>()

  /** The workers that somebody waits for. */
  get workerIds(): ReadonlyArray<WorkerId> {
    return Array.from(this.byWorker.keys())
  }

  has(workerId: WorkerId): boolean {
    return this.byWorker.has(workerId)
  }

  /** A record was committed. */
  notify(record: WorkerRecord): void {
    this.byWorker.get(record.id)?.forEach((observer) => observer(record))
  }

  /** Waits for a record that fits; one that `get` finds not to be there is not waited for. */
  until(
    workerId: WorkerId,
    get: Effect.Effect<Option.Option<WorkerRecord>, StoreUnavailable>,
    fits: (record: WorkerRecord) => boolean
  ): Effect.Effect<Option.Option<WorkerRecord>, StoreUnavailable> {
    return Effect.suspend(() => {
      const fitting = Deferred.makeUnsafe<Option.Option<WorkerRecord>>()
      const stop = this.add(workerId, (record) => {
        if (fits(record)) Deferred.doneUnsafe(fitting, Effect.succeedSome(record))
      })
      // Looked at only once nothing can be missed any more.
      return get.pipe(
        Effect.flatMap((record) =>
          Option.isNone(record) || fits(record.value) ? Effect.succeed(record) : Deferred.await(fitting)
        ),
        Effect.ensuring(Effect.sync(stop))
      )
    })
  }

  private add(workerId: WorkerId, observer: (record: WorkerRecord) => void): () => void {
    const observers = this.byWorker.get(workerId) ?? new Set()
    this.byWorker.set(workerId, observers)
    observers.add(observer)
    return () => {
      observers.delete(observer)
      if (observers.size === 0) this.byWorker.delete(workerId)
    }
  }
}
