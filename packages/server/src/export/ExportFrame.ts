/**
 * What the first and the last line of an export say to whoever reads it: whether it is one, and whether it is whole.
 */
import { Option, Schema } from "effect"
import { formatVersion } from "./ExportFormat.ts"

const Header = Schema.Struct({
  muster: Schema.Literal("export"),
  version: Schema.Finite,
  workers: Schema.Finite
})

const End = Schema.Struct({ muster: Schema.Literal("end"), workers: Schema.Finite })

const decodeHeader = Schema.decodeUnknownOption(Schema.fromJsonString(Header))
const decodeEnd = Schema.decodeUnknownOption(Schema.fromJsonString(End))

/** Above this a line is neither the first nor the last of an export. */
const longestFrame = 4096

/** Follows the lines of an export, whatever stands in them. */
export class ExportFrame {
  /** Workers, or what stands in their place. */
  lines = 0
  /** How many there were to be, as the first line says it. */
  expected: number | undefined
  private hasBegun = false
  private end: number | undefined

  /** What is wrong with it, where nothing more of it can be used. */
  feed(line: string): string | undefined {
    if (!this.hasBegun) {
      this.hasBegun = true
      const header = line.length > longestFrame ? Option.none() : decodeHeader(line)
      if (Option.isNone(header)) return "its first line is not that of an export"
      if (header.value.version !== formatVersion) {
        return `it has version ${header.value.version} of the format, and this version of muster knows ${formatVersion}. Use a newer one`
      }
      this.expected = header.value.workers
      return undefined
    }
    if (this.end !== undefined) return "it goes on after its last line"
    const end = line.length > longestFrame ? Option.none() : decodeEnd(line)
    if (Option.isSome(end)) this.end = end.value.workers
    else this.lines++
    return undefined
  }

  /** Why it is not whole; to be asked when all of it was read. */
  get missing(): string | undefined {
    if (!this.hasBegun) return "it is empty"
    if (this.end === undefined) return "its last line is missing"
    return this.end === this.lines ? undefined : `it has ${this.lines} of ${this.end} workers`
  }
}
