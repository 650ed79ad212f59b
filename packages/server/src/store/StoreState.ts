/**
 * The one row that counts: the largest generation that was forgotten, and where the audit log ends.
 */
import { Effect } from "effect"
import type * as SqlError from "effect/sql/SqlError"
import type { StoreDatabase } from "./StoreDatabase.ts"

export const makeStoreState = ({ isOneOf, isShared, sql }: StoreDatabase) => ({
  forgottenGeneration: Effect.map(
    sql<{ forgotten_generation: number }>`SELECT forgotten_generation FROM muster_state`,
    ([row]) => row?.forgotten_generation ?? 0
  ),
  /** The epochs of these partitions, where the store has any. */
  epochs: (
    partitions: ReadonlyArray<number>
  ): Effect.Effect<ReadonlyMap<number, number>, SqlError.SqlError> =>
    !isShared || partitions.length === 0
      ? Effect.succeed(new Map())
      : Effect.map(
          sql<{ partition: number; epoch: number }>`SELECT partition, epoch FROM muster_partition
            WHERE ${isOneOf("partition", partitions)}`,
          (rows) => new Map(rows.map(({ epoch, partition }) => [partition, epoch]))
        ),
  forgetGeneration: (generation: number): Effect.Effect<void, SqlError.SqlError> =>
    Effect.asVoid(
      sql`UPDATE muster_state SET forgotten_generation = ${generation}
        WHERE forgotten_generation < ${generation}`
    ),
  // A row that stays as it was would not be written.
  probe: Effect.asVoid(sql`UPDATE muster_state SET probes = probes + 1`)
})
