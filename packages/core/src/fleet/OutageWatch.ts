/**
 * Notices when a scheduler that could not be reached can be reached again: it may have come back without its memory.
 */
import type { Failure } from "./Failure.ts"

/** So many calls in a row, with all their retries, make an outage; a single one may have been the worker's bad luck. */
const failuresOfOutage = 3

export class OutageWatch {
  private failures = 0
  private readonly onEnd: () => void

  constructor(onEnd: () => void) {
    this.onEnd = onEnd
  }

  /** Calls for a worker ended so; `undefined`: they succeeded. */
  note(failure: Failure | undefined): void {
    if (failure?.retryable === true) {
      this.failures++
      return
    }
    // The newer state won, perhaps without a word from the scheduler.
    if (failure?.type === "superseded") return
    const wasOutage = this.failures >= failuresOfOutage
    this.failures = 0
    if (wasOutage) this.onEnd()
  }
}
