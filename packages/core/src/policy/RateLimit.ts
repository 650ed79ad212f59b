/**
 * A maximum number of calls in any one second, exactly: it remembers when the last so many were accepted.
 */
export class RateLimit {
  private readonly acceptedAt: Array<number> = []
  private oldest = 0
  private readonly perSecond: number

  /** `perSecond`: an integer ≥ 1. */
  constructor(perSecond: number) {
    if (!Number.isSafeInteger(perSecond) || perSecond < 1) {
      throw new RangeError(
        `maxRate must be a whole number of calls per second, 1 or more, but is ${perSecond}`
      )
    }
    this.perSecond = perSecond
  }

  /** Accepts a call at time `now` (in milliseconds) and gives 0, or gives how long to wait before the next try. */
  take(now: number): number {
    const accepted = this.acceptedAt[this.oldest]
    if (accepted !== undefined && now < accepted + 1000) return accepted + 1000 - now
    this.acceptedAt[this.oldest] = now
    this.oldest = (this.oldest + 1) % this.perSecond
    return 0
  }
}
