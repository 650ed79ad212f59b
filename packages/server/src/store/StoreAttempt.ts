/**
 * What goes wrong in a database, as the fleet sees it: the store is unavailable, and why.
 */
import { StoreUnavailable } from "@muster/core/fleet"
import { Cause, Effect } from "effect"
import * as SqlError from "effect/sql/SqlError"

export type Attempt = <A>(
  doing: "read" | "write",
  effect: Effect.Effect<A, SqlError.SqlError>
) => Effect.Effect<A, StoreUnavailable>

/** `name` is what the store is called, and `describe` says what went wrong, both in words for people. */
export const makeAttempt = (name: string, describe: (error: SqlError.SqlError) => string): Attempt => {
  const verbs = { read: "cannot be read", write: "cannot be written to" }
  return (doing, effect) =>
    effect.pipe(
      Effect.catchCause((cause) => {
        const error = sqlErrorOf(cause)
        if (error === undefined) return Effect.failCause(withoutErrors(cause))
        const message = `${name} ${verbs[doing]}: ${describe(error)}`
        return Effect.fail(new StoreUnavailable({ message, cause: error }))
      }),
      // A span for each statement would cost more than the statement.
      Effect.withTracerEnabled(false)
    )
}

/**
 * The error of a database that failed. When its connection is lost in a transaction, rolling back fails too, which
 * the client takes for a defect; but a bug of ours is one, whatever the database says at the same time.
 */
const sqlErrorOf = (cause: Cause.Cause<SqlError.SqlError>): SqlError.SqlError | undefined => {
  let found: SqlError.SqlError | undefined
  for (const reason of cause.reasons) {
    if (Cause.isInterruptReason(reason)) continue
    const error = Cause.isFailReason(reason) ? reason.error : reason.defect
    if (!SqlError.isSqlError(error)) return undefined
    found ??= error
  }
  return found
}

const withoutErrors = (cause: Cause.Cause<unknown>): Cause.Cause<never> =>
  Cause.fromReasons(cause.reasons.filter((reason) => !Cause.isFailReason(reason)))
