/**
 * Values that are kept in order, many of them: adding, removing and looking for a place cost a binary search and the
 * move of a few hundred neighbours. In chunks, because moving a hundred thousand is what makes one array slow.
 */

const largestChunk = 512

export class SortedValues<A> {
  private readonly compare: (left: A, right: A) => number
  // None is empty, and each is before the next.
  private readonly chunks: Array<Array<A>> = []
  private count = 0

  /** Two values that compare as 0 are the same one. */
  constructor(compare: (left: A, right: A) => number) {
    this.compare = compare
  }

  get size(): number {
    return this.count
  }

  /** Adds a value that is not there yet. */
  add(value: A): void {
    const isBefore = (other: A) => this.compare(other, value) < 0
    // Most values come after all that are there.
    const at = Math.min(this.chunkAt(isBefore), this.chunks.length - 1)
    const chunk = this.chunks[at]
    this.count++
    if (chunk === undefined) {
      this.chunks.push([value])
      return
    }
    chunk.splice(partitionPoint(chunk, isBefore), 0, value)
    if (chunk.length > largestChunk) this.chunks.splice(at + 1, 0, chunk.splice(largestChunk / 2))
  }

  delete(value: A): void {
    const isBefore = (other: A) => this.compare(other, value) < 0
    const at = this.chunkAt(isBefore)
    const chunk = this.chunks[at]
    if (chunk === undefined) return
    const place = partitionPoint(chunk, isBefore)
    const found = chunk[place]
    if (found === undefined || this.compare(found, value) !== 0) return
    chunk.splice(place, 1)
    this.count--
    if (chunk.length === 0) this.chunks.splice(at, 1)
  }

  /** The values from the first that is not `isBefore`, which must hold for a beginning of them. Not while they change. */
  *from(isBefore: (value: A) => boolean): Generator<A, void> {
    const first = this.chunkAt(isBefore)
    for (let at = first; at < this.chunks.length; at++) {
      const chunk = this.chunks[at] ?? []
      for (let place = at === first ? partitionPoint(chunk, isBefore) : 0; place < chunk.length; place++) {
        const value = chunk[place]
        if (value !== undefined) yield value
      }
    }
  }

  /** At most `limit` values from there on. */
  take(limit: number, isBefore: (value: A) => boolean): Array<A> {
    return this.takeWhile(limit, () => true, isBefore)
  }

  /** At most `limit` values from there on, up to the first one that is not `isWanted`. */
  takeWhile(
    limit: number,
    isWanted: (value: A, index: number) => boolean,
    isBefore: (value: A) => boolean = () => false
  ): Array<A> {
    const wanted: Array<A> = []
    for (const value of this.from(isBefore)) {
      if (wanted.length >= limit || !isWanted(value, wanted.length)) break
      wanted.push(value)
    }
    return wanted
  }

  /** The first chunk that does not lie before as a whole; as many as there are if all do. */
  private chunkAt(isBefore: (value: A) => boolean): number {
    return partitionPoint(this.chunks, (chunk) => {
      const last = chunk.at(-1)
      return last !== undefined && isBefore(last)
    })
  }
}

/** How many values of a beginning are `isBefore`. */
const partitionPoint = <A>(values: ReadonlyArray<A>, isBefore: (value: A) => boolean): number => {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const value = values[middle]
    if (value !== undefined && isBefore(value)) low = middle + 1
    else high = middle
  }
  return low
}
