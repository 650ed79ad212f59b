import { assert, describe, it } from "@effect/vitest"
import { status as Code } from "@grpc/grpc-js"
import { SchedulerRejected } from "@muster/core"
import { Duration } from "effect"
import { readFileSync } from "node:fs"
import { ErrorInfo, RetryInfo } from "../generated/google/rpc/error_details.ts"
import { GrpcStatus, toSchedulerError } from "./GrpcStatus.ts"

const page = readFileSync(new URL("../../../../../docs/schedulers/grpc.md", import.meta.url), "utf8")
const documented = Array.from(
  page.matchAll(/^\| `([A-Z_]+)` \| ([a-z, ]+) \|/gm),
  ([, name = "", meaning = ""]) => ({
    name,
    meaning
  })
)

const codes = Object.entries(Code).flatMap(([name, code]) =>
  typeof code === "number" && code !== Code.OK ? [{ name, code }] : []
)

const meaningOf = (status: GrpcStatus): string => {
  const error = toSchedulerError(status)
  switch (error._tag) {
    case "SchedulerUnavailable":
      return "unavailable"
    case "SchedulerRejected":
      return "rejected"
    case "SchedulerFault":
      return error.retryable ? "fault, retried" : "fault"
  }
}

const detail = (name: string, value: Uint8Array) => ({
  typeUrl: `type.googleapis.com/google.rpc.${name}`,
  value
})
const retryInfo = (seconds: number, nanos: number) =>
  detail("RetryInfo", RetryInfo.encode({ retryDelay: { seconds, nanos } }).finish())
const errorInfo = (reason: string) =>
  detail("ErrorInfo", ErrorInfo.encode({ reason, domain: "", metadata: {} }).finish())

describe("the meaning of a gRPC status", () => {
  it("is documented for every code", () => {
    assert.sameMembers(
      documented.map(({ name }) => name),
      codes.map(({ name }) => name)
    )
  })

  it.each(codes)("$name is what the documentation says", ({ code, name }) => {
    assert.strictEqual(
      meaningOf(new GrpcStatus(code, "")),
      documented.find((row) => row.name === name)?.meaning
    )
  })

  it("reads a code that gRPC does not have as UNKNOWN", () => {
    assert.strictEqual(toSchedulerError(new GrpcStatus(99, "odd")).message, "UNKNOWN: odd")
  })

  it("takes the wait from RetryInfo, rounded up to milliseconds", () => {
    const error = toSchedulerError(
      new GrpcStatus(Code.RESOURCE_EXHAUSTED, "busy", [retryInfo(2, 500_000_001)])
    )
    assert(error._tag === "SchedulerUnavailable")
    assert.deepStrictEqual(error.retryAfter, Duration.millis(2501))
  })

  it.each([
    ["no delay", retryInfo(0, 0)],
    ["a negative one", retryInfo(-1, 0)],
    ["bytes that are no message", detail("RetryInfo", Uint8Array.of(10, 200))]
  ])("has no wait with %s", (_, given) => {
    const error = toSchedulerError(new GrpcStatus(Code.UNAVAILABLE, "", [given]))
    assert(error._tag === "SchedulerUnavailable")
    assert.isUndefined(error.retryAfter)
  })

  it.each([
    ["NO_SUCH_POOL", "no_such_pool"],
    ["not a reason", "invalid_argument"],
    ["X".repeat(64), "invalid_argument"]
  ])("the code for the reason %s is %s", (reason, code) => {
    const error = toSchedulerError(new GrpcStatus(Code.INVALID_ARGUMENT, "", [errorInfo(reason)]))
    assert(error._tag === "SchedulerRejected")
    assert.strictEqual(error.code, code)
  })

  it("OLDER_GENERATION means that a newer generation has won", () => {
    const error = toSchedulerError(
      new GrpcStatus(Code.FAILED_PRECONDITION, "", [errorInfo("OLDER_GENERATION")])
    )
    assert(error instanceof SchedulerRejected)
    assert.isTrue(error.isOlderGeneration)
  })

  it("says how long an answer was waited for", () => {
    const error = toSchedulerError(new GrpcStatus(Code.DEADLINE_EXCEEDED, ""), Duration.seconds(30))
    assert(error._tag === "SchedulerUnavailable")
    assert.deepStrictEqual(error.timeout, Duration.seconds(30))
  })

  it("keeps the message short and to the point", () => {
    assert.lengthOf(toSchedulerError(new GrpcStatus(Code.INTERNAL, "x".repeat(1e6))).message, 1011)
    const refused =
      "No connection established. Last error: Error: connect ECONNREFUSED ::1:1. Resolution note: "
    assert.strictEqual(
      toSchedulerError(new GrpcStatus(Code.UNAVAILABLE, refused)).message,
      "UNAVAILABLE: connect ECONNREFUSED ::1:1"
    )
  })
})
