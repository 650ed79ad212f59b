/**
 * What the soak test has been told of its workers: of each that is wanted the state that was acknowledged last, and
 * how many there were. What is over is forgotten, so that it does not grow itself.
 */
import type { WorkerId } from "@muster/core"

export interface Wanted {
  readonly revision: string
  readonly generation: number
  readonly saidReady: boolean
}

export interface FleetCounts {
  requests: number
  registered: number
  terminated: number
  /** Workers that have stopped to send heartbeats. */
  silenced: number
  heartbeats: number
  reads: number
  events: number
  exports: number
  bad: number
  retried: number
  /** Answers that asked to come again. */
  deferred: number
}

const faultsKept = 50

export class Fleet {
  readonly wanted = new Map<WorkerId, Wanted>()
  /** They expire, sooner or later: they may be there or not, but not at the end. */
  readonly silent = new Set<WorkerId>()
  readonly counts: FleetCounts = {
    requests: 0,
    registered: 0,
    terminated: 0,
    silenced: 0,
    heartbeats: 0,
    reads: 0,
    events: 0,
    exports: 0,
    bad: 0,
    retried: 0,
    deferred: 0
  }
  /** What should not have happened; for people. */
  readonly faults: Array<string> = []
  faultCount = 0

  fault(what: string): void {
    this.faultCount++
    if (this.faults.length < faultsKept) this.faults.push(what)
  }
}
