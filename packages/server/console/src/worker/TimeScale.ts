/**
 * From times to places in a picture. Milliseconds and days stand side by side in a worker's life, so the way between
 * two moments grows with the logarithm of the time between them: order and rough size stay to be seen.
 */
export class TimeScale {
  /** Moments, rising, and the pixels from the left at which each is. */
  readonly stops: ReadonlyArray<{ readonly at: number; readonly x: number }>
  readonly width: number

  /** As wide as `room` pixels, or wider where the moments need it. */
  constructor(moments: ReadonlyArray<number>, room: number, margin: number) {
    const times = Array.from(new Set(moments)).toSorted((a, b) => a - b)
    const gaps = times.slice(1).map((at, i) => Math.log2(1 + (at - (times[i] ?? at)) / 40))
    const sum = gaps.reduce((total, gap) => total + gap, 0)
    const least = gaps.length * leastGap
    const free = Math.max(room - 2 * margin - least, 0)
    let x = margin
    this.stops = times.map((at, i) => {
      if (i > 0) x += leastGap + (sum === 0 ? 0 : ((gaps[i - 1] ?? 0) / sum) * free)
      return { at, x }
    })
    this.width = Math.max(room, x + margin)
  }

  place(at: number): number {
    const after = this.stops.findIndex((stop) => stop.at >= at)
    const right = this.stops[after]
    const left = this.stops[after - 1]
    if (right === undefined) return this.stops.at(-1)?.x ?? 0
    if (left === undefined || right.at === at) return right.x
    return left.x + ((right.x - left.x) * (at - left.at)) / (right.at - left.at)
  }
}

/** Pixels between two moments that are next to each other. */
const leastGap = 16
