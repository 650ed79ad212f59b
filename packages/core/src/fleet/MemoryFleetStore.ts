/**
 * The fleet's store in memory: for tests, for trying things out, and for whoever lives with forgetting everything when
 * the process ends. Everything that is asked for in some order is kept in that order, so that a hundred thousand
 * workers are no burden. Each call is one step: nothing can come between reading and committing.
 */
import { Effect, Layer } from "effect"
import {
  type BrowseOrder,
  type BrowseWindow,
  type Decision,
  type DueWorker,
  FleetStore,
  type ForgetOptions,
  type Found,
  type ListFilter,
  type Note,
  type ReadSet,
  type RecordPage,
  type RecordWindow,
  type StoredSegment,
  type StoreOverview,
  type TimelineSegment,
  type WorkerKind
} from "./FleetStore.ts"
import { partitionOf } from "./Partition.ts"
import { PageBudget } from "./PageBudget.ts"
import type { Phase } from "./Phase.ts"
import { Priority } from "./Priority.ts"
import { SortedValues } from "./SortedValues.ts"
import { isUnfinished, laneOf, lanes, type WorkerRecord } from "./WorkerRecord.ts"
import type { WorkerId } from "../WorkerId.ts"

const make: Effect.Effect<FleetStore["Service"]> = Effect.sync(() => serve(new Contents()))

/** `make` is a store outside any layer, which lives on when what stands above it is built anew. */
export const MemoryFleetStore = { make, layer: Layer.effect(FleetStore, make) }

const serve = (contents: Contents): FleetStore["Service"] => ({
  modify: (read, decide) =>
    Effect.sync(() => {
      const decision = decide(contents.find(read))
      contents.commit(decision)
      return decision.value
    }),
  get: (workerIds) => Effect.sync(() => Array.from(contents.find({ workerIds, keys: [] }).records.values())),
  list: (filter, limit, after) => Effect.sync(() => contents.list(filter, limit, after)),
  browse: (filter, window) => Effect.sync(() => contents.browse(filter, window)),
  due: (now, limit, partitions) => Effect.sync(() => contents.due(now, limit, partitions)),
  nextDueAt: (now, partitions) => Effect.sync(() => contents.nextDueAt(now, partitions)),
  oldestUnfinished: Effect.sync(() => contents.oldestUnfinished()),
  expired: (now, limit, partitions) => Effect.sync(() => contents.expired(now, limit, partitions)),
  scan: (after, limit) => Effect.sync(() => contents.scan(after, limit)),
  timeline: (workerId) => Effect.sync(() => contents.timeline(workerId)),
  segments: (after, limit) => Effect.sync(() => contents.segments(after, limit)),
  overview: Effect.sync(() => contents.overview()),
  kinds: Effect.sync(() => contents.kinds()),
  forget: (options) => Effect.sync(() => contents.forget(options)),
  forgetHistory: ({ limit, notesBefore, segmentsBefore }) =>
    Effect.sync(
      () => contents.forgetSegments(segmentsBefore, limit) + contents.forgetNotes(notesBefore, limit)
    ),
  probe: Effect.void
})

/** A worker at its place among those that became known. It leaves the orders by time before its record changes. */
interface Entry {
  readonly ordinal: number
  record: WorkerRecord
}

/** Entries by a time of theirs, then by their place. */
const byTime = (timeOf: (record: WorkerRecord) => number | undefined) =>
  new SortedValues<Entry>(
    (left, right) => (timeOf(left.record) ?? 0) - (timeOf(right.record) ?? 0) || left.ordinal - right.ordinal
  )

const compareText = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0)

/** What is kept, without Effect. Once a commit has begun, nothing in it fails. */
class Contents {
  private readonly entries = new Map<WorkerId, Entry>()
  private readonly byOrdinal = new SortedValues<Entry>((left, right) => left.ordinal - right.ordinal)
  private readonly byId = new SortedValues<Entry>((left, right) =>
    compareText(left.record.id, right.record.id)
  )
  private readonly dueLanes = Array.from({ length: lanes }, () => byTime(({ dueAt }) => dueAt))
  private readonly unfinishedSince = new Map(
    Priority.literals.map((priority) => [priority, byTime(({ unfinishedSince }) => unfinishedSince)])
  )
  private readonly leases = byTime(({ leaseExpiresAt }) => leaseExpiresAt)
  private readonly terminated = byTime(({ updatedAt }) => updatedAt)
  private readonly phases = new Map<Phase, number>()
  private readonly unfinishedOf = new Map<Priority, number>()
  private ordinal = 0

