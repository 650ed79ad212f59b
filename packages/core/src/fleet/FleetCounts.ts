/**
 * How many workers there are, kept in step with what is committed so that nobody has to count; and what the metrics
 * are told of each commit.
 */
import type { ChangedRecord } from "./Draft.ts"
import type { WorkerMetrics } from "./FleetMetrics.ts"
import type { StoreOverview } from "./FleetStore.ts"
import { Phase } from "./Phase.ts"
import { Priority } from "./Priority.ts"
import { isUnfinished } from "./WorkerRecord.ts"

export class FleetCounts {
  unfinished = 0
  /** Workers with a lease. */
  leased = 0
  private phases: Map<Phase, number> = new Map()
  private unfinishedOf: Map<Priority, number> = new Map()
  private readonly metrics: WorkerMetrics

  constructor(overview: StoreOverview, metrics: WorkerMetrics) {
    this.metrics = metrics
    this.reset(overview)
  }

  /** Begins anew with what the store says. */
  reset({ leased, phases, unfinished, unfinishedOf }: StoreOverview): void {
    this.unfinished = unfinished
    this.leased = leased
    this.phases = new Map(phases)
    this.unfinishedOf = new Map(unfinishedOf)
    for (const phase of Phase.literals) this.metrics.inPhase(phase, this.in(phase))
    for (const priority of Priority.literals) this.addUnfinished(priority, 0)
  }

  get known(): number {
    let known = 0
    for (const count of this.phases.values()) known += count
    return known
  }

  in(phase: Phase): number {
    return this.phases.get(phase) ?? 0
  }

  unfinishedAt(priority: Priority): number {
    return this.unfinishedOf.get(priority) ?? 0
  }

  apply({ after, before }: ChangedRecord): void {
    if (before !== undefined) {
      if (isUnfinished(before)) this.addUnfinished(before.priority, -1)
      if (before.leaseExpiresAt !== undefined) this.leased--
    }
    if (isUnfinished(after)) this.addUnfinished(after.priority, 1)
    if (after.leaseExpiresAt !== undefined) this.leased++
    this.tellDrift({ after, before })
    if (before?.phase === after.phase) return
    if (before !== undefined) this.add(before.phase, -1)
    this.add(after.phase, 1)
    if (after.phase === "failed") this.metrics.becameDeadLetter(after.lastError?.type ?? "unexpected")
  }

  /** Terminated workers were forgotten. */
  forgot(count: number): void {
    this.add("terminated", -count)
  }

  private tellDrift({ after, before }: ChangedRecord): void {
    const [was, is] = [before?.repairs, after.repairs]
    if (was === undefined && is !== undefined) this.metrics.foundDrift(is, 1)
    if (was !== undefined && is === undefined) this.metrics.repairedDrift(was, 1)
    // A check finds out and repairs in one.
    if (before === undefined || after.losses <= before.losses) return
    this.metrics.foundDrift("lost", 1)
    this.metrics.repairedDrift("lost", 1)
  }

  private add(phase: Phase, count: number): void {
    const sum = this.in(phase) + count
    this.phases.set(phase, sum)
    this.metrics.inPhase(phase, sum)
  }

  private addUnfinished(priority: Priority, count: number): void {
    const sum = this.unfinishedAt(priority) + count
    this.unfinished += count
    this.unfinishedOf.set(priority, sum)
    this.metrics.unfinished(priority, sum)
  }
}
