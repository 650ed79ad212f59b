/**
 * What the tests of the storage contract write and compare: records, segments and decisions in which nothing but what
 * a test is about has to be said.
 */
import { assert } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { Worker, WorkerCapabilities, WorkerId, WorkerMetadata } from "@muster/core"
import {
  type Decision,
  FleetStore,
  type ListFilter,
  type RecordPage,
  type StoreOverview,
  type StoreUnavailable,
  StoredWorker,
  type TimelineItem,
  type TimelineSegment,
  type WorkerRecord
} from "@muster/core/fleet"

type Store = FleetStore["Service"]

export const id = (name: string): WorkerId => WorkerId.make(name)

/** So many ids, in their order. */
export const ids = (count: number, prefix = "w"): ReadonlyArray<WorkerId> =>
  Array.from({ length: count }, (_, index) => id(`${prefix}-${String(index + 1).padStart(6, "0")}`))

/** A record with no optional field. */
export const record = (name: string, fields: Partial<WorkerRecord> = {}): WorkerRecord => ({
  id: id(name),
  stored: undefined,
  desired: "registered",
  phase: "pending",
  priority: "normal",
  generation: 1,
  task: undefined,
  dueAt: undefined,
  unfinishedSince: undefined,
  repairs: undefined,
  attempts: 0,
  failures: 0,
  failingSince: undefined,
  losses: 0,
  saidReady: false,
  createdAt: 1000,
  updatedAt: 1000,
  registeredAt: undefined,
  nextAttemptAt: undefined,
  notBefore: undefined,
  lastError: undefined,
  lastEvent: undefined,
  owner: undefined,
  trace: undefined,
  leaseTtl: undefined,
  leaseExpiresAt: undefined,
  told: 0,
  ...fields
})

/** A record with every field, and no two numbers the same. */
export const fullRecord = (name: string, fields: Partial<WorkerRecord> = {}): WorkerRecord =>
  record(name, {
    stored: storedWorker(name, { namespace: "équipe-ß/構築", workerType: "static" }),
    desired: "unregistered",
    phase: "unregistering",
    priority: "critical",
    generation: Number.MAX_SAFE_INTEGER,
    task: "verify",
    dueAt: 1_800_000_000_001,
    unfinishedSince: 1_800_000_000_000,
    repairs: "ghost",
    attempts: 2,
    failures: 3,
    losses: 2,
    failingSince: 1_800_000_000_004,
    saidReady: true,
    createdAt: 1_800_000_000_005,
    updatedAt: 1_800_000_000_006,
    registeredAt: 1_800_000_000_007,
    nextAttemptAt: 1_800_000_000_008,
    notBefore: 1_800_000_000_009,
    lastError: {
      type: "scheduler_unavailable",
      message: 'the scheduler said "no": \\ \0 \n 👩‍🔧 \ud800',
      retryable: true,
      at: 1_800_000_000_010
    },
    lastEvent: { source: "//cluster-1/'pool'", occurredAt: 1_800_000_000_011.5 },
    owner: "a3f1'--",
    trace: `00-${"0af7".repeat(8)}-${"b7ad".repeat(4)}-01`,
    leaseTtl: 12,
    leaseExpiresAt: 1_800_000_000_013,
    told: 14,
    ...fields
  })

export const storedWorker = (
  name: string,
  metadata: Partial<Pick<WorkerMetadata, "namespace" | "workerType" | "labels" | "tags">> = {}
): StoredWorker =>
  StoredWorker.of(
    Worker.make({
      id: id(name),
      capabilities: WorkerCapabilities.make({ cpuCores: 1.5, memoryMb: 1024 }),
      metadata: WorkerMetadata.make({ provisionedAt, ...metadata })
    })
  )

const provisionedAt = DateTime.makeUnsafe("2026-01-31T12:00:00.123Z")

/** One change, told as the `last` of so many. */
export const segment = (
  name: string,
  last: number,
  fields: Partial<TimelineSegment> = {}
): TimelineSegment => ({ workerId: id(name), last, at: last, items: [change(last)], ...fields })

export const change = (at: number): Extract<TimelineItem, { readonly type: "change" }> => ({
  type: "change",
  at,
  generation: at,
  change: "provisioned"
})

export const decision = <A = void>(
  parts: Partial<Decision<A>>
): Omit<Decision<A | undefined>, "value"> & { readonly value: A | undefined } => ({
  records: [],
  segments: [],
  trims: [],
  notes: [],
  value: undefined,
  ...parts
})