  private readonly timelines = new Map<WorkerId, Array<StoredSegment>>()
  private readonly bySequence = new SortedValues<StoredSegment>(
    (left, right) => left.sequence - right.sequence
  )
  private readonly segmentsByTime = new SortedValues<StoredSegment>(
    (left, right) => left.at - right.at || left.sequence - right.sequence
  )
  private sequence = 0

  private readonly notes = new Map<string, Note>()
  private readonly notesByTime = new SortedValues<Note>(
    (left, right) => left.at - right.at || compareText(left.key, right.key)
  )
  private forgottenGeneration = 0

  find({ keys, workerIds }: ReadSet): Found {
    const records = new Map<WorkerId, WorkerRecord>()
    for (const workerId of workerIds) {
      const entry = this.entries.get(workerId)
      if (entry !== undefined) records.set(workerId, entry.record)
    }
    const notes = new Map<string, string>()
    for (const key of keys) {
      const note = this.notes.get(key)
      if (note !== undefined) notes.set(key, note.value)
    }
    return { records, notes, epochs: noEpochs, forgottenGeneration: this.forgottenGeneration }
  }

  commit({ forgottenGeneration = 0, notes, records, segments, trims }: Decision<unknown>): void {
    const added = new Set(records.map(({ id }) => id))
    const stray = segments.find(({ workerId }) => !added.has(workerId) && !this.entries.has(workerId))
    if (stray !== undefined) throw new Error(`a segment of ${stray.workerId}, which is not known`)
    for (const record of records) this.put(record)
    for (const segment of segments) this.append(segment)
    for (const { upTo, workerId } of trims) {
      for (const segment of this.timelines.get(workerId)?.filter(({ last }) => last <= upTo) ?? []) {
        this.removeSegment(segment)
      }
    }
    for (const note of notes) this.write(note)
    this.forgottenGeneration = Math.max(this.forgottenGeneration, forgottenGeneration)
  }

  private put(record: WorkerRecord): void {
    const entry = this.entries.get(record.id)
    if (entry === undefined) {
      const added: Entry = { ordinal: ++this.ordinal, record }
      this.entries.set(record.id, added)
      this.byOrdinal.add(added)
      this.byId.add(added)
      this.index(added)
    } else {
      this.unindex(entry)
      entry.record = record
      this.index(entry)
    }
  }

  private remove(entry: Entry): void {
    this.entries.delete(entry.record.id)
    this.byOrdinal.delete(entry)
    this.byId.delete(entry)
    this.unindex(entry)
  }

  private index(entry: Entry): void {
    const { record } = entry
    if (record.dueAt !== undefined) this.dueLanes[laneOf(record)]?.add(entry)
    if (record.leaseExpiresAt !== undefined) this.leases.add(entry)
    if (record.phase === "terminated") this.terminated.add(entry)
    if (record.unfinishedSince !== undefined) this.unfinishedSince.get(record.priority)?.add(entry)
    if (isUnfinished(record)) addTo(this.unfinishedOf, record.priority, 1)
    addTo(this.phases, record.phase, 1)
  }

  private unindex(entry: Entry): void {
    const { record } = entry
    if (record.dueAt !== undefined) this.dueLanes[laneOf(record)]?.delete(entry)
    if (record.leaseExpiresAt !== undefined) this.leases.delete(entry)
    if (record.phase === "terminated") this.terminated.delete(entry)
    if (record.unfinishedSince !== undefined) this.unfinishedSince.get(record.priority)?.delete(entry)
    if (isUnfinished(record)) addTo(this.unfinishedOf, record.priority, -1)
    addTo(this.phases, record.phase, -1)
  }

  private append(segment: TimelineSegment): void {
    const stored: StoredSegment = { ...segment, sequence: ++this.sequence }
    const timeline = this.timelines.get(segment.workerId)
    if (timeline === undefined) this.timelines.set(segment.workerId, [stored])
    else timeline.push(stored)
    this.bySequence.add(stored)
    this.segmentsByTime.add(stored)
  }

