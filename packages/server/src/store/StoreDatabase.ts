/**
 * A database as the modules of this folder use it: SQL that SQLite and PostgreSQL share, and the few things that each
 * does in its own way.
 */
import type { Effect } from "effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"

/** A row that is written, in the order of its columns. */
export type Row = ReadonlyArray<string | number | null>

/** The columns that are written, in their order, each with what is in it. */
export type Columns = ReadonlyArray<readonly [name: string, type: "text" | "number"]>

/** A change to many rows at once, whose text does not depend on how many they are. */
export type Batch = (rows: ReadonlyArray<Row>) => Effect.Effect<void, SqlError.SqlError>

export interface StoreDatabase {
  readonly sql: SqlClient.SqlClient
  /**
   * All of an effect's changes or none. Those who write take turns, in this process and in others: from its beginning
   * on nobody else changes anything, so what it reads stays true until it has committed.
   */
  readonly transaction: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | SqlError.SqlError>
  readonly insert: (table: string, columns: Columns) => Batch
  /** Sets these columns where `key` has the number that follows on them in the row. */
  readonly update: (table: string, columns: Columns, key: string) => Batch
  /** Inserts, and where the key is there already sets what is named, to an expression such as `excluded.value`. */
  readonly upsert: (
    table: string,
    columns: Columns,
    key: ReadonlyArray<string>,
    set: Readonly<Record<string, string>>
  ) => Batch
  /** Deletes the rows with a number in `key` and at most another in `bound`. */
  readonly deleteUpTo: (table: string, key: string, bound: string) => Batch
  /** A condition: the column has one of these values. */
  readonly isOneOf: (
    column: string,
    values: ReadonlyArray<string> | ReadonlyArray<number>
  ) => Statement.Fragment
  /** A condition: the worker in a column of JSON has this label. */
  readonly hasLabel: (column: string, name: string, value: string) => Statement.Fragment
}
