/** A count of what happened lately, in slices of time that are forgotten one by one. Times are milliseconds. */
export class RecentCount {
  private readonly slices: Float64Array
  private readonly sliceMillis: number
  private slice = 0
  private total = 0

  constructor(slices: number, sliceMillis: number) {
    this.slices = new Float64Array(slices)
    this.sliceMillis = sliceMillis
  }

  add(count: number, now: number): void {
    this.advance(now)
    this.total += count
    const place = this.slice % this.slices.length
    this.slices[place] = (this.slices[place] ?? 0) + count
  }

  /** What was counted in the slice of now, which has only begun, and in those before it. */
  count(now: number): number {
    this.advance(now)
    return this.total
  }

  private advance(now: number): void {
    const slice = Math.max(Math.floor(now / this.sliceMillis), this.slice)
    const { length } = this.slices
    for (let i = Math.max(this.slice + 1, slice - length + 1); i <= slice; i++) {
      this.total -= this.slices[i % length] ?? 0
      this.slices[i % length] = 0
    }
    this.slice = slice
  }
}
