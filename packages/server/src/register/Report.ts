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
  Semaphore,
  Stdio,
  Stream
} from "effect"
import { reasonOf } from "../fleetfile/FleetFile.ts"
import { type FleetRow, where } from "../fleetfile/FleetRow.ts"
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
const standardOutput = "/dev/stdout"

export const open = Effect.fnUntraced(function* (
  path: string,
  input: string
): Effect.fn.Return<Report, ReportError | WrongUsage, FileSystem.FileSystem | Stdio.Stdio | Scope.Scope> {
  if (path === "" || path === "-") {
    return yield* new WrongUsage({
      message: `--report ${JSON.stringify(path)} is not the name of a file. For standard output say --report /dev/stdout.`
    })
  }
  const fs = yield* FileSystem.FileSystem
  const failed = Effect.mapError((error: PlatformError.PlatformError) => {
    const reason = error.reason._tag === "NotFound" ? "its directory does not exist" : reasonOf(error)
    return new ReportError({ message: `Cannot write the report ${path}: ${reason}.` })
  })
  // What is there and is not a file (a pipe, /dev/stdout) is written to, never replaced.
  const existing = yield* Effect.option(fs.stat(path))
  // What a shell has redirected standard output to is the shell's: it is written to as well.
  const isReplaced = !isDevice(path) && (existing._tag === "None" || existing.value.type === "File")
  const target = isReplaced ? `${path}.part` : path
  if (isReplaced && (yield* isSameFile(target, input))) {
    return yield* new WrongUsage({
      message: `--report ${path} is written to ${target} first, which is the file to be registered. Rename it, or choose another report.`
    })
  }
  // FileSystem writes at positions, which a pipe does not have, unless it appends.
  const file =
    path === standardOutput ? undefined : yield* failed(fs.open(target, { flag: isReplaced ? "w" : "a" }))
  // Opened a second time, a file that standard output goes to would be written from its beginning by both.
  const stdio = yield* Stdio.Stdio
  const write = (bytes: Uint8Array) =>
    file === undefined ? Stream.run(Stream.succeed(bytes), stdio.stdout()) : file.writeAll(bytes)
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
    return text === "" ? Effect.void : failed(write(encoder.encode(text)))
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
      Effect.andThen(
        isReplaced && file !== undefined
          ? failed(Effect.andThen(file.sync, fs.rename(target, path)))
          : Effect.void
      ),
      Effect.andThen(
        Effect.sync(() => {
          isComplete = true
        })
      )
    )
  }
})

const isDevice = (path: string): boolean => /^\/(?:dev|proc)\//.test(path)

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
