/**
 * `--report FILE` of `muster import`: the lines that failed, each with one more member, `error`, as an export that can
 * be imported when they are corrected.
 */
import { Clock, Effect, FileSystem, Option, Predicate, Schema, type Scope, type Stdio } from "effect"
import * as OutputFile from "../OutputFile.ts"
import { ReportError } from "../register/Report.ts"
import { WrongUsage } from "../WrongUsage.ts"
import { endLine, headerLine } from "./ExportFormat.ts"

export interface ImportReport {
  readonly path: string
  readonly size: () => number
  readonly add: (line: string, message: string) => Effect.Effect<void, ReportError>
  readonly complete: Effect.Effect<void, ReportError>
}

const parse = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

/** How much of a line that is no JSON is kept, in characters. */
const longestExcerpt = 4096

export const openImportReport = Effect.fnUntraced(function* (
  path: string,
  input: string
): Effect.fn.Return<
  ImportReport,
  ReportError | WrongUsage,
  FileSystem.FileSystem | Stdio.Stdio | Scope.Scope
> {
  if (path === "" || path === "-") {
    return yield* new WrongUsage({ message: `--report ${JSON.stringify(path)} is not the name of a file` })
  }
  const fs = yield* FileSystem.FileSystem
  const real = (path: string) => Effect.orElseSucceed(fs.realPath(path), () => path)
  if ((yield* real(path)) === (yield* real(input))) {
    return yield* new WrongUsage({
      message: `--report ${path} is the file to be imported: choose another one`
    })
  }
  const failed = Effect.mapError(
    ({ reason }: OutputFile.OutputError) =>
      new ReportError({ message: `Cannot write the report ${path}: ${reason}.` })
  )
  const file = yield* failed(OutputFile.open(path))
  const encoder = new TextEncoder()
  const write = (line: string) => failed(file.write(encoder.encode(`${line}\n`)))
  let size = 0
  yield* write(headerLine(yield* Clock.currentTimeMillis, 0, 0))
  return {
    path,
    size: () => size,
    add: (line, message) =>
      Effect.suspend(() => {
        size++
        const value = Option.getOrUndefined(parse(line))
        const kept = Predicate.isObject(value) ? value : { unreadable: line.slice(0, longestExcerpt) }
        return write(JSON.stringify({ ...kept, error: { message } }))
      }),
    complete: Effect.suspend(() => Effect.andThen(write(endLine(size, 0)), failed(file.complete)))
  }
})
