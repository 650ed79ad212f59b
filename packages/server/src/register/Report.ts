/**
 * `--report FILE`: the rows that failed, as NDJSON that `muster register FILE` takes. Each line is what the worker
 * was to be decoded from, with one more member, `error`, which decoding ignores.
 *
 * The lines are written to `FILE.part`, which takes the place of `FILE` when all of them are on disk: a report is
 * never half there, and one can be made of a report while that is read.
 */
import { Effect, FileSystem, Predicate, Runtime, Schema, type Scope, Semaphore, type Stdio } from "effect"
import { type FleetRow, where } from "../fleetfile/FleetRow.ts"
import * as OutputFile from "../OutputFile.ts"
import type { OutputError } from "../OutputFile.ts"
import { WrongUsage } from "../WrongUsage.ts"
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
  path: string,
  input: string
): Effect.fn.Return<Report, ReportError | WrongUsage, FileSystem.FileSystem | Stdio.Stdio | Scope.Scope> {
  if (path === "" || path === "-") {
    return yield* new WrongUsage({
      message: `--report ${JSON.stringify(path)} is not the name of a file. For standard output say --report /dev/stdout.`
    })
  }
  const failed = Effect.mapError(
    (error: OutputError) => new ReportError({ message: `Cannot write the report ${path}: ${error.reason}.` })
  )
  const part = yield* failed(OutputFile.partOf(path))
  if (part !== undefined && (yield* isSameFile(part, input))) {
    return yield* new WrongUsage({
      message: `--report ${path} is written to ${part} first, which is the file to be registered. Rename it, or choose another report.`
    })
  }
  const file = yield* failed(OutputFile.open(path))
  const lock = Semaphore.makeUnsafe(1)
  const encoder = new TextEncoder()
  let buffer = ""
  let size = 0

  const flush = Effect.suspend(() => {
    const text = buffer
    buffer = ""
    return text === "" ? Effect.void : failed(file.write(encoder.encode(text)))
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
    complete: Effect.andThen(flush, failed(file.complete))
  }
})

const isSameFile = Effect.fnUntraced(function* (one: string, other: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* Effect.orElseSucceed(
    Effect.zipWith(fs.realPath(one), fs.realPath(other), (one, other) => one === other),
    () => false
  )
})

/** One line of a report. A row that is not an object is kept as text: it cannot be registered as it is either. */
const toReportLine = (row: FleetRow, { message, retryable, type }: Failure) => ({
  ...(Predicate.isObject(row.input) ? row.input : { unreadable: JSON.stringify(row.input) }),
  error: { type, message, retryable, at: where(row) }
})
