/**
 * Forgetting: terminated workers go with all that is kept of them.
 */
import type { ForgetOptions } from "@muster/core/fleet"
import { Effect } from "effect"
import type * as SqlError from "effect/sql/SqlError"
import type { StoreDatabase } from "./StoreDatabase.ts"
import type { makeStoreState } from "./StoreState.ts"
import type { makeTimelines } from "./Timelines.ts"
import { CountChanges, type makeWorkerCounts } from "./WorkerCounts.ts"
import type { makeWorkerRows } from "./WorkerRows.ts"

export const makeForget = (
  { sql }: StoreDatabase,
  state: ReturnType<typeof makeStoreState>,
  workers: ReturnType<typeof makeWorkerRows>,
  counts: ReturnType<typeof makeWorkerCounts>,
  timelines: ReturnType<typeof makeTimelines>
) =>
  Effect.fnUntraced(function* ({
    before,
    keep,
    limit
  }: ForgetOptions): Effect.fn.Return<number, SqlError.SqlError> {
    const surplus = (yield* counts.total({ phases: ["terminated"] })) - keep
    const oldest = yield* sql<{ ordinal: number; updated_at: number }>`SELECT ordinal, updated_at
      FROM muster_worker WHERE phase = 'terminated' ORDER BY updated_at, ordinal LIMIT ${limit}`
    const ordinals = oldest
      .filter(({ updated_at }, index) => index < surplus || updated_at < before)
      .map(({ ordinal }) => ordinal)
    if (ordinals.length === 0) return 0

    const forgotten = yield* workers.at(ordinals)
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
