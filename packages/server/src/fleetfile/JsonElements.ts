/**
 * The elements of one JSON array, cut out of a document piece by piece: each knows the line where it begins, and one
 * that is not JSON is an entry like the others. (`effect/encoding/JsonArray` ends with the first bad element and takes
 * those along that came in the same piece.)
 *
 * What is counted is quotes and brackets alone; whether an element is JSON, `JSON.parse` says.
 */
import { FleetFileError, type FleetRow, unreadable } from "./FleetRow.ts"
import { parseEntry } from "./Ndjson.ts"

const rule = "a JSON object"
/** The longest element, in characters. */
const longestElement = 16 * 2 ** 20

const quote = 0x22
const comma = 0x2c
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d
const lineFeed = 0x0a

const isSpace = (code: number): boolean =>
  code === 0x20 || code === lineFeed || code === 0x0d || code === 0x09

export class JsonElements {
  private readonly toValue: (element: unknown) => unknown
  /** Characters before the first element. */
  private before: number
  /** Whether the array is a member of an object, so that the rest of that follows. */
  private readonly isMember: boolean
  private entry = 0
  private line = 1
  private depth = 0
  private isInString = false
  private isEscaped = false
  /** The line of the element's first character; 0 before there is one. */
  private begins = 0
  /** The element as far as it was read before this piece. */
  private rest = ""
  private isCut = false
  private isOver = false
  /** The last character after the array, without spaces. */
  private after: number | undefined

  constructor(before: number, isMember: boolean, toValue: (element: unknown) => unknown) {
    this.before = before
    this.isMember = isMember
    this.toValue = toValue
  }

  feed(text: string): ReadonlyArray<FleetRow> {
    const rows: Array<FleetRow> = []
    let start = 0
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code === lineFeed) this.line++
      if (this.before > 0) {
        this.before--
        start = index + 1
        continue
      }
      if (this.isOver) {
        if (!isSpace(code)) this.after = code
        continue
      }
      if (this.begins === 0 && !isSpace(code)) this.begins = this.line
      if (this.isInString) {
        if (this.isEscaped) this.isEscaped = false
        else if (code === backslash) this.isEscaped = true
        else if (code === quote) this.isInString = false
        continue
      }
      switch (code) {
        case quote:
          this.isInString = true
          break
        case openBrace:
        case openBracket:
          this.depth++
          break
        case closeBrace:
          if (this.depth > 0) this.depth--
          break
        case closeBracket:
          if (this.depth > 0) this.depth--
          else {
            this.append(text.slice(start, index))
            if (this.entry > 0 || this.rest.trim() !== "") this.complete(rows)
            this.isOver = true
          }
          break
        case comma:
          if (this.depth > 0) break
          this.append(text.slice(start, index))
          this.complete(rows)
          start = index + 1
      }
    }
    if (!this.isOver && this.before === 0) this.append(text.slice(start))
    return rows
  }

  /** What is left at the end of the document: an element that breaks off. */
  end(): ReadonlyArray<FleetRow> {
    const rows: Array<FleetRow> = []
    if (!this.isOver && this.rest.trim() !== "") this.complete(rows)
    return rows
  }

  /** Why the document is not complete, or is more than that. */
  get failure(): FleetFileError | undefined {
    if (!this.isOver) {
      return new FleetFileError({
        message: `The JSON document breaks off at line ${this.line}, after entry ${this.entry}: its array is not closed. The entries up to there were tried.`
      })
    }
    if (this.after === (this.isMember ? closeBrace : undefined)) return undefined
    return new FleetFileError({
      message: `The JSON document is not well formed after entry ${this.entry}, where its array ends. The entries up to there were tried.`
    })
  }

  private append(text: string): void {
    this.isCut ||= this.rest.length + text.length > longestElement
    if (this.isCut) this.rest = this.rest.slice(0, longestElement)
    else this.rest = this.rest === "" ? text : this.rest + text
  }

  private complete(rows: Array<FleetRow>): void {
    const text = this.rest
    const position = { entry: ++this.entry, line: this.begins === 0 ? this.line : this.begins }
    rows.push(
      this.isCut
        ? unreadable(position, text, `an element of at most ${longestElement} characters`, "a longer one")
        : text.trim() === ""
          ? unreadable(position, "", rule, "nothing: a comma too many")
          : parseEntry(text.trim(), position, rule, this.toValue)
    )
    this.rest = ""
    this.isCut = false
    this.begins = 0
  }
}
