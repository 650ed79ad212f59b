/**
 * The two facts that name a worker in every error, log line and metric: its id and its type.
 */
import { Schema } from "effect"

const idRule =
  "1 to 253 characters: letters, digits, '.', '_', ':' and '-', starting and ending with a letter or digit"

const idPattern = /^[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?$/

/**
 * A worker's name, unique within one scheduler: 1–253 characters of letters, digits, `.`, `_`, `:` and `-`,
 * starting and ending with a letter or digit. The length is that of a DNS name (RFC 1035, section 2.3.4), so
 * that node and pod names fit.
 *
 * @example
 * ```ts
 * import { WorkerId } from "@muster/core"
 *
 * const id = WorkerId.make("ci-7f3a")
 * ```
 */
export const WorkerId = Schema.String.annotate({ expected: idRule })
  .check(Schema.isPattern(idPattern, { expected: idRule }))
  .pipe(Schema.brand("WorkerId"))
export type WorkerId = typeof WorkerId.Type

/** `Schema.is(WorkerId)`, ten times as fast. */
export const isWorkerId = (value: unknown): value is WorkerId =>
  typeof value === "string" && idPattern.test(value)

/** How a worker came to be: `static` (provisioned ahead of time) or `dynamic` (on demand). */
export const WorkerType = Schema.Literals(["static", "dynamic"])
export type WorkerType = typeof WorkerType.Type
