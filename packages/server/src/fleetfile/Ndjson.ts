/**
 * NDJSON: one worker, or one Kubernetes Node, on each line. Blank lines count as lines and are skipped.
 *
 * `effect/encoding/Ndjson` ends with the first bad line; here a bad line is an entry like the others, and every
 * entry knows its line.
 */
import { Stream } from "effect"
import { fromValue, type FleetRow, type Position, unreadable } from "./FleetRow.ts"

/**
 * The longest line, in characters: the largest worker that {@link WorkerLimits} allows fits, with every character
 * escaped.
 */
export const longestLine = 4 * 2 ** 20

export const read = <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<FleetRow, E, R> =>
  bytes.pipe(
    Stream.decodeText(),
    Stream.mapAccumArray(
      () => new Lines(),
      (lines, texts) => [lines, texts.flatMap((text) => lines.feed(text))] as const,
      { onHalt: (lines) => lines.end() }
    )
  )

class Lines {
  private line = 0
  private entry = 0
  /** The beginning of the line that is not complete yet. */
  private rest = ""
  /** Whether the line that is not complete yet has lost its end for being too long. */
  private cut = false

  feed(text: string): ReadonlyArray<FleetRow> {
    const rows: Array<FleetRow> = []
    let start = 0
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
      this.append(text.slice(start, end))
      this.complete(rows)
      start = end + 1
    }
    this.append(text.slice(start))
    return rows
  }

  end(): ReadonlyArray<FleetRow> {
    const rows: Array<FleetRow> = []
    this.complete(rows)
    return rows
  }

  private append(text: string): void {
    this.cut ||= this.rest.length + text.length > longestLine
    if (this.cut) this.rest = this.rest.slice(0, longestLine)
    else this.rest = this.rest === "" ? text : this.rest + text
  }

  private complete(rows: Array<FleetRow>): void {
    const text = this.rest
    const isCut = this.cut
    this.rest = ""
    this.cut = false
    this.line++
    if (!isCut && text.trim() === "") return
    const position = { entry: ++this.entry, line: this.line }
    rows.push(
      isCut
        ? unreadable(position, text, `a line of at most ${longestLine} characters`, "a longer one")
        : parseEntry(text, position, "a JSON object on one line")
    )
  }
}

/** The entry that a JSON text is, or one that says why it is none. */
export const parseEntry = (
  text: string,
  position: Position,
  rule: string,
  toValue: (parsed: unknown) => unknown = (parsed) => parsed
): FleetRow => {
  try {
    return fromValue(toValue(JSON.parse(text)), position)
  } catch (error) {
    return unreadable(position, text, rule, describeJsonError(error))
  }
}

/** What is wrong with a JSON text. The engine's own message quotes the text, which may hold secrets. */
export const describeJsonError = (error: unknown): string => {
  const message = error instanceof Error ? error.message : ""
  if (message.includes("end of JSON input")) return "JSON that ends too early"
  const position = /at position (\d+)/.exec(message)?.[1]
  return position === undefined
    ? "text that is not JSON"
    : `text that is not JSON (at character ${Number(position) + 1})`
}
