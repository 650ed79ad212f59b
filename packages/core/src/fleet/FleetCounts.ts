/**
 * How many workers there are, kept in step with what is committed so that nobody has to count.
 */
import type { ChangedRecord } from "./Draft.ts"
import type { PhaseGauge } from "./FleetMetrics.ts"
import type { StoreOverview } from "./FleetStore.ts"
import { Phase } from "./Phase.ts"
import { isUnfinished } from "./WorkerRecord.ts"

export class FleetCounts {
  unfinished = 0
  /** Workers with a lease. */
  leased = 0
  private phases: Map<Phase, number> = new Map()
  private readonly gauge: PhaseGauge

  constructor(overview: StoreOverview, gauge: PhaseGauge) {
    this.gauge = gauge
    this.reset(overview)
  }

  /** Begins anew with what the store says. */
  reset({ leased, phases, unfinished }: StoreOverview): void {
    this.unfinished = unfinished
    this.leased = leased
    this.phases = new Map(phases)
    for (const phase of Phase.literals) this.gauge(phase, this.in(phase))
  }

  get known(): number {
    let known = 0
    for (const count of this.phases.values()) known += count
    return known
  }

  in(phase: Phase): number {
    return this.phases.get(phase) ?? 0
  }

  apply({ after, before }: ChangedRecord): void {
    if (before !== undefined) {
      if (isUnfinished(before)) this.unfinished--
      if (before.leaseExpiresAt !== undefined) this.leased--
    }
    if (isUnfinished(after)) this.unfinished++
    if (after.leaseExpiresAt !== undefined) this.leased++
    if (before?.phase === after.phase) return
    if (before !== undefined) this.add(before.phase, -1)
    this.add(after.phase, 1)
  }

  /** Terminated workers were forgotten. */
  forgot(count: number): void {
    this.add("terminated", -count)
  }

  private add(phase: Phase, count: number): void {
    const sum = this.in(phase) + count
    this.phases.set(phase, sum)
    this.gauge(phase, sum)
  }
}
