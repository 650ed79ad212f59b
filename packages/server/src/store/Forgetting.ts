/**
 * Forgetting: terminated workers go with all that is kept of them.
 */
import type { WorkerId } from "@muster/core"
import type { ForgetOptions } from "@muster/core/fleet"
import { Effect } from "effect"
import type * as SqlError from "effect/sql/SqlError"
import type { StoreDatabase } from "./StoreDatabase.ts"
import type { makeStoreState } from "./StoreState.ts"
import type { makeTimelines } from "./Timelines.ts"
import { CountChanges, type makeWorkerCounts } from "./WorkerCounts.ts"
import type { makeWorkerRows } from "./WorkerRows.ts"

/** What stands for a worker among those that a transaction waits for. */
export const workerName = (id: WorkerId): string => `worker ${id}`

export const makeForget = (
  { sql, transactionOn }: StoreDatabase,
  state: ReturnType<typeof makeStoreState>,
  workers: ReturnType<typeof makeWorkerRows>,
  counts: ReturnType<typeof makeWorkerCounts>,
  timelines: ReturnType<typeof makeTimelines>
) => {
  const removeUnchanged = Effect.fnUntraced(function* (
    candidates: ReadonlyMap<WorkerId, number>
  ): Effect.fn.Return<number, SqlError.SqlError> {
    const found = yield* workers.find(Array.from(candidates.keys()))
    const forgotten = found.filter(
      ({ record: { id, phase, updatedAt } }) => phase === "terminated" && updatedAt === candidates.get(id)
    )
    if (forgotten.length === 0) return 0
    const ordinals = forgotten.map(({ ordinal }) => ordinal)
    const numbers = new CountChanges()
    for (const kept of forgotten) numbers.add(kept, -1)
    yield* timelines.removeAllOf(ordinals)
    yield* workers.remove(ordinals)
    yield* counts.change(numbers)
    yield* counts.dropEmpty
    const generations = forgotten.map(({ record }) => record.generation)
    yield* state.forgetGeneration(generations.reduce((left, right) => Math.max(left, right)))
    return forgotten.length
  })

  return Effect.fnUntraced(function* ({
    before,
    keep,
    limit
  }: ForgetOptions): Effect.fn.Return<number, SqlError.SqlError> {
    const surplus = (yield* counts.total({ phases: ["terminated"] })) - keep
    const oldest = yield* sql<{ id: WorkerId; updated_at: number }>`SELECT id, updated_at
      FROM muster_worker WHERE phase = 'terminated' ORDER BY updated_at, ordinal LIMIT ${limit}`
    const candidates = new Map(
      oldest
        .filter(({ updated_at }, index) => index < surplus || updated_at < before)
        .map(({ id, updated_at }) => [id, updated_at])
    )
    if (candidates.size === 0) return 0
    return yield* transactionOn(Array.from(candidates.keys(), workerName), removeUnchanged(candidates))
  })
}