  private removeSegment(segment: StoredSegment): void {
    const left = this.timelines.get(segment.workerId)?.filter((other) => other !== segment) ?? []
    if (left.length > 0) this.timelines.set(segment.workerId, left)
    else this.timelines.delete(segment.workerId)
    this.bySequence.delete(segment)
    this.segmentsByTime.delete(segment)
  }

  private write(note: Note): void {
    this.removeNote(note.key)
    this.notes.set(note.key, note)
    this.notesByTime.add(note)
  }

  private removeNote(key: string): void {
    const note = this.notes.get(key)
    if (note === undefined) return
    this.notes.delete(key)
    this.notesByTime.delete(note)
  }

  list(filter: ListFilter, limit: number, after: number): RecordPage {
    const matches = predicate(filter)
    const budget = new PageBudget(limit)
    const records: Array<WorkerRecord> = []
    let last: number | undefined
    let next: number | undefined
    for (const { ordinal, record } of this.byOrdinal.from((entry) => entry.ordinal <= after)) {
      if (matches !== undefined && !matches(record)) continue
      if (!budget.take(record.stored?.json.length ?? 0)) {
        next = last
        break
      }
      records.push(record)
      last = ordinal
    }
    return { records, next, total: matches === undefined ? this.entries.size : this.count(matches) }
  }

  browse(filter: ListFilter, { limit, order, skip }: BrowseWindow): RecordWindow {
    const matches = predicate(filter)
    const inOrder = this.inOrder(order)
    const matching = matches === undefined ? inOrder : inOrder.filter(({ record }) => matches(record))
    const budget = new PageBudget(limit)
    const records: Array<WorkerRecord> = []
    for (const { record } of matching.slice(skip, skip + limit)) {
      if (!budget.take(record.stored?.json.length ?? 0)) break
      records.push(record)
    }
    return { records, total: matching.length }
  }

  private inOrder({ by, descending }: BrowseOrder): ReadonlyArray<Entry> {
    const entries = Array.from((by === "id" ? this.byId : this.byOrdinal).from(() => false))
    if (by === "updatedAt") entries.sort((left, right) => left.record.updatedAt - right.record.updatedAt)
    return descending ? entries.toReversed() : entries
  }

  private count(matches: (record: WorkerRecord) => boolean): number {
    let total = 0
    for (const { record } of this.entries.values()) if (matches(record)) total++
    return total
  }

  due(now: number, limit: number, partitions?: ReadonlyArray<number>): ReadonlyArray<DueWorker> {
    const isDue = ({ record }: Entry) => isAtMost(record.dueAt, now)
    return this.dueLanes.flatMap((lane) =>
      taken(lane, limit, isDue, partitions).map(
        ({ record: { desired, dueAt = now, id, priority, task } }) => ({
          id,
          desired,
          priority,
          task,
          dueAt
        })
      )
    )
  }

  nextDueAt(now: number, partitions?: ReadonlyArray<number>): number | undefined {
    let earliest: number | undefined
    for (const lane of this.dueLanes) {
      for (const { record } of lane.from(({ record }) => isAtMost(record.dueAt, now))) {
        if (!isIn(record.id, partitions)) continue
        if (record.dueAt !== undefined) earliest = Math.min(record.dueAt, earliest ?? record.dueAt)
        break
      }
    }
    return earliest
  }

  oldestUnfinished(): ReadonlyMap<Priority, number> {
    const oldest = new Map<Priority, number>()
    for (const [priority, entries] of this.unfinishedSince) {
      const [first] = entries.take(1, () => false)
      if (first?.record.unfinishedSince !== undefined) oldest.set(priority, first.record.unfinishedSince)
    }
    return oldest
  }

  expired(now: number, limit: number, partitions?: ReadonlyArray<number>): ReadonlyArray<WorkerId> {
    const hasExpired = ({ record }: Entry) => isAtMost(record.leaseExpiresAt, now)
    return taken(this.leases, limit, hasExpired, partitions).map(({ record }) => record.id)
  }

  scan(after: WorkerId | undefined, limit: number): ReadonlyArray<WorkerRecord> {
    return this.byId
      .take(limit, ({ record }) => after !== undefined && record.id <= after)
      .map(({ record }) => record)
  }

