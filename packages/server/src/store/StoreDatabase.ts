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

/** Workers and segments have places: numbers that grow in the order in which they come. */
export interface Places {
  /**
   * Places for so many new workers, and that before the first of so many new segments. Asked for in a transaction, once
   * everything is named; workers and segments that are named by nobody else come in the order of their places.
   */
  readonly take: (workers: number, segments: number) => Effect.Effect<TakenPlaces, SqlError.SqlError>
  /** A place after every segment that there has been, and before all that will be. */
  readonly latestSegment: Effect.Effect<number, SqlError.SqlError>
  /** A condition on the place of a segment: none will come before it any more. */
  readonly isSettled: (column: string) => Statement.Fragment
}

export interface TakenPlaces {
  readonly workers: ReadonlyArray<number>
  /** The first segment's is the next number. */
  readonly segment: number
}

export interface StoreDatabase {
  readonly sql: SqlClient.SqlClient
  /**
   * All of an effect's changes or none. Those that come this way take turns, in this process and in others, so what they
   * have read of one another's stays true until they have committed.
   */
  readonly transaction: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | SqlError.SqlError>
  /**
   * The same, but only those wait for one another that have a name in common: of a worker, or of a key. What an effect
   * has read of what it has named stays true until it has committed.
   */
  readonly transactionOn: <A, E>(
    names: ReadonlyArray<string>,
    effect: Effect.Effect<A, E>
  ) => Effect.Effect<A, E | SqlError.SqlError>
  /** Where what is new goes, among what is there. */
  readonly places: Places
  /** A share of every number that is kept, so that those who write at the same time need not wait for one another. */
  readonly stripe: number | undefined
  /** Several processes may use it at the same time. */
  readonly isShared: boolean
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
