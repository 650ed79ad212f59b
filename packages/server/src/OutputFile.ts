/**
 * A file that is there as a whole or not at all: it is written to `FILE.part`, which takes the place of `FILE` when
 * all of it is on the disk. What is there and is no file (a pipe, `/dev/stdout`) is written to, never replaced.
 */
import { Effect, FileSystem, type PlatformError, Schema, type Scope, Stdio, Stream } from "effect"
import { dirname } from "node:path"
import { reasonOf } from "./fleetfile/FleetFile.ts"

export class OutputError extends Schema.TaggedError<OutputError>("@muster/server/OutputError")(
  "OutputError",
  {
    /** What the operating system said. */
    reason: Schema.String
  }
) {
  override get message(): string {
    return this.reason
  }
}

export interface OutputFile {
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, OutputError>
  /** Puts the file where it belongs. Without it, `FILE.part` is all there is, and where nothing was written not even that. */
  readonly complete: Effect.Effect<void, OutputError>
}

const standardOutput = "/dev/stdout"

const isDevice = (path: string): boolean => /^\/(?:dev|proc)\//.test(path)

const failed = Effect.mapError(
  (error: PlatformError.PlatformError) =>
    new OutputError({
      reason: error.reason._tag === "NotFound" ? "its directory does not exist" : reasonOf(error)
    })
)

/** Where it is written to first; `undefined` where that is the path itself. */
export const partOf = Effect.fnUntraced(function* (
  path: string
): Effect.fn.Return<string | undefined, OutputError, FileSystem.FileSystem> {
  const existing = yield* Effect.option((yield* FileSystem.FileSystem).stat(path))
  // What a shell has redirected standard output to is the shell's: it is written to as well.
  const isReplaced = !isDevice(path) && (existing._tag === "None" || existing.value.type === "File")
  return isReplaced ? `${path}.part` : undefined
})

/** Opens a file to be written, until the scope ends. `mode`: who may read it, where it is made; default: whoever may. */
export const open = Effect.fnUntraced(function* (
  path: string,
  { mode }: { readonly mode?: number } = {}
): Effect.fn.Return<OutputFile, OutputError, FileSystem.FileSystem | Stdio.Stdio | Scope.Scope> {
  const fs = yield* FileSystem.FileSystem
  const stdio = yield* Stdio.Stdio
  const part = yield* partOf(path)
  // Opened a second time, a file that standard output goes to would be written from its beginning by both.
  if (path === standardOutput) {
    return {
      write: (bytes) => failed(Stream.run(Stream.succeed(bytes), stdio.stdout())),
      complete: Effect.void
    }
  }
  // FileSystem writes at positions, which a pipe does not have, unless it appends.
  // What is left of an earlier try keeps the mode that it was made with.
  if (part !== undefined && mode !== undefined) yield* Effect.ignore(fs.remove(part))
  const file = yield* failed(
    fs.open(part ?? path, { flag: part === undefined ? "a" : mode === undefined ? "w" : "wx", mode })
  )
  if (part === undefined) return { write: (bytes) => failed(file.writeAll(bytes)), complete: Effect.void }

  let isKept = false
  yield* Effect.addFinalizer(() => (isKept ? Effect.void : Effect.ignore(fs.remove(part))))
  const keep = Effect.sync(() => {
    isKept = true
  })
  return {
    write: (bytes) => Effect.andThen(keep, failed(file.writeAll(bytes))),
    complete: failed(
      file.sync.pipe(
        Effect.andThen(fs.rename(part, path)),
        // A name is on the disk when its directory is.
        Effect.andThen(Effect.scoped(Effect.flatMap(fs.open(dirname(path)), (directory) => directory.sync)))
      )
    ).pipe(Effect.andThen(keep))
  }
})
