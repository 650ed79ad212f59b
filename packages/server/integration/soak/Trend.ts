/**
 * Where a series of measurements is going, whatever single ones of them say: the slope of Theil and Sen, the median of
 * the slopes between all pairs. Nearly a third of the points can be anything without moving it.
 */

export interface Point {
  /** In seconds. */
  readonly at: number
  readonly value: number
}

/** By how much the value grows in a second; 0 where there are less than two points. */
export const slopeOf = (points: ReadonlyArray<Point>): number => {
  const slopes: Array<number> = []
  for (const [index, one] of points.entries()) {
    for (const other of points.slice(index + 1)) {
      if (other.at !== one.at) slopes.push((other.value - one.value) / (other.at - one.at))
    }
  }
  return median(slopes)
}

/** 0 where there is none. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2
}

/** At most so many of them, evenly chosen. */
export const thin = <A>(points: ReadonlyArray<A>, most: number): ReadonlyArray<A> => {
  if (points.length <= most) return points
  const step = points.length / most
  return Array.from({ length: most }, (_, index) => points[Math.floor(index * step)]).filter(
    (point) => point !== undefined
  )
}
