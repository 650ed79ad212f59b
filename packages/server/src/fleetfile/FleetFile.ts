/**
 * A file of workers, in any of the formats that Muster reads, as a stream of rows.
 */
import { createReadStream } from "node:fs"
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Effect, FileSystem, PlatformError, type Scope, Sink, Stdio, Stream } from "effect"
import { WrongUsage } from "../WrongUsage.ts"
import * as Csv from "./Csv.ts"
import type { ColumnMapping } from "./CsvColumns.ts"
import { FleetFileError, type FleetRow, unreadable } from "./FleetRow.ts"
import { type Format, formats, fromContent, fromName, isEnough } from "./Format.ts"
import * as JsonDocument from "./JsonDocument.ts"
import * as Ndjson from "./Ndjson.ts"
import * as Yaml from "./Yaml.ts"

export interface FleetFile {
  readonly format: Format
  /** Size in bytes, where it is known beforehand. */
  readonly size: number | undefined
  /** Bytes read so far. */
  readonly bytesRead: () => number
  /** Every row, in order. To be run once, while the scope in which the file was opened is. */
  readonly rows: Stream.Stream<FleetRow, FleetFileError | WrongUsage>
}

export interface OpenOptions {
  /** Which format it has, where its name and its content shall not decide. */
  readonly format: Format | undefined
  /** For CSV: which column gives which field. */
  readonly mappings: ReadonlyArray<ColumnMapping>
}

/** The name that stands for standard input. */
export const standardInput = "-"

/** Opens a file, or standard input for `-`, and finds out its format. */
export const open = Effect.fnUntraced(function* (
  path: string,
  options: OpenOptions
): Effect.fn.Return<
  FleetFile,
  FleetFileError | WrongUsage,
  FileSystem.FileSystem | Stdio.Stdio | Scope.Scope
> {
  const name = path === standardInput ? "standard input" : path
  const size = yield* sizeOf(path)
  let bytesRead = 0
  const utf8 = new Utf8Check()
  const source = yield* bytesOf(path, size !== undefined)
  const counted = Stream.tap(source, (chunk) =>
    Effect.sync(() => {
      bytesRead += chunk.length
      utf8.feed(chunk)
    })
  ).pipe(Stream.onEnd(Effect.sync(() => utf8.feed(undefined))))
  const [beginning, rest] = yield* Stream.peel(counted, firstBytes).pipe(
    Effect.mapError(unreadableFile(name))
  )
  const bytes = Stream.concat(
    Stream.fromIterable(beginning.chunks),
    Stream.mapError(rest, unreadableFile(name))
  )
  const text = beginning.text
  if (isUtf16(beginning.chunks)) {
    return yield* new FleetFileError({
      message: `${name} is UTF-16. Save it as UTF-8 and register it again.`
    })
  }
  const format = options.format ?? fromName(path) ?? fromContent(text)
  if (format === undefined && text.trim() !== "") {
    return yield* new WrongUsage({
      message: `Cannot tell the format of ${name}. Say which one it has with --format ${formats.join("|")}.`
    })
  }
  if (options.mappings.length > 0 && format !== undefined && format !== "csv") {
    return yield* new WrongUsage({
      message: `--column is for CSV, and ${name} is read as ${format}. If it is CSV, say --format csv.`
    })
  }
  const rows = format === undefined ? Stream.empty : read(format, bytes, text, options.mappings)
  return {
    format: format ?? "ndjson",
    size,
    bytesRead: () => bytesRead,
    rows: Stream.map(rows, (row) => (utf8.isValid ? row : withoutReplacements(row)))
  }
})

/** Whether all bytes so far are UTF-8. */
class Utf8Check {
  isValid = true
  private readonly decoder = new TextDecoder("utf-8", { fatal: true })

  /** `undefined`: the file ends, and a character may not be open. */
  feed(chunk: Uint8Array | undefined): void {
    if (!this.isValid) return
    try {
      this.decoder.decode(chunk, { stream: chunk !== undefined })
    } catch {
      this.isValid = false
    }
  }
}

/**
 * In a file that is not UTF-8 all through, a row with a replacement character has lost a letter: it would be
 * registered as something else than the file says.
 */
const withoutReplacements = (row: FleetRow): FleetRow => {
  const text = JSON.stringify(row.input) ?? ""
  return text.includes("\ufffd") ? unreadable(row, text, "UTF-8 text", "bytes that are none") : row
}

const read = (
  format: Format,
  bytes: Stream.Stream<Uint8Array, FleetFileError>,
  beginning: string,
  mappings: ReadonlyArray<ColumnMapping>
): FleetFile["rows"] => {
  switch (format) {
    case "csv":
      return Csv.read(bytes, mappings)
    case "ndjson":
      return Ndjson.read(bytes)
    case "json":
      return JsonDocument.read(bytes, beginning)
    case "yaml":
      return Yaml.read(bytes)
  }
}

/** The size of a regular file; of a pipe or a device it says nothing about what will come. */
export const sizeOf = Effect.fnUntraced(function* (path: string) {
  if (path === standardInput) return undefined
  const fs = yield* FileSystem.FileSystem
  const info = yield* fs.stat(path).pipe(Effect.mapError(unreadableFile(path)))
  if (info.type === "Directory") {
    return yield* new FleetFileError({ message: `${path} is a directory, not a file of workers.` })
  }
  return info.type === "File" ? Number(info.size) : undefined
})

/** What a file holds, or what standard input brings for `-`; `isRegular`: its size is known. */
export const bytesOf = Effect.fnUntraced(function* (path: string, isRegular: boolean) {
  if (path === standardInput) return (yield* Stdio.Stdio).stdin
  if (isRegular) return (yield* FileSystem.FileSystem).stream(path)
  // FileSystem reads at positions, which a named pipe or `<(command)` does not have.
  return NodeStream.fromReadable({
    evaluate: () => createReadStream(path),
    onError: (cause) =>
      PlatformError.systemError({
        module: "FileSystem",
        method: "stream",
        _tag: "Unknown",
        pathOrDescriptor: path,
        cause
      })
  })
})

const longestBeginning = 64 * 1024

interface Beginning {
  readonly chunks: ReadonlyArray<Uint8Array>
  readonly text: string
  readonly size: number
}

/** As many chunks as it takes to see what the file is. */
const firstBytes = Sink.suspend(() => {
  const decoder = new TextDecoder()
  return Sink.reduceWhile<Beginning, Uint8Array>(
    () => ({ chunks: [], text: "", size: 0 }),
    ({ size, text }) => size < longestBeginning && !isEnough(text),
    ({ chunks, size, text }, chunk) => ({
      chunks: [...chunks, chunk],
      text: text + decoder.decode(chunk, { stream: true }),
      size: size + chunk.length
    })
  )
})

const isUtf16 = ([first]: ReadonlyArray<Uint8Array>): boolean =>
  first !== undefined &&
  ((first[0] === 0xff && first[1] === 0xfe) || (first[0] === 0xfe && first[1] === 0xff))

export const unreadableFile = (name: string) => (error: PlatformError.PlatformError) => {
  const reasons: Readonly<Record<string, string>> = {
    NotFound: "there is no such file",
    PermissionDenied: "permission denied"
  }
  return new FleetFileError({
    message: `Cannot read ${name}: ${reasons[error.reason._tag] ?? reasonOf(error)}.`
  })
}

/** What the operating system said, such as `ENOSPC: no space left on device, write`. */
export const reasonOf = ({ cause, message, reason }: PlatformError.PlatformError): string => {
  const origin = reason.cause ?? cause
  return origin instanceof Error ? origin.message : message
}
