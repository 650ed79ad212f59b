/**
 * What PostgreSQL says, in words for those who run a service.
 */
import { Predicate } from "effect"
import type * as SqlError from "effect/sql/SqlError"

/** Whether it is about the way to PostgreSQL, or about a server that starts or stops, and not about what was asked of it. */
export const isPassing = (error: SqlError.SqlError): boolean =>
  error.reason._tag === "ConnectionError" || codeOf(error).startsWith("57P")

export const describePostgresError = (error: SqlError.SqlError): string => {
  const { reason } = error
  const code = codeOf(error)
  const words = byCode[code] ?? byReason[reason._tag]
  const said = messageOf(reason.cause)
  return words === undefined ? said : `${words} (${said})`
}

const codeOf = ({ reason: { cause } }: SqlError.SqlError): string =>
  Predicate.hasProperty(cause, "code") ? String(cause.code) : ""

const byReason: Partial<Record<SqlError.SqlErrorReason["_tag"], string>> = {
  ConnectionError: "PostgreSQL cannot be reached",
  AuthenticationError: "PostgreSQL does not let the user in",
  AuthorizationError: "the user may not do this in PostgreSQL",
  LockTimeoutError: "somebody else keeps it locked",
  StatementTimeoutError: "PostgreSQL takes too long"
}

/** By SQLSTATE. */
const byCode: Partial<Record<string, string>> = {
  "3D000": "PostgreSQL has no such database",
  "25006": "PostgreSQL may only be read; is it a standby?",
  "53100": "the disk of PostgreSQL is full",
  "53200": "PostgreSQL is out of memory",
  "53300": "PostgreSQL has too many connections",
  "57P01": "PostgreSQL is shutting down",
  "57P03": "PostgreSQL is starting or shutting down"
}

/** A connection that was tried at several addresses fails with an error that says nothing itself. */
const messageOf = (cause: unknown): string => {
  if (cause instanceof AggregateError) return cause.errors.map(messageOf).join("; ")
  if (!(cause instanceof Error)) return String(cause)
  return cause.message === "" ? cause.name : cause.message
}