/** The store under test, and what most tests do with it. */
export class FleetStoreTrial {
  readonly store: Store

  static readonly make = Effect.map(FleetStore, (store) => new FleetStoreTrial(store))

  private constructor(store: Store) {
    this.store = store
  }

  /** Commits this, without asking what is there. */
  commit(parts: Partial<Decision<undefined>>): Effect.Effect<undefined, StoreUnavailable> {
    const workerIds = parts.records?.map(({ id }) => id) ?? []
    return this.store.modify({ workerIds, keys: [] }, () => decision(parts))
  }

  put(...records: ReadonlyArray<WorkerRecord>): Effect.Effect<undefined, StoreUnavailable> {
    return this.commit({ records })
  }

  /** Appends to timelines of workers, which become known with it. */
  tell(...segments: ReadonlyArray<TimelineSegment>): Effect.Effect<undefined, StoreUnavailable> {
    const workerIds = segments.map(({ workerId }) => workerId)
    return this.store.modify({ workerIds, keys: [] }, ({ records }) => {
      const unknown = new Set(workerIds.filter((id) => !records.has(id)))
      return decision({ records: Array.from(unknown, (id) => record(id)), segments })
    })
  }

  /** What is found of these by a decision that changes nothing. */
  found(workerIds: ReadonlyArray<string>, keys: ReadonlyArray<string> = []) {
    return Effect.map(
      this.store.modify({ workerIds: workerIds.map(id), keys }, (found) => decision({ value: found })),
      (found) => ({
        records: plain(found?.records.values() ?? []),
        notes: Array.from(found?.notes ?? []).toSorted(([left], [right]) => (left < right ? -1 : 1))
      })
    )
  }

  /** The record of one worker as plain data, by each of the ways to it, which must agree. */
  read(name: string) {
    return Effect.gen({ self: this }, function* () {
      const [got] = plain(yield* this.store.get([id(name)]))
      assert.deepStrictEqual((yield* this.found([name])).records[0], got)
      return got
    })
  }

  /** All pages of a listing: the ids on each, and the total that each of them gave. */
  pages(filter: ListFilter, limit: number) {
    return Effect.gen({ self: this }, function* () {
      const pages: Array<ReadonlyArray<string>> = []
      const totals = new Set<number>()
      let next: number | undefined = 0
      while (next !== undefined) {
        const page: RecordPage = yield* this.store.list(filter, limit, next)
        pages.push(idsOf(page.records))
        totals.add(page.total)
        assert.notStrictEqual(page.next, next, "the next page begins where this one did")
        next = page.next
      }
      return { pages, ids: pages.flat(), totals: Array.from(totals) }
    })
  }

  /** Everything that the store tells about itself, to see that nothing of it has changed. */
  get everything() {
    return Effect.gen({ self: this }, function* () {
      const { records } = yield* this.store.list({}, 1000, 0)
      return {
        records: plain(records),
        segments: yield* this.store.segments(0, 1000),
        overview: plainOverview(yield* this.store.overview)
      }
    })
  }
}

export const idsOf = (found: Iterable<{ readonly id: WorkerId }>): ReadonlyArray<string> =>
  Array.from(found, ({ id }) => id)

/** Records as plain data, by id. */
export const plain = (records: Iterable<WorkerRecord>) =>
  Array.from(records, (record) => ({ ...record, stored: record.stored?.json })).toSorted((left, right) =>
    left.id < right.id ? -1 : 1
  )

/** An overview as plain data, in one order; but for where the next segment goes, which others of a database move. */
export const plainOverview = ({ sequence: _, ...overview }: StoreOverview) => ({
  ...overview,
  phases: plainCounts(overview.phases),
  unfinishedOf: plainCounts(overview.unfinishedOf)
})

const plainCounts = (counts: ReadonlyMap<string, number>): Readonly<Record<string, number>> =>
  Object.fromEntries(Array.from(counts).toSorted(([left], [right]) => (left < right ? -1 : 1)))

/** Segments without what only the store gives them. */
export const withoutSequence = (segments: ReadonlyArray<TimelineSegment>): ReadonlyArray<TimelineSegment> =>
  segments.map(({ at, items, last, workerId }) => ({ workerId, last, at, items }))

/** Declares one test of the contract, with a store of its own. */
export type DeclareTest = <A, E>(
  behaviour: string,
  body: (trial: FleetStoreTrial) => Effect.Effect<A, E>
) => void
