/**
 * What etcd answers when it does not do what it was asked, and what that means to Muster. etcd says more with its
 * texts than with gRPC's codes: some codes it uses for the most different things. The table below is the whole
 * classification; docs/schedulers/etcd.md shows it.
 *
 * The rule behind it: only what is wrong with this very worker ends its registration. A password that is wrong or a
 * permission that is missing is nobody's worker's fault, and heals for all of them at once.
 */
import { SchedulerFault, SchedulerRejected, SchedulerUnavailable, type SchedulerError } from "@muster/core"
import type { Duration } from "effect"
import type { CodeName, GrpcStatus, Meaning } from "../grpc/GrpcStatus.ts"

export interface EtcdErrorRow {
  readonly code: CodeName
  /** What the message contains; absent: anything. */
  readonly text?: string
  readonly meaning: Meaning
  /** Of what is rejected. */
  readonly reason?: string
  /** What a person can do about it. */
  readonly advice?: string
}

const signIn = "check MUSTER_SCHEDULER_USER and its password"
const grant = "grant the user's role read and write of the prefix"
const size = "a worker of this size needs a larger --max-request-bytes of etcd"

/** The first row that fits is what counts. */
export const etcdErrors = [
  {
    code: "RESOURCE_EXHAUSTED",
    text: "mvcc: database space exceeded",
    meaning: "unavailable",
    advice: "compact and defragment etcd, raise --quota-backend-bytes, and disarm the alarm"
  },
  {
    code: "RESOURCE_EXHAUSTED",
    text: "message larger than max",
    meaning: "rejected",
    reason: "too_large",
    advice: size
  },
  { code: "RESOURCE_EXHAUSTED", meaning: "unavailable" },
  { code: "UNAVAILABLE", meaning: "unavailable" },
  { code: "DEADLINE_EXCEEDED", meaning: "unavailable" },
  { code: "ABORTED", meaning: "unavailable" },
  { code: "NOT_FOUND", text: "requested lease not found", meaning: "unavailable" },
  { code: "NOT_FOUND", meaning: "fault, retried" },
  { code: "OUT_OF_RANGE", text: "required revision has been compacted", meaning: "unavailable" },
  { code: "OUT_OF_RANGE", text: "required revision is a future revision", meaning: "unavailable" },
  { code: "OUT_OF_RANGE", meaning: "fault, retried" },
  { code: "FAILED_PRECONDITION", text: "not leader", meaning: "unavailable" },
  { code: "FAILED_PRECONDITION", text: "lease already exists", meaning: "unavailable" },
  { code: "FAILED_PRECONDITION", meaning: "fault, retried" },
  {
    code: "INVALID_ARGUMENT",
    text: "request is too large",
    meaning: "rejected",
    reason: "too_large",
    advice: size
  },
  { code: "INVALID_ARGUMENT", text: "user name is empty", meaning: "fault, retried", advice: signIn },
  { code: "INVALID_ARGUMENT", text: "authentication failed", meaning: "fault, retried", advice: signIn },
  { code: "INVALID_ARGUMENT", text: "revision of auth store is old", meaning: "unavailable" },
  { code: "INVALID_ARGUMENT", meaning: "rejected", reason: "invalid_argument" },
  { code: "UNAUTHENTICATED", meaning: "fault, retried", advice: signIn },
  { code: "PERMISSION_DENIED", meaning: "fault, retried", advice: grant },
  { code: "UNIMPLEMENTED", meaning: "fault, retried", advice: "is it an etcd of version 3.4 or later?" },
  { code: "UNKNOWN", meaning: "fault, retried" },
  { code: "INTERNAL", meaning: "fault, retried" },
  { code: "CANCELLED", meaning: "fault, retried" },
  { code: "DATA_LOSS", meaning: "fault, retried", advice: "etcd says that its members differ" },
  { code: "ALREADY_EXISTS", meaning: "fault" }
] as const satisfies ReadonlyArray<EtcdErrorRow>

const unexpected: EtcdErrorRow = { code: "UNKNOWN", meaning: "fault, retried" }

const rowOf = ({ code, message }: GrpcStatus): EtcdErrorRow => {
  const rows: ReadonlyArray<EtcdErrorRow> = etcdErrors
  return (
    rows.find((row) => row.code === code && (row.text === undefined || message.includes(row.text))) ??
    unexpected
  )
}

/** Far more than etcd ever says. */
const longestMessage = 1000

/** The failure of a call that was given `timeout` to be answered in. */
export const toSchedulerError = (status: GrpcStatus, timeout: Duration.Duration): SchedulerError => {
  const { advice, meaning, reason } = rowOf(status)
  const said = `${status.code}: ${status.message}`.slice(0, longestMessage)
  const message = advice === undefined ? said : `${said} (${advice})`
  switch (meaning) {
    case "unavailable":
      return new SchedulerUnavailable({
        message,
        retryAfter: status.retryDelay,
        timeout: status.code === "DEADLINE_EXCEEDED" ? timeout : undefined
      })
    case "rejected":
      return new SchedulerRejected({ message, code: reason })
    case "fault, retried":
      return new SchedulerFault({ message, retryable: true })
    case "fault":
      return new SchedulerFault({ message, retryable: false })
  }
}

const says =
  (code: CodeName, text: string) =>
  (status: GrpcStatus): boolean =>
    status.code === code && status.message.includes(text)

export const isFull = says("RESOURCE_EXHAUSTED", "mvcc: database space exceeded")
export const isLeaseMissing = says("NOT_FOUND", "requested lease not found")
export const isLeaseThere = says("FAILED_PRECONDITION", "lease already exists")
export const isWithoutAuth = says("FAILED_PRECONDITION", "authentication is not enabled")
export const hasTooManyOps = says("INVALID_ARGUMENT", "too many operations in txn request")

/** A request or an answer. */
export const isTooLarge = (status: GrpcStatus): boolean => rowOf(status).reason === "too_large"

const saysUserIsEmpty = says("INVALID_ARGUMENT", "user name is empty")
const saysRevisionIsOld = says("INVALID_ARGUMENT", "revision of auth store is old")

/** Whether the token that was sent, or its absence, is the reason: with a new one it may go. */
export const isTokenStale = (status: GrpcStatus): boolean =>
  status.code === "UNAUTHENTICATED" || saysUserIsEmpty(status) || saysRevisionIsOld(status)
