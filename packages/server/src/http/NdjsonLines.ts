/**
 * Lines out of a stream of bytes, with bounded memory whatever arrives: of a line that is too long only its number
 * is kept.
 */
import { Stream } from "effect"

/** One line that is not empty; `bytes` is absent where it was longer than allowed. Lines count from 1. */
export interface Line {
  readonly line: number
  readonly bytes: Uint8Array | undefined
}

/** The lines of `bytes`, each of at most `maximum` bytes without its end (`\n` or `\r\n`). The last needs no end. */
export const lines = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  maximum: number
): Stream.Stream<Line, E, R> =>
  Stream.suspend(() => {
    const splitter = new LineSplitter(maximum)
    return bytes.pipe(
      Stream.map((chunk) => splitter.push(chunk)),
      Stream.concat(Stream.sync(() => splitter.end())),
      Stream.flatMap(Stream.fromIterable)
    )
  })

const newline = 0x0a
const carriageReturn = 0x0d

class LineSplitter {
  private number = 1
  private parts: Array<Uint8Array> = []
  private length = 0
  private isTooLong = false
  private readonly maximum: number

  constructor(maximum: number) {
    this.maximum = maximum
  }

  push(chunk: Uint8Array): Array<Line> {
    const found: Array<Line> = []
    let from = 0
    while (from < chunk.length) {
      const end = chunk.indexOf(newline, from)
      this.append(chunk.subarray(from, end === -1 ? chunk.length : end), found)
      if (end === -1) return found
      this.finish(found)
      from = end + 1
    }
    return found
  }

  end(): Array<Line> {
    const found: Array<Line> = []
    this.finish(found)
    return found
  }

  private append(part: Uint8Array, found: Array<Line>): void {
    if (this.isTooLong || part.length === 0) return
    this.length += part.length
    // One byte more, for the carriage return that may belong to the line's end.
    if (this.length <= this.maximum + 1) {
      this.parts.push(part)
      return
    }
    // Told at once, and not at the line's end, which may never come.
    this.isTooLong = true
    this.parts = []
    found.push({ line: this.number, bytes: undefined })
  }

  private finish(found: Array<Line>): void {
    if (!this.isTooLong) {
      const [only, ...more] = this.parts
      const whole = only !== undefined && more.length === 0 ? only : Buffer.concat(this.parts)
      const bytes = whole.at(-1) === carriageReturn ? whole.subarray(0, -1) : whole
      if (bytes.length > this.maximum) found.push({ line: this.number, bytes: undefined })
      else if (!isBlank(bytes)) found.push({ line: this.number, bytes })
    }
    this.number++
    this.parts = []
    this.length = 0
    this.isTooLong = false
  }
}

const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0x20 || byte === 0x09)
