/**
 * Whether the process stayed as it was: the trend of the second half of the run, in which everything has been seen
 * once, against bounds that are stated.
 */
import { delayQuantile, type Sample } from "./Samples.ts"
import { median, type Point, slopeOf, thin } from "./Trend.ts"

export interface Finding {
  readonly what: string
  readonly value: string
  readonly bound: string
  readonly isFine: boolean
  /** Why nothing can be said; then it counts as fine. */
  readonly unjudged?: string
}

const mebibyte = 1024 * 1024
const secondsAnHour = 3600
/** All pairs of these are looked at. */
const mostPoints = 400

/**
 * How much something may grow: so much an hour, and besides what chance alone makes of a short run. In an hour the
 * second half is half an hour long, so the noise is a small part of what a leak that matters would add.
 */
interface Bound {
  readonly perHour: number
  readonly noise: number
  /** Minutes that the trend has to be seen for: a process that is warming up grows. */
  readonly shortest: number
}

const bounds = {
  heap: { perHour: 8, noise: 8, shortest: 2.4 },
  // It follows the collector, whose rounds are minutes apart where there is little processor.
  resident: { perHour: 16, noise: 32, shortest: 15 },
  descriptors: { perHour: 4, noise: 12, shortest: 0 },
  store: { perHour: 4, noise: 8, shortest: 2.4 }
} satisfies Readonly<Record<string, Bound>>

/** The share of the time without a processor up to which a delay is the process's own doing. */
const starvation = 0.05

/** Of each second the longest delay, and which share of the seconds stays under it. */
const delayBounds: ReadonlyArray<readonly [share: number, seconds: number]> = [
  [0.5, 0.1],
  [0.99, 1]
]
/** A service with a few hundred workers, and their store, whose history is kept for a minute. */
const largestResidentMebibytes = 768
const largestStoreMebibytes = 64

const secondHalf = (samples: ReadonlyArray<Sample>): ReadonlyArray<Sample> => {
  const middle = (samples.at(-1)?.at ?? 0) / 2
  return samples.filter(({ at }) => at >= middle)
}

export const judgeSamples = (samples: ReadonlyArray<Sample>): ReadonlyArray<Finding> => {
  const half = secondHalf(samples)
  const mebibytes = (valueOf: (sample: Sample) => number | undefined) =>
    pointsOf(half, (sample) => {
      const value = valueOf(sample)
      return value === undefined ? undefined : value / mebibyte
    })
  const heap = mebibytes(({ heapBytes }) => heapBytes)
  const resident = mebibytes(({ residentBytes }) => residentBytes)
  const store = mebibytes(({ storeBytes }) => storeBytes)
  const descriptors = pointsOf(half, (sample) => sample.descriptors)
  return [
    growth("heap after a full collection", "MiB", heap, bounds.heap),
    growth("resident memory", "MiB", resident, bounds.resident),
    atMost("resident memory at its largest", resident, largestResidentMebibytes),
    growth("open files", "", descriptors, bounds.descriptors),
    ...delays(samples),
    ...(store.length === 0
      ? []
      : [
          growth("the store's file", "MiB", store, bounds.store),
          atMost("the store's file at its largest", store, largestStoreMebibytes)
        ])
  ]
}

const pointsOf = (
  samples: ReadonlyArray<Sample>,
  valueOf: (sample: Sample) => number | undefined
): ReadonlyArray<Point> =>
  samples.flatMap((sample) => {
    const value = valueOf(sample)
    return value === undefined ? [] : [{ at: sample.at, value }]
  })

/** What was gained from the beginning of the points to their end, along their trend. */
const growth = (what: string, unit: string, points: ReadonlyArray<Point>, bound: Bound): Finding => {
  const slope = slopeOf(thin(points, mostPoints))
  const hours = ((points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0)) / secondsAnHour
  const gained = slope * secondsAnHour * hours
  const most = bound.noise + bound.perHour * hours
  const of = unit === "" ? "" : ` ${unit}`
  const middle = median(points.map(({ value }) => value))
  return {
    what,
    value: `${middle.toFixed(1)}${of}, ${signed(gained)} in ${(hours * 60).toFixed(1)} min (${signed(slope * secondsAnHour)}${of} an hour)`,
    bound: `at most +${most.toFixed(1)}: ${bound.noise}, and ${bound.perHour} an hour`,
    ...(hours * 60 < bound.shortest && points.length > 0
      ? { isFine: true, unjudged: "too short for a trend" }
      : { isFine: points.length > 0 && gained <= most })
  }
}

const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`

const delays = (samples: ReadonlyArray<Sample>): ReadonlyArray<Finding> => {
  const [first] = samples
  const last = samples.at(-1)
  if (first === undefined || last === undefined) return []
  const starved = (last.starvedSeconds - first.starvedSeconds) / (last.at - first.at)
  return delayBounds.map(([share, most]) => {
    const delay = delayQuantile(first, last, share)
    return {
      what: `event loop's delay, ${share * 100} % of seconds`,
      value: `at most ${delay} s`,
      bound: `at most ${most} s`,
      ...(starved > starvation
        ? { isFine: true, unjudged: `no processor for ${Math.round(starved * 100)} % of the time` }
        : { isFine: delay <= most })
    }
  })
}

const atMost = (what: string, points: ReadonlyArray<Point>, most: number): Finding => {
  const largest = Math.max(0, ...points.map(({ value }) => value))
  return {
    what,
    value: `${largest.toFixed(1)} MiB`,
    bound: `at most ${most} MiB`,
    isFine: points.length > 0 && largest <= most
  }
}
