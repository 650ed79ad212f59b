/**
 * What was found: each with the input that led to it, in a file, so that it can be sent again.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export interface Finding {
  readonly area: string
  /** The number of the input in its area. */
  readonly input: number
  readonly what: string
  /** Where the input is; absent where what is wrong is not about a single one, or enough were kept. */
  readonly file: string | undefined
}

/** More of one kind say nothing new. */
const mostKept = 25

export class Findings {
  readonly all: Array<Finding> = []
  private readonly folder: string
  private readonly seed: string
  private readonly say: (line: string) => void

  constructor(folder: string, seed: string, say: (line: string) => void) {
    this.folder = folder
    this.seed = seed
    this.say = say
  }

  add(area: string, input: number, what: string, bytes?: Uint8Array, ending = "bin"): void {
    if (this.all.length >= mostKept) return void this.all.push({ area, input, what, file: undefined })
    const file =
      bytes === undefined ? undefined : join(this.folder, `${this.seed}-${area}-${input}.${ending}`)
    if (file !== undefined && bytes !== undefined) {
      mkdirSync(this.folder, { recursive: true })
      writeFileSync(file, bytes)
    }
    this.all.push({ area, input, what, file })
    this.say(
      `FOUND  seed ${this.seed}, ${area} ${input}: ${what}${file === undefined ? "" : `\n       input: ${file}`}`
    )
  }
}
