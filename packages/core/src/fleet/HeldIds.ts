/**
 * The ids that a scheduler holds, as a Bloom filter (Bloom, 1970): 24 bits for each, whatever their length. It never
 * forgets one; of those that were not added, it takes about one in 100,000 for added, another one each time, since
 * every filter hashes differently.
 */
const bitsEach = 24
/** About ln 2 × 24 would be best; above eight, more hashes cost more than the fewer mistakes are worth. */
const hashes = 8

export class HeldIds {
  private readonly bits: Uint32Array
  private readonly size: number
  private readonly seed: number

  /** For about `expected` ids; with more of them it makes more mistakes. `seed`: an integer. */
  constructor(expected: number, seed: number) {
    this.size = Math.min(2 ** 32 - 32, Math.max(1024, expected) * bitsEach)
    this.bits = new Uint32Array(Math.ceil(this.size / 32))
    this.seed = seed >>> 0
  }

  add(id: string): void {
    const [first, second] = this.hash(id)
    for (let i = 0; i < hashes; i++) {
      const bit = (first + i * second) % this.size
      const word = bit >>> 5
      this.bits[word] = (this.bits[word] ?? 0) | (1 << (bit & 31))
    }
  }

  has(id: string): boolean {
    const [first, second] = this.hash(id)
    for (let i = 0; i < hashes; i++) {
      const bit = (first + i * second) % this.size
      if (((this.bits[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false
    }
    return true
  }

  // Two hashes make as many as are wanted (Kirsch and Mitzenmacher, 2006); these are FNV-1a, with a final mix.
  private hash(id: string): readonly [number, number] {
    let first = (0x811c9dc5 ^ this.seed) >>> 0
    let second = (0x9e3779b9 ^ this.seed) >>> 0
    for (let i = 0; i < id.length; i++) {
      const code = id.charCodeAt(i)
      first = Math.imul(first ^ code, 0x01000193)
      second = Math.imul(second ^ code, 0x85ebca6b)
    }
    return [mix(first), (mix(second) | 1) >>> 0]
  }
}

export const mix = (hash: number): number => {
  let mixed = hash ^ (hash >>> 16)
  mixed = Math.imul(mixed, 0x7feb352d)
  mixed ^= mixed >>> 15
  mixed = Math.imul(mixed, 0x846ca68b)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
