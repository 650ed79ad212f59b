/**
 * The one row that counts: the latest place of a worker, the latest place of a segment, the largest generation that
 * was forgotten, and where the audit log ends.
 */
import { Effect } from "effect"
import type * as SqlError from "effect/sql/SqlError"
import type { Columns, StoreDatabase } from "./StoreDatabase.ts"

export interface StoreState {
  readonly ordinal: number
  readonly sequence: number
  readonly forgotten_generation: number
  readonly audit_sequence: number
  readonly audit_hash: string
}

const counters: Columns = [
  ["ordinal", "number"],
  ["sequence", "number"],
  ["audit_sequence", "number"],
  ["audit_hash", "text"]
]

export const makeStoreState = ({ sql, update }: StoreDatabase) => {
  const set = update("muster_state", counters, "id")
  return {
    read: Effect.flatMap(
      sql<StoreState>`SELECT ordinal, sequence, forgotten_generation, audit_sequence, audit_hash FROM muster_state`,
      theOnly
    ),
    /** Sets what the numbers were read and counted on to, in one transaction. */
    write: ({ audit_hash, audit_sequence, ordinal, sequence }: Omit<StoreState, "forgotten_generation">) =>
      set([[ordinal, sequence, audit_sequence, audit_hash, 1]]),
    forgetGeneration: (generation: number): Effect.Effect<void, SqlError.SqlError> =>
      Effect.asVoid(
        sql`UPDATE muster_state SET forgotten_generation = ${generation}
        WHERE forgotten_generation < ${generation}`
      ),
    // A row that stays as it was would not be written.
    probe: Effect.asVoid(sql`UPDATE muster_state SET probes = probes + 1`)
  }
}

const theOnly = <A>([row]: ReadonlyArray<A>): Effect.Effect<A> =>
  row === undefined ? Effect.die(new Error("muster_state has lost its row")) : Effect.succeed(row)
