/**
 * `--report FILE`: the rows that failed, as NDJSON that `muster register FILE` takes. Each line is what the worker
 * was to be decoded from, with one more member, `error`, which decoding ignores.
 *
 * The lines are written to `FILE.part`, which takes the place of `FILE` when all of them are on disk: a report is
 * never half there, and one can be made of a report while that is read.
 */
import {
  Effect,
  FileSystem,
  type PlatformError,
  Predicate,
  Runtime,
  Schema,
  type Scope,
  Semaphore
} from "effect"
import { reasonOf } from "../fleetfile/FleetFile.ts"
import { type FleetRow, where } from "../fleetfile/FleetRow.ts"
import type { Failure } from "./Tally.ts"

export class ReportError extends Schema.TaggedError<ReportError>("@muster/server/ReportError")(
  "ReportError",
  {
    message: Schema.String
  }
) {
  override readonly [Runtime.errorExitCode] = 1
  override readonly [Runtime.errorReported] = false
}

export interface Report {
  readonly path: string
  /** Rows written so far. */
  readonly size: () => number
  readonly add: (row: FleetRow, failure: Failure) => Effect.Effect<void, ReportError>
  /** Puts the report where it belongs. Without it, `FILE.part` stays as it is. */
  readonly complete: Effect.Effect<void, ReportError>
}

const flushAt = 64 * 1024

export const open = Effect.fnUntraced(function* (
  path: string
): Effect.fn.Return<Report, ReportError, FileSystem.FileSystem | Scope.Scope> {
  const fs = yield* FileSystem.FileSystem
  const failed = Effect.mapError((error: PlatformError.PlatformError) => {
    const reason = error.reason._tag === "NotFound" ? "its directory does not exist" : reasonOf(error)
    return new ReportError({ message: `Cannot write the report ${path}: ${reason}.` })
  })
  // What is there and is not a file (a pipe, /dev/stdout) is written to, never replaced.
  const existing = yield* Effect.option(fs.stat(path))
  const isReplaced = existing._tag === "None" || existing.value.type === "File"
  const target = isReplaced ? `${path}.part` : path
  // FileSystem writes at positions, which a pipe does not have, unless it appends.
  const file = yield* failed(fs.open(target, { flag: isReplaced ? "w" : "a" }))
  let isComplete = false
  yield* Effect.addFinalizer(() =>
    isReplaced && !isComplete && size === 0 ? Effect.ignore(fs.remove(target)) : Effect.void
  )
  const lock = Semaphore.makeUnsafe(1)
  const encoder = new TextEncoder()
  let buffer = ""
  let size = 0

  const flush = Effect.suspend(() => {
    const text = buffer
    buffer = ""
    return text === "" ? Effect.void : failed(file.writeAll(encoder.encode(text)))
  }).pipe(lock.withPermits(1))

  return {
    path,
    size: () => size,
    add: (row, failure) =>
      Effect.suspend(() => {
        size++
        buffer += `${JSON.stringify(toReportLine(row, failure))}\n`
        return buffer.length < flushAt ? Effect.void : flush
      }),
    complete: flush.pipe(
      Effect.andThen(isReplaced ? failed(Effect.andThen(file.sync, fs.rename(target, path))) : Effect.void),
      Effect.andThen(
        Effect.sync(() => {
          isComplete = true
        })
      )
    )
  }
})

/** One line of a report. A row that is not an object is kept as text: it cannot be registered as it is either. */
const toReportLine = (row: FleetRow, { message, retryable, type }: Failure) => ({
  ...(Predicate.isObject(row.input) ? row.input : { unreadable: JSON.stringify(row.input) }),
  error: { type, message, retryable, at: where(row) }
})
