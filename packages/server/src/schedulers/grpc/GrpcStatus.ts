/**
 * The status with which a gRPC call ended, and what it means to Muster. The table below is the whole classification;
 * docs/schedulers/grpc.md shows it.
 */
import { status as Code } from "@grpc/grpc-js"
import { SchedulerFault, SchedulerRejected, SchedulerUnavailable, type SchedulerError } from "@muster/core"
import { Duration } from "effect"
import { ErrorInfo, RetryInfo } from "../generated/google/rpc/error_details.ts"
import type { Status } from "../generated/google/rpc/status.ts"

/** What a status code means: not now, never this, or something that nobody expects (to be tried again or not). */
export type Meaning = "unavailable" | "rejected" | "fault, retried" | "fault"

/** Every code but OK, by its name. */
export const meanings = {
  CANCELLED: "fault, retried",
  UNKNOWN: "fault, retried",
  INVALID_ARGUMENT: "rejected",
  DEADLINE_EXCEEDED: "unavailable",
  NOT_FOUND: "fault",
  ALREADY_EXISTS: "rejected",
  PERMISSION_DENIED: "rejected",
  RESOURCE_EXHAUSTED: "unavailable",
  FAILED_PRECONDITION: "rejected",
  ABORTED: "unavailable",
  OUT_OF_RANGE: "rejected",
  UNIMPLEMENTED: "rejected",
  INTERNAL: "fault, retried",
  UNAVAILABLE: "unavailable",
  DATA_LOSS: "fault",
  UNAUTHENTICATED: "rejected"
} as const satisfies Record<string, Meaning>

export type CodeName = keyof typeof meanings

const isCodeName = (name: string | undefined): name is CodeName =>
  name !== undefined && Object.hasOwn(meanings, name)

/** A code that gRPC does not have is read as UNKNOWN, as its specification asks. */
const nameOf = (code: number): CodeName => {
  const name: string | undefined = Code[code]
  return isCodeName(name) ? name : "UNKNOWN"
}

/** A status other than OK. Internal to the adapters, which make a {@link SchedulerError} of it. */
export class GrpcStatus {
  readonly _tag = "GrpcStatus"
  readonly code: CodeName
  readonly message: string
  readonly details: Status["details"]

  constructor(code: number, message: string, details: Status["details"] = []) {
    this.code = nameOf(code)
    this.message = message
    this.details = details
  }

  /** The first detail of this type. One that cannot be decoded is none. */
  private detail<A>(name: string, decode: (bytes: Uint8Array) => A): A | undefined {
    const found = this.details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/${name}`)
    try {
      return found && decode(found.value)
    } catch {
      return undefined
    }
  }

  /** How long the server asks to be left alone. */
  get retryDelay(): Duration.Duration | undefined {
    const delay = this.detail("google.rpc.RetryInfo", RetryInfo.decode)?.retryDelay
    if (delay === undefined) return undefined
    const millis = delay.seconds * 1000 + Math.ceil(delay.nanos / 1_000_000)
    return millis > 0 ? Duration.millis(millis) : undefined
  }

  get reason(): ErrorInfo | undefined {
    return this.detail("google.rpc.ErrorInfo", ErrorInfo.decode)
  }
}

/** Far more than anybody reads; a server may send as much as a message holds. */
const longestMessage = 1000

/** The message, without what the gRPC library says around the one thing that matters to a person. */
const toWords = (message: string): string => {
  const cause = /^No connection established\. Last error: (?:Error: )?(.*?)(?:\. Resolution note: .*)?$/.exec(
    message
  )
  const words = cause?.[1] ?? message
  return words.length > longestMessage ? `${words.slice(0, longestMessage)}…` : words
}

/** The failure of a call that was given `timeout` to be answered in. */
export const toSchedulerError = (status: GrpcStatus, timeout?: Duration.Duration): SchedulerError => {
  const text = toWords(status.message)
  const message = text === "" ? status.code : `${status.code}: ${text}`
  switch (meanings[status.code]) {
    case "unavailable":
      return new SchedulerUnavailable({
        message,
        retryAfter: status.retryDelay,
        timeout: status.code === "DEADLINE_EXCEEDED" ? timeout : undefined
      })
    case "rejected":
      return new SchedulerRejected({ message, code: codeOf(status) })
    case "fault, retried":
      return new SchedulerFault({ message, retryable: true })
    case "fault":
      return new SchedulerFault({ message, retryable: false })
  }
}

/** The scheduler's own word where it has one, or else gRPC's. */
const codeOf = ({ code, reason }: GrpcStatus): string =>
  (reason !== undefined && /^[A-Z][A-Z0-9_]{0,62}$/.test(reason.reason) ? reason.reason : code).toLowerCase()
