/**
 * The fleet's desired state and every step that changes it, as plain synchronous code: whoever calls a method sees
 * its effect at once, and no two steps can interleave. What has to be called is handed to the reconciler by
 * `onWork`.
 */
import type { Worker, WorkerId } from "@muster/core"
import { Equal, Latch } from "effect"
import type { Failure } from "./Failure.ts"
import { type Desired, type Entry, type EventPlace, phaseBefore } from "./FleetEntry.ts"
import { FleetIndex } from "./FleetIndex.ts"
import type { PhaseCounter } from "./FleetMetrics.ts"
import type { Phase } from "./Phase.ts"
import type { ChangeName } from "./Timeline.ts"

export interface FleetLimits {
  /** The most workers whose wanted state may be ahead of the scheduler's at the same time; an integer ≥ 1. */
  readonly maxUnfinished: number
  /** How many terminated workers are remembered; an integer ≥ 0. */
  readonly maxTerminated: number
}

/** What asked for a change, as far as it was said. */
export interface Occasion {
  readonly name: ChangeName
  readonly place?: EventPlace | undefined
  readonly reason?: string | undefined
}

/** What a change came to. `outdated`: a newer event of the same source was there before it; nothing changed. */
export type Change =
  | { readonly _tag: "Applied"; readonly entry: Entry }
  | { readonly _tag: "Outdated"; readonly entry: Entry }
  | { readonly _tag: "Full" }

/** Milliseconds × 4096, as everywhere in Muster: it continues above that of an earlier process. */
const generationsPerMilli = 4096

export class FleetState {
  readonly index = new FleetIndex()
  /** Open while one more worker can be taken in. */
  readonly room = Latch.makeUnsafe(true)
  unfinished = 0
  private generation = 0
  private terminated: Array<Entry> = []
  private readonly limits: FleetLimits
  private readonly onWork: (entry: Entry) => void
  private readonly onPhase: PhaseCounter

  constructor(limits: FleetLimits, onWork: (entry: Entry) => void, onPhase: PhaseCounter) {
    this.limits = limits
    this.onWork = onWork
    this.onPhase = onPhase
  }

  /**
   * A worker is wanted. One that is wanted already with the same content keeps its generation and costs no call.
   * Where the sender did not say when the worker was provisioned, that time does not count as content.
   */
  want(worker: Worker, saidWhenProvisioned: boolean, now: number, place?: EventPlace): Change {
    const occasion = { name: "provisioned", place } as const
    const known = this.index.get(worker.id)
    if (known === undefined) {
      if (this.isFull) return full
      const entry = this.add(worker.id, "registered", now)
      entry.worker = worker
      return this.change(entry, "registered", now, occasion)
    }
    if (isOutdated(known, place)) return { _tag: "Outdated", entry: known }
    const isSame =
      known.desired === "registered" &&
      known.phase !== "failed" &&
      known.worker !== undefined &&
      sameContent(known.worker, worker, saidWhenProvisioned)
    if (isSame) return this.keep(known, place)
    if (this.isFull && !known.unfinished) return full
    known.worker = worker
    known.saidReady = false
    return this.change(known, "registered", now, occasion)
  }

  /** A worker is gone. What is not known is unregistered all the same, in case the scheduler knows it. */
  drop(id: WorkerId, now: number, occasion: Occasion = { name: "terminated" }): Change {
    const { place } = occasion
    const known = this.index.get(id)
    if (known === undefined) {
      if (this.isFull) return full
      return this.change(this.add(id, "unregistered", now), "unregistered", now, occasion)
    }
    if (isOutdated(known, place)) return { _tag: "Outdated", entry: known }
    if (known.desired === "unregistered" && known.phase !== "failed") return this.keep(known, place)
    if (this.isFull && !known.unfinished) return full
    known.saidReady = false
    return this.change(known, "unregistered", now, occasion)
  }

  /** A worker that is wanted says that it can take jobs: the scheduler has to have it. */
  ready(entry: Entry, now: number, place?: EventPlace): Change {
    if (isOutdated(entry, place)) return { _tag: "Outdated", entry }
    if (this.isFull && !entry.unfinished) return full
    entry.saidReady = true
    this.tell(entry, now, { name: "ready", place })
    if (entry.phase === "registered" || entry.phase === "ready") entry.verify = true
    if (entry.phase === "failed") this.setPhase(entry, "pending", now)
    if (!entry.unfinished) this.begin(entry)
    return this.keep(entry, place)
  }

  /** What failed is tried again as it is wanted now. Its generation stays: nothing about the worker has changed. */
  retry(entry: Entry, now: number): Change {
    if (this.isFull) return full
    entry.attempts = 0
    this.tell(entry, now, { name: "retried" })
    this.setPhase(entry, phaseBefore[entry.desired], now)
    this.begin(entry)
    return { _tag: "Applied", entry }
  }

  /**
   * What failed is given up. A worker that would not be registered is unregistered, because the scheduler may have
   * an earlier state of it; one that would not be unregistered counts as gone.
   */
  giveUp(entry: Entry, now: number): Change {
    const occasion = { name: "dropped" } as const
    if (entry.desired === "registered") return this.drop(entry.id, now, occasion)
    this.tell(entry, now, occasion)
    this.setPhase(entry, "terminated", now)
    this.remember(entry)
    return { _tag: "Applied", entry }
  }

