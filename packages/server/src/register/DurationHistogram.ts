/**
 * Percentiles of durations in constant memory: counts in buckets whose bounds grow by 2 %, so that a percentile is
 * exact to 1 %. (The idea of HdrHistogram and DDSketch, with the few lines that a summary needs.)
 */
import { Duration } from "effect"

const growth = Math.log(1.02)
/** Durations below a microsecond count as one. */
const smallestMillis = 0.001

export class DurationHistogram {
  private readonly counts: Array<number> = []
  private total = 0

  record(duration: Duration.Duration): void {
    const millis = Math.max(smallestMillis, Duration.toMillis(duration))
    const bucket = Math.floor(Math.log(millis / smallestMillis) / growth)
    while (this.counts.length <= bucket) this.counts.push(0)
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.total++
  }

  /** The duration that `share` (0 to 1) of those recorded do not exceed; `undefined` when none was. */
  percentile(share: number): Duration.Duration | undefined {
    if (this.total === 0) return undefined
    let below = 0
    const bucket = this.counts.findIndex((count) => (below += count) >= share * this.total)
    return Duration.millis(smallestMillis * Math.exp((bucket + 0.5) * growth))
  }
}