  timeline(workerId: WorkerId): ReadonlyArray<TimelineSegment> {
    return this.timelines.get(workerId)?.slice() ?? []
  }

  segments(after: number, limit: number): ReadonlyArray<StoredSegment> {
    return this.bySequence.take(limit, ({ sequence }) => sequence <= after)
  }

  overview(): StoreOverview {
    return {
      phases: new Map(this.phases),
      unfinished: Array.from(this.unfinishedOf.values()).reduce((sum, count) => sum + count, 0),
      unfinishedOf: new Map(this.unfinishedOf),
      leased: this.leases.size,
      sequence: this.sequence,
      forgottenGeneration: this.forgottenGeneration
    }
  }

  kinds(): ReadonlyArray<WorkerKind> {
    const kinds = new Map<string, WorkerKind>()
    for (const { record } of this.entries.values()) {
      const { namespace, workerType } = record.stored?.worker.metadata ?? {}
      const key = [record.phase, workerType, namespace].join()
      kinds.set(key, {
        phase: record.phase,
        namespace,
        workerType,
        workers: (kinds.get(key)?.workers ?? 0) + 1
      })
    }
    return Array.from(kinds.values())
  }

  forget({ before, keep, limit }: ForgetOptions): number {
    const surplus = this.terminated.size - keep
    const forgotten = this.terminated.takeWhile(
      limit,
      ({ record }, index) => index < surplus || record.updatedAt < before
    )
    for (const entry of forgotten) {
      const { generation, id } = entry.record
      this.remove(entry)
      for (const segment of this.timelines.get(id) ?? []) this.removeSegment(segment)
      this.forgottenGeneration = Math.max(this.forgottenGeneration, generation)
    }
    return forgotten.length
  }

  forgetSegments(before: number, limit: number): number {
    const old = this.segmentsByTime.takeWhile(limit, ({ at }) => at < before)
    for (const segment of old) this.removeSegment(segment)
    return old.length
  }

  forgetNotes(before: number, limit: number): number {
    const old = this.notesByTime.takeWhile(limit, ({ at }) => at < before)
    for (const { key } of old) this.removeNote(key)
    return old.length
  }
}

const noEpochs: ReadonlyMap<number, number> = new Map()

const isIn = (id: WorkerId, partitions: ReadonlyArray<number> | undefined): boolean =>
  partitions === undefined || partitions.includes(partitionOf(id))

/** The first `limit` of these partitions, as long as the condition holds. */
const taken = (
  entries: SortedValues<Entry>,
  limit: number,
  holds: (entry: Entry) => boolean,
  partitions: ReadonlyArray<number> | undefined
): ReadonlyArray<Entry> => {
  if (partitions === undefined) return entries.takeWhile(limit, holds)
  const found: Array<Entry> = []
  for (const entry of entries.from(() => false)) {
    if (found.length >= limit || !holds(entry)) break
    if (isIn(entry.record.id, partitions)) found.push(entry)
  }
  return found
}

/** Keeps how many there are of each kind; none has no entry. */
const addTo = <A>(counts: Map<A, number>, kind: A, by: number): void => {
  const count = (counts.get(kind) ?? 0) + by
  if (count === 0) counts.delete(kind)
  else counts.set(kind, count)
}

const isAtMost = (time: number | undefined, now: number) => time !== undefined && time <= now

const predicate = (filter: ListFilter): ((record: WorkerRecord) => boolean) | undefined => {
  const { labels = [], namespace, phases = [], search = "", workerType } = filter
  const onMetadata = namespace !== undefined || workerType !== undefined || labels.length > 0
  if (!onMetadata && phases.length === 0 && search === "") return undefined
  const wanted = new Set(phases)
  const part = search.toLowerCase()
  return ({ id, phase, stored }) => {
    if (wanted.size > 0 && !wanted.has(phase)) return false
    if (part !== "" && !id.toLowerCase().includes(part)) return false
    if (!onMetadata) return true
    if (stored === undefined) return false
    const { metadata } = stored.worker
    return (
      (namespace === undefined || metadata.namespace === namespace) &&
      (workerType === undefined || metadata.workerType === workerType) &&
      labels.every(([name, value]) => Object.hasOwn(metadata.labels, name) && metadata.labels[name] === value)
    )
  }
}
