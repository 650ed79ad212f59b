/**
 * The one row that counts: the latest place of a worker, the latest place of a segment, the largest generation that
 * was forgotten.
 */
import { Effect } from "effect"
import type * as SqlError from "effect/sql/SqlError"
import type { StoreDatabase } from "./StoreDatabase.ts"

interface StoreState {
  readonly ordinal: number
  readonly sequence: number
  readonly forgotten_generation: number
}

type Taken = Pick<StoreState, "ordinal" | "sequence">

export const makeStoreState = ({ sql }: StoreDatabase) => ({
  read: Effect.flatMap(
    sql<StoreState>`SELECT ordinal, sequence, forgotten_generation FROM muster_state`,
    theOnly
  ),
  /** Takes so many places and sequence numbers; gives the latest ones before them. */
  take: (places: number, sequences: number): Effect.Effect<Taken, SqlError.SqlError> =>
    sql<Taken>`UPDATE muster_state SET ordinal = ordinal + ${places}, sequence = sequence + ${sequences}
      RETURNING ordinal, sequence`.pipe(
      Effect.flatMap(theOnly),
      Effect.map(({ ordinal, sequence }) => ({ ordinal: ordinal - places, sequence: sequence - sequences }))
    ),
  forgetGeneration: (generation: number): Effect.Effect<void, SqlError.SqlError> =>
    Effect.asVoid(
      sql`UPDATE muster_state SET forgotten_generation = ${generation}
        WHERE forgotten_generation < ${generation}`
    ),
  // A row that stays as it was would not be written.
  probe: Effect.asVoid(sql`UPDATE muster_state SET probes = probes + 1`)
})

const theOnly = <A>([row]: ReadonlyArray<A>): Effect.Effect<A> =>
  row === undefined ? Effect.die(new Error("muster_state has lost its row")) : Effect.succeed(row)
