import { assert, describe, it } from "@effect/vitest"
import { status as Code } from "@grpc/grpc-js"
import { Duration } from "effect"
import { readFileSync } from "node:fs"
import { GrpcStatus, meanings } from "../grpc/GrpcStatus.ts"
import { type EtcdErrorRow, etcdErrors, isTokenStale, toSchedulerError } from "./EtcdError.ts"

const timeout = Duration.seconds(30)
const errorOf = (code: number, message: string) => toSchedulerError(new GrpcStatus(code, message), timeout)

const rows: ReadonlyArray<EtcdErrorRow> = etcdErrors
const codeOf = (name: string): number =>
  Object.entries(Code).flatMap(([key, value]) =>
    key === name && typeof value === "number" ? [value] : []
  )[0] ?? -1

describe("the classification of etcd's errors", () => {
  it.each(rows)("$code $text: $meaning", ({ advice = "", code, meaning, reason, text = "whatever" }) => {
    const error = errorOf(codeOf(code), `etcdserver: ${text}`)
    const { _tag: tag, message } = error
    const expected = {
      unavailable: "SchedulerUnavailable",
      rejected: "SchedulerRejected",
      "fault, retried": "SchedulerFault",
      fault: "SchedulerFault"
    }
    assert.strictEqual(tag, expected[meaning])
    assert.include(message, `${code}: etcdserver: ${text}`)
    assert.include(message, advice)
    if (error._tag === "SchedulerFault") assert.strictEqual(error.retryable, meaning === "fault, retried")
    if (error._tag === "SchedulerRejected") assert.strictEqual(error.code, reason)
    if (error._tag === "SchedulerUnavailable") {
      assert.deepStrictEqual(error.timeout, code === "DEADLINE_EXCEEDED" ? timeout : undefined)
    }
  })

  it("has every code of gRPC, and each one's last row is for any text", () => {
    assert.deepStrictEqual(
      rows.flatMap(({ code, text }) => (text === undefined ? [code] : [])).toSorted(),
      Object.keys(meanings).toSorted()
    )
    for (const [index, { code, text }] of rows.entries()) {
      if (text !== undefined) continue
      assert.notInclude(
        rows.slice(index + 1).map((row) => row.code),
        code
      )
    }
  })

  it("is what docs/schedulers/etcd.md says", () => {
    const page = readFileSync(new URL("../../../../../docs/schedulers/etcd.md", import.meta.url), "utf8")
    const documented = Array.from(
      page.matchAll(/^\| `([A-Z_]+)` \| (?:`([^`]+)`|any other|any) \| ([a-z, ]+?)(?:, `([a-z_]+)`)? \|/gm),
      ([, code, text, meaning, reason]) => ({ code, text, meaning, reason })
    )
    assert.deepStrictEqual(
      documented,
      rows.map(({ code, meaning, reason, text }) => ({ code, text, meaning, reason }))
    )
  })

  it("keeps a message to what a person reads", () => {
    assert.isBelow(errorOf(Code.UNKNOWN, "x".repeat(100_000)).message.length, 2000)
  })

  it("knows when a new token may help", () => {
    const isStale = (code: number, message: string) => isTokenStale(new GrpcStatus(code, message))
    assert.isTrue(isStale(Code.UNAUTHENTICATED, "etcdserver: invalid auth token"))
    assert.isTrue(isStale(Code.INVALID_ARGUMENT, "etcdserver: revision of auth store is old"))
    assert.isTrue(isStale(Code.INVALID_ARGUMENT, "etcdserver: user name is empty"))
    assert.isFalse(
      isStale(Code.INVALID_ARGUMENT, "etcdserver: authentication failed, invalid user ID or password")
    )
    assert.isFalse(isStale(Code.PERMISSION_DENIED, "etcdserver: permission denied"))
  })
})
