/**
 * CSV (RFC 4180) with a header. Read by `csv-parse`; what is added here is that every row knows the line of the file
 * where it begins, and that a row of the wrong width, or with a cell that its field cannot have, is an entry like the
 * others.
 *
 * A quote inside an unquoted cell, or text after a closing quote, is taken as it stands. Blank lines are skipped.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import type { WorkerIssue } from "@muster/core"
import { CsvError, Parser } from "csv-parse"
import { Array as Arr, Effect, Stream } from "effect"
import type { WrongUsage } from "../WrongUsage.ts"
import { type Column, type ColumnMapping, resolve } from "./CsvColumns.ts"
import { FleetFileError, type FleetRow, type Position, unreadable } from "./FleetRow.ts"

/** The longest record in bytes; where one is longer, a quote was most likely never closed. */
const longestRecord = 4 * 2 ** 20

interface CsvRecord {
  readonly record: ReadonlyArray<string>
  /** The record as the file has it, its line break included. */
  readonly raw: string
}

/** Rows in file order. Fails with {@link WrongUsage} when the header does not have what `mappings` names. */
export const read = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  mappings: ReadonlyArray<ColumnMapping>
): Stream.Stream<FleetRow, E | FleetFileError | WrongUsage, R> =>
  Stream.suspend(() => {
    const table = new Table(mappings)
    return bytes.pipe(
      NodeStream.pipeThroughDuplex<CsvRecord, CsvFailure>({
        evaluate: () =>
          new Parser({
            bom: true,
            max_record_size: longestRecord,
            raw: true,
            record_delimiter: ["\r\n", "\n", "\r"],
            relax_column_count: true,
            relax_quotes: true
          }),
        onError: (error) => new CsvFailure(error)
      }),
      Stream.mapArrayEffect((records) => Effect.map(table.rows(records), (rows) => Arr.of(rows))),
      Stream.flattenIterable,
      Stream.catchIf(
        (error) => error instanceof CsvFailure,
        (failure) => table.failure(failure)
      )
    )
  })

/** What `csv-parse` threw. */
class CsvFailure {
  readonly cause: unknown
  constructor(cause: unknown) {
    this.cause = cause
  }
  get code(): string | undefined {
    return this.cause instanceof CsvError ? this.cause.code : undefined
  }
}

/** The rows of one file, with what has to be remembered from one to the next. */
class Table {
  private readonly mappings: ReadonlyArray<ColumnMapping>
  private columns: ReadonlyArray<Column> | undefined
  private width = 0
  private entry = 0
  /** The line where the next record begins. */
  private line = 1

  constructor(mappings: ReadonlyArray<ColumnMapping>) {
    this.mappings = mappings
  }

  readonly rows = Effect.fnUntraced(
    { self: this },
    function* (
      this: Table,
      records: ReadonlyArray<CsvRecord>
    ): Effect.fn.Return<Array<FleetRow>, WrongUsage> {
      const rows: Array<FleetRow> = []
      for (const { raw, record } of records) {
        const line = this.line
        this.line += countLines(raw)
        if (raw.trim() === "") continue
        if (this.columns === undefined) {
          this.columns = yield* resolve(record, this.mappings)
          this.width = record.length
          continue
        }
        const position = { entry: ++this.entry, line }
        rows.push(
          record.length === this.width
            ? toRow(record, this.columns, position)
            : unreadable(
                position,
                raw.trimEnd(),
                `${this.width} cells, as many as the header has`,
                `a row of ${record.length}`
              )
        )
      }
      return rows
    }
  )

  /** What remains to be said when the parser gives up: at the end of the file, or in the middle of it. */
  failure(failure: CsvFailure): Stream.Stream<FleetRow, FleetFileError> {
    const { line } = this
    switch (failure.code) {
      case "CSV_QUOTE_NOT_CLOSED": {
        const position = { entry: this.entry + 1, line }
        const received =
          "one that is open to the end of the file; the lines after it, if any, were taken for a part of it"
        return Stream.make(unreadable(position, "", "a row whose quotes are closed", received))
      }
      case "CSV_MAX_RECORD_SIZE":
        return Stream.fail(
          new FleetFileError({
            message: `The row at line ${line} is longer than ${longestRecord} bytes: most likely a quote in it is never closed. It and everything after it was not read; correct it and register the file again.`
          })
        )
      default:
        return Stream.fail(
          new FleetFileError({
            message: `The CSV cannot be read from line ${line} on: ${String(failure.cause)}`
          })
        )
    }
  }
}

/** Line breaks of any kind; a last record without one has none, and nothing comes after it. */
const countLines = (raw: string): number => {
  let lines = 0
  for (let index = 0; index < raw.length; index++) {
    const code = raw.charCodeAt(index)
    if (code === lineFeed || (code === carriageReturn && raw.charCodeAt(index + 1) !== lineFeed)) lines++
  }
  return lines
}

const lineFeed = 10
const carriageReturn = 13

interface Draft {
  id: unknown
  readonly capabilities: Record<string, unknown>
  readonly metadata: Record<string, unknown>
}

const toRow = (
  record: ReadonlyArray<string>,
  columns: ReadonlyArray<Column>,
  position: Position
): FleetRow => {
  const issues: Array<WorkerIssue> = []
  const customResources: Record<string, unknown> = {}
  const labels: Record<string, unknown> = {}
  const draft: Draft = { id: undefined, capabilities: { customResources }, metadata: { labels } }
  const sections: Readonly<Record<string, Record<string, unknown>>> = {
    capabilities: draft.capabilities,
    "capabilities.customResources": customResources,
    metadata: draft.metadata,
    "metadata.labels": labels
  }
  for (const { column, field, index } of columns) {
    const cell = (record[index] ?? "").trim()
    if (cell === "") continue
    const converted = field.convert(cell)
    const { target } = field
    const name = target[target.length - 1] ?? ""
    const value = "value" in converted ? converted.value : cell
    if ("rule" in converted) {
      const received = `a string of ${cell.length} ${cell.length === 1 ? "character" : "characters"}`
      const rule = `${converted.rule} in column ${JSON.stringify(column)}`
      issues.push({ path: target.join("."), rule, received })
    }
    if (target.length === 1) draft.id = value
    else set(sections[target.slice(0, -1).join(".")], name, value)
  }
  return { ...position, input: draft, issues }
}

// A column may be mapped to a label called `__proto__`; it must come to be refused, not vanish.
const set = (section: Record<string, unknown> | undefined, name: string, value: unknown): void => {
  if (section === undefined) return
  Object.defineProperty(section, name, { value, enumerable: true, writable: true, configurable: true })
}
