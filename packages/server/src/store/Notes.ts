/**
 * What is remembered under keys. Both lie there as JSON: a key of any characters is then text that every database
 * takes, and two of them stay two.
 */
import type { Note } from "@muster/core/fleet"
import { Effect } from "effect"
import type * as SqlError from "effect/sql/SqlError"
import type { Columns, StoreDatabase } from "./StoreDatabase.ts"

const columns: Columns = [
  ["key", "text"],
  ["value", "text"],
  ["at", "number"]
]

const decode = (json: string): string => String(JSON.parse(json))

export const makeNotes = ({ isOneOf, sql, upsert }: StoreDatabase) => {
  const upsertNotes = upsert("muster_note", columns, ["key"], { value: "excluded.value", at: "excluded.at" })

  return {
    find: (keys: ReadonlyArray<string>): Effect.Effect<ReadonlyMap<string, string>, SqlError.SqlError> =>
      keys.length === 0
        ? Effect.succeed(new Map())
        : Effect.map(
            sql<{ key: string; value: string }>`SELECT key, value FROM muster_note
              WHERE ${isOneOf(
                "key",
                keys.map((key) => JSON.stringify(key))
              )}`,
            (rows) => new Map(rows.map(({ key, value }) => [decode(key), decode(value)]))
          ),
    write: (notes: ReadonlyArray<Note>) =>
      upsertNotes(notes.map(({ at, key, value }) => [JSON.stringify(key), JSON.stringify(value), at])),
    /** How many it removed. */
    removeBefore: (before: number, limit: number): Effect.Effect<number, SqlError.SqlError> =>
      Effect.map(
        sql`DELETE FROM muster_note WHERE key IN (
          SELECT key FROM muster_note WHERE at < ${before} ORDER BY at LIMIT ${limit}
        ) RETURNING 1 AS removed`,
        ({ length }) => length
      )
  }
}
