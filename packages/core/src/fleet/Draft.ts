/**
 * A group of records that is being changed: what was read, what was made of it so far, and in the end the decision to
 * commit. The steps of several callers follow one another on one draft, each seeing what the one before it did.
 */
import type { WorkerId } from "../WorkerId.ts"
import type { Actor } from "./Actor.ts"
import { AuditEntries, type AuditEntry } from "./Audit.ts"
import type { FleetRules } from "./FleetRules.ts"
import type { Decision, Found, Note, TimelineSegment } from "./FleetStore.ts"
import { isInEpoch } from "./Sharing.ts"
import { type TimelineItem, timelineLength } from "./Timeline.ts"
import type { TraceOrigin } from "../TraceOrigin.ts"
import { isUnfinished, type WorkerRecord } from "./WorkerRecord.ts"

/** A record that was changed; `before` is absent where the worker was not known. */
export interface ChangedRecord {
  readonly before: WorkerRecord | undefined
  readonly after: WorkerRecord
}

/** What the steps on a draft go by, beside the records. */
export interface DraftContext {
  readonly now: number
  readonly rules: FleetRules
  /** How many changes are unfinished in the store. */
  readonly unfinished: number
  /** The next generation of the clock that all changes share; larger than `above` too. */
  readonly nextGeneration: (now: number, above: number) => number
  /** How long a worker with this lease may stay silent at the moment, in milliseconds. */
  readonly leaseTerm: (leaseTtl: number) => number
}

export class Draft {
  readonly now: number
  readonly rules: FleetRules
  /** The trace in which the step was asked for that is being taken. */
  trace: TraceOrigin | undefined
  /** Who asked for it. */
  actor: Actor | undefined
  private readonly audits = new AuditEntries()
  private readonly context: DraftContext
  private readonly found: Found
  private readonly changes = new Map<WorkerId, ChangedRecord>()
  private readonly items = new Map<WorkerId, Array<TimelineItem>>()
  private readonly notes = new Map<string, Note>()
  private unfinished: number
  private forgottenGeneration: number | undefined

  constructor(found: Found, context: DraftContext) {
    this.found = found
    this.context = context
    this.now = context.now
    this.rules = context.rules
    this.unfinished = context.unfinished
  }

  record(id: WorkerId): WorkerRecord | undefined {
    return this.changes.get(id)?.after ?? this.found.records.get(id)
  }

  note(key: string): string | undefined {
    return this.notes.get(key)?.value ?? this.found.notes.get(key)
  }

  get isFull(): boolean {
    return this.unfinished >= this.rules.maxUnfinished
  }

  /** No more than half of the room is left. */
  get isHalfFull(): boolean {
    return this.unfinished * 2 >= this.rules.maxUnfinished
  }

  /** Larger than every generation that this worker has had, in this life or in one that was forgotten. */
  nextGeneration(record: WorkerRecord): number {
    return this.context.nextGeneration(
      this.now,
      Math.max(record.generation, this.found.forgottenGeneration, this.forgottenGeneration ?? 0)
    )
  }

  /** Whether a worker is still in the hands in which it was in this epoch. */
  isInEpoch(id: WorkerId, epoch: number): boolean {
    return isInEpoch(this.found.epochs, id, epoch)
  }

  /** Workers were forgotten elsewhere with generations up to this one. */
  raiseForgotten(generation: number): void {
    this.forgottenGeneration = Math.max(this.forgottenGeneration ?? 0, generation)
  }

  /** When a lease that begins or is renewed now ends. */
  leaseEnd(leaseTtl: number | undefined): number | undefined {
    return leaseTtl === undefined ? undefined : this.now + this.context.leaseTerm(leaseTtl)
  }

  /** Puts a record in the place of the one that is there, and adds items to its timeline. */
  put(record: WorkerRecord, items: ReadonlyArray<TimelineItem> = []): WorkerRecord {
    const { id } = record
    const current = this.record(id)
    const isOpen = isUnfinished(record)
    const after: WorkerRecord = {
      ...record,
      unfinishedSince: isOpen ? (current?.unfinishedSince ?? this.now) : undefined,
      repairs: isOpen || record.phase === "failed" ? record.repairs : undefined,
      told: record.told + items.length
    }
    if (current !== undefined && isUnfinished(current)) this.unfinished--
    if (isOpen) this.unfinished++
    const changed = this.changes.get(id)
    this.changes.set(id, { before: changed === undefined ? current : changed.before, after })
    if (items.length > 0) {
      const told = this.items.get(id)
      if (told === undefined) this.items.set(id, items.slice())
      else told.push(...items)
    }
    return after
  }

  /** Writes down what the actor of this step did, or was refused; nothing where there is none. */
  audit(
    action: string,
    outcome: AuditEntry["outcome"],
    worker?: { readonly id: WorkerId; readonly generation?: number | undefined },
    detail?: string
  ): void {
    if (this.actor !== undefined) this.audits.add(this.now, this.actor, action, outcome, worker, detail)
  }

  remember(key: string, value: string): void {
    this.notes.set(key, { key, value, at: this.now })
  }

  get changed(): ReadonlyArray<ChangedRecord> {
    return Array.from(this.changes.values())
  }

  decision<A>(value: A): Decision<A> {
    const segments: Array<TimelineSegment> = []
    const trims: Array<{ workerId: WorkerId; upTo: number }> = []
    const records: Array<WorkerRecord> = []
    for (const [workerId, { after, before }] of this.changes) {
      records.push(after)
      const items = this.items.get(workerId)
      if (items === undefined) continue
      segments.push({ workerId, last: after.told, at: items.at(-1)?.at ?? this.now, items })
      // Now and then, so that a segment is not followed by a removal each time.
      const everyHalf = Math.floor((after.told / timelineLength) * 2)
      const upTo = after.told - timelineLength
      if (upTo > 0 && everyHalf > Math.floor(((before?.told ?? 0) / timelineLength) * 2)) {
        trims.push({ workerId, upTo })
      }
    }
    const { forgottenGeneration } = this
    return {
      records,
      segments,
      trims,
      notes: Array.from(this.notes.values()),
      forgottenGeneration,
      audits: this.audits.all,
      value
    }
  }
}