  setPhase(entry: Entry, phase: Phase, now: number): void {
    if (entry.phase === phase) return
    this.onPhase(entry.phase, phase)
    entry.phase = phase
    entry.updatedAt = now
    this.tellPhase(entry, now)
  }

  /** The scheduler has what is wanted. */
  converged(entry: Entry, now: number): void {
    entry.verify = false
    entry.failures = 0
    entry.lastError = undefined
    entry.nextAttemptAt = undefined
    if (entry.desired === "unregistered") {
      this.setPhase(entry, "terminated", now)
      this.remember(entry)
    } else {
      entry.registeredAt = now
      this.setPhase(entry, entry.saidReady ? "ready" : "registered", now)
    }
    this.end(entry)
  }

  /** No further call is made until something about the worker changes. */
  failed(entry: Entry, failure: Failure): void {
    entry.verify = false
    entry.failures = 0
    entry.lastError = failure
    entry.nextAttemptAt = undefined
    this.setPhase(entry, "failed", failure.at)
    this.end(entry)
  }

  get isFull(): boolean {
    return this.unfinished >= this.limits.maxUnfinished
  }

  private add(id: WorkerId, desired: Desired, now: number): Entry {
    const entry = this.index.add(id, desired, now)
    this.onPhase(undefined, entry.phase)
    return entry
  }

  private change(entry: Entry, desired: Desired, now: number, occasion: Occasion): Change {
    const isNew = entry.generation === 0
    this.generation = Math.max(this.generation + 1, Math.floor(now) * generationsPerMilli)
    const hasTurned = entry.desired !== desired
    entry.desired = desired
    entry.generation = this.generation
    entry.verify = false
    entry.attempts = 0
    entry.lastError = undefined
    entry.updatedAt = now
    entry.lastEvent = occasion.place ?? entry.lastEvent
    this.tell(entry, now, occasion)
    if (isNew) this.tellPhase(entry, now)
    else this.setPhase(entry, phaseBefore[desired], now)
    // An unfinished one is called for already, now or when its wait is over: three changes cost one call.
    if (!entry.unfinished) {
      entry.failures = 0
      this.begin(entry)
    } else if (hasTurned) {
      // How often the opposite failed says nothing about this.
      entry.failures = 0
      entry.hurry?.(now)
    }
    entry.notify()
    return { _tag: "Applied", entry }
  }

  private tell(entry: Entry, now: number, { name, place, reason }: Occasion): void {
    const { generation } = entry
    entry.timeline.add({ type: "change", at: now, generation, change: name, source: place?.source, reason })
  }

  private tellPhase(entry: Entry, now: number): void {
    const { generation, nextAttemptAt, phase } = entry
    entry.timeline.add({ type: "phase", at: now, generation, phase, nextAttemptAt })
  }

  private keep(entry: Entry, place: EventPlace | undefined): Change {
    entry.lastEvent = place ?? entry.lastEvent
    return { _tag: "Applied", entry }
  }

  private begin(entry: Entry): void {
    entry.unfinished = true
    this.unfinished++
    if (this.isFull) this.room.closeUnsafe()
    this.onWork(entry)
  }

  private end(entry: Entry): void {
    if (!entry.unfinished) return
    entry.unfinished = false
    this.unfinished--
    this.room.openUnsafe()
    entry.notify()
  }

  private remember(entry: Entry): void {
    this.terminated.push(entry)
    if (this.terminated.length <= this.limits.maxTerminated * 2) return
    this.forgetOldest()
  }

  // An entry that has come and gone more than once is in the list more than once; the last place counts.
  private forgetOldest(): void {
    const latest = Array.from(new Set(this.terminated.toReversed()))
      .filter((entry) => entry.phase === "terminated" && this.index.get(entry.id) === entry)
      .toReversed()
    const surplus = Math.max(0, latest.length - this.limits.maxTerminated)
    for (const entry of latest.slice(0, surplus)) {
      this.index.remove(entry)
      this.onPhase(entry.phase, undefined)
    }
    this.terminated = latest.slice(surplus)
  }
}

const full: Change = { _tag: "Full" }

const isOutdated = ({ lastEvent }: Entry, place: EventPlace | undefined): boolean =>
  place !== undefined && lastEvent?.source === place.source && place.occurredAt < lastEvent.occurredAt

const sameContent = (known: Worker, given: Worker, saidWhenProvisioned: boolean): boolean => {
  const { provisionedAt: knownAt, tags: knownTags, ...knownMetadata } = known.metadata
  const { provisionedAt: givenAt, tags: givenTags, ...givenMetadata } = given.metadata
  return (
    (!saidWhenProvisioned || Equal.equals(knownAt, givenAt)) &&
    Equal.equals({ ...knownMetadata }, { ...givenMetadata }) &&
    Equal.equals({ ...known.capabilities }, { ...given.capabilities }) &&
    Equal.equals(new Set(knownTags), new Set(givenTags))
  )
}
