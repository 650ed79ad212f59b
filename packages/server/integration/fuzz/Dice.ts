/**
 * Chance that can be repeated: what a seed has led to once, it leads to again, whatever was thrown for others meanwhile.
 */
import { createHash } from "node:crypto"

export class Dice {
  private a: number
  private b: number
  private c: number
  private counter: number

  /** All parts together are the seed, such as that of the run, the area and the number of the input. */
  constructor(...seed: ReadonlyArray<string | number>) {
    const hash = createHash("sha256").update(JSON.stringify(seed)).digest()
    this.a = hash.readUInt32LE(0)
    this.b = hash.readUInt32LE(4)
    this.c = hash.readUInt32LE(8)
    this.counter = hash.readUInt32LE(12)
  }

  /** From 0 to below 2^32: Chris Doty-Humphrey's sfc32. */
  private next(): number {
    const sum = (((this.a + this.b) >>> 0) + this.counter) >>> 0
    this.counter = (this.counter + 1) >>> 0
    this.a = (this.b ^ (this.b >>> 9)) >>> 0
    this.b = (this.c + (this.c << 3)) >>> 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) >>> 0
    return sum
  }

  /** A whole number from 0 to below `bound`. */
  below(bound: number): number {
    return Math.floor((this.next() / 2 ** 32) * bound)
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  /** True in `share` of all cases. */
  chance(share: number): boolean {
    return this.next() / 2 ** 32 < share
  }

  /** One of these; there must be one. */
  pick<A>(choices: ReadonlyArray<A>): A {
    const chosen = choices[this.below(choices.length)]
    if (chosen === undefined) throw new Error("nothing to pick from")
    return chosen
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)))
  }
}
