import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { isAbsence, toRefusal } from "./Refusal.ts"

const rows: ReadonlyArray<readonly [kind: string, ...messages: ReadonlyArray<string>]> = [
  [
    "SchedulerUnavailable",
    "Scheduler is overloaded, try again",
    "token store unavailable",
    "Too many registrations",
    "operation timed out",
    "the registry is at capacity",
    "server is shutting down"
  ],
  [
    "SchedulerRejected token_refused",
    "OTP token expired",
    "OTP token already used",
    "Token not found, expired, or already consumed",
    "invalid credentials"
  ],
  ["SchedulerRejected permission_denied", "Access denied for this provider", "Not allowed", "Unauthorized"],
  ["SchedulerRejected already_exists", "Worker already registered", "duplicate key"],
  ["SchedulerFault", "Failed to persist worker to database", "internal error"],
  ["SchedulerRejected not_found", "Job not found", "unknown provider"],
  [
    "SchedulerRejected invalid_argument",
    "worker_id must be a UUID",
    "worker_info is required",
    "Invalid timeout_config"
  ],
  ["SchedulerRejected refused", "no", "computer says nope", ""]
]

/** The table of the documentation: words, and what they mean. */
const page = readFileSync(new URL("../../../../../docs/schedulers/hodei.md", import.meta.url), "utf8")
const [, table = ""] = /\| words \| means \|\n\| --- \| --- \|\n((?:\|.*\n)+)/.exec(page) ?? []
const documented = table
  .trim()
  .split("\n")
  .flatMap((row) => {
    const [, words = "", meaning = ""] = row.split("|")
    return Array.from(words.matchAll(/`([^`]+)`/g), ([, word = ""]) => [word, meaning.trim()] as const)
  })

const meaningOf = (message: string) => {
  const error = toRefusal(message)
  if (error._tag === "SchedulerRejected") return `rejected as \`${error.code}\``
  return error._tag === "SchedulerUnavailable" ? "unavailable" : "fault, tried again"
}

describe("docs/schedulers/hodei.md", () => {
  it.each(documented)("says that %j is %s", (word, meaning) => {
    assert.isTrue(meaning.startsWith(meaningOf(`the worker, ${word.toUpperCase()}.`)), meaning)
  })

  it("has a table", () => {
    assert.isAbove(documented.length, 40)
  })
})

describe("success = false", () => {
  it.each(rows.flatMap(([kind, ...messages]) => messages.map((message) => [message, kind] as const)))(
    "%j is %s",
    (message, kind) => {
      const error = toRefusal(message)
      const code = error._tag === "SchedulerRejected" ? ` ${error.code}` : ""
      assert.strictEqual(error._tag + code, kind)
      assert.include(error.message, message)
    }
  )

  it("is tried again where something is broken", () => {
    assert.deepInclude(toRefusal("database is gone"), { _tag: "SchedulerFault", retryable: true })
  })

  it("is told in words that somebody can read to the end", () => {
    assert.isAtMost(toRefusal("x".repeat(100_000)).message.length, 1100)
  })

  it("can say of an unregistration that there was nothing to unregister", () => {
    assert.isTrue(isAbsence("Not found"))
    assert.isTrue(isAbsence("worker ci-1 is not registered"))
    assert.isFalse(isAbsence("worker has running jobs"))
  })
})
