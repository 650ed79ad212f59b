/**
 * The fleet's store in a database with SQL: what SQLite and PostgreSQL have in common, which is almost all.
 */
import type { WorkerId } from "@muster/core"
import type { Decision, FleetStore, Found, ReadSet, StoreOverview } from "@muster/core/fleet"
import { Effect } from "effect"
import type * as SqlError from "effect/sql/SqlError"
import { makeForget, workerName } from "./Forgetting.ts"
import { makeListing } from "./Listing.ts"
import { makeNotes } from "./Notes.ts"
import { RecentRecords } from "./RecentRecords.ts"
import { makeAuditChain } from "./SqlAuditLog.ts"
import type { Attempt } from "./StoreAttempt.ts"
import type { StoreDatabase, TakenPlaces } from "./StoreDatabase.ts"
import { makeStoreState } from "./StoreState.ts"
import { makeTimelines } from "./Timelines.ts"
import { makeWork } from "./Work.ts"
import { CountChanges, makeWorkerCounts } from "./WorkerCounts.ts"
import { type KeptRecord, makeWorkerRows, type RecordChange } from "./WorkerRows.ts"

export const makeSqlFleetStore = (database: StoreDatabase, attempt: Attempt): FleetStore["Service"] => {
  const { isShared, places, transaction, transactionOn } = database
  const state = makeStoreState(database)
  const workers = makeWorkerRows(database)
  const counts = makeWorkerCounts(database)
  const timelines = makeTimelines(database)
  const notes = makeNotes(database)
  const auditChain = makeAuditChain(database)
  const work = makeWork(database)
  const { browse, list } = makeListing(database, workers, counts)
  const forget = makeForget(database, state, workers, counts, timelines)
  const recent = new RecentRecords()

  const modify = Effect.fnUntraced(function* <A>(
    { keys, partitions = [], workerIds }: ReadSet,
    decide: (found: Found) => Decision<A>,
    recent: ReadonlyMap<WorkerId, KeptRecord>
  ): Effect.fn.Return<Committed<A>, SqlError.SqlError> {
    const known = yield* find(workerIds, recent)
    const decision = decide({
      records: new Map(Array.from(known, ([id, { record }]) => [id, record])),
      notes: yield* notes.find(keys),
      epochs: yield* state.epochs(partitions),
      // After the workers: of one that is not there any more, it has the generation.
      forgottenGeneration: yield* state.forgottenGeneration
    })
    const changes = yield* commit(decision, yield* withUnread(known, workerIds, decision))
    return { changes, value: decision.value }
  })

  /** Those that are known, as far as possible from memory. */
  const find = Effect.fnUntraced(function* (
    workerIds: ReadonlyArray<WorkerId>,
    recent: ReadonlyMap<WorkerId, KeptRecord>
  ): Effect.fn.Return<Map<WorkerId, KeptRecord>, SqlError.SqlError> {
    const known = byId(yield* workers.find(workerIds.filter((id) => !recent.has(id))))
    for (const id of workerIds) {
      const kept = recent.get(id)
      if (kept !== undefined) known.set(id, kept)
    }
    return known
  })

  const modifyAlone = <A>(read: ReadSet, decide: (found: Found) => Decision<A>) => {
    const body = Effect.suspend(() => {
      const lent = recent.lend()
      return Effect.map(modify(read, decide, lent.records), (committed) => ({ ...committed, lent }))
    })
    return Effect.map(transaction(body), ({ changes, lent, value }) => {
      recent.giveBack(lent, changes)
      return value
    })
  }

  const modifyShared = <A>(read: ReadSet, decide: (found: Found) => Decision<A>) =>
    Effect.map(transactionOn(namesOf(read), modify(read, decide, nothingRecent)), ({ value }) => value)

  /** What is known, also of workers that are decided about without having been read. */
  const withUnread = Effect.fnUntraced(function* (
    known: ReadonlyMap<WorkerId, KeptRecord>,
    read: ReadonlyArray<WorkerId>,
    decision: Decision<unknown>
  ): Effect.fn.Return<ReadonlyMap<WorkerId, KeptRecord>, SqlError.SqlError> {
    const unread = unreadOf(decision, new Set(read))
    if (unread.length === 0) return known
    return new Map([...known, ...byId(yield* workers.find(unread))])
  })

  const commit = Effect.fnUntraced(function* (
    { audits = [], forgottenGeneration, notes: newNotes, records, segments, trims }: Decision<unknown>,
    known: ReadonlyMap<WorkerId, KeptRecord>
  ): Effect.fn.Return<ReadonlyArray<RecordChange>, SqlError.SqlError> {
    const numbers = new CountChanges()
    // Where nobody else appends: before anything is written, as is all that is read.
    const auditEnd = isShared || audits.length === 0 ? undefined : yield* auditChain.end
    const added = records.filter(({ id }) => !known.has(id))
    const taken = yield* placesFor(added.length, segments.length)
    const ordinals = new Map(added.map(({ id }, index) => [id, taken.workers[index] ?? 0]))
    const changes = records.map((record): RecordChange => {
      const before = known.get(record.id)
      const after = workers.keep(record, before?.ordinal ?? ordinals.get(record.id) ?? 0, before)
      if (before !== undefined) numbers.add(before, -1)
      numbers.add(after, 1)
      return { before, after }
    })
    for (const [id, { ordinal }] of known) ordinals.set(id, ordinal)

    yield* workers.write(changes)
    yield* counts.change(numbers)
    yield* timelines.append(segments, taken.segment, ordinals)
    yield* timelines.trim(trims, ordinals)
    yield* notes.write(newNotes)
    if (forgottenGeneration !== undefined) yield* state.forgetGeneration(forgottenGeneration)
    if (audits.length > 0) yield* auditChain.append(audits, auditEnd ?? (yield* auditChain.end))
    return changes
  })

  const placesFor = (workers: number, segments: number) =>
    workers === 0 && segments === 0 ? Effect.succeed(noPlaces) : places.take(workers, segments)

  const overview = Effect.gen(function* (): Effect.fn.Return<StoreOverview, SqlError.SqlError> {
    const phases = yield* counts.byPhase
    const unfinished = yield* counts.unfinished
    return {
      phases: new Map(phases.map(({ phase, workers }) => [phase, workers])),
      unfinished: unfinished.reduce((sum, { unfinished }) => sum + unfinished, 0),
      unfinishedOf: new Map(unfinished.map(({ priority, unfinished }) => [priority, unfinished])),
      leased: phases.reduce((sum, { leased }) => sum + leased, 0),
      sequence: yield* places.latestSegment,
      forgottenGeneration: yield* state.forgottenGeneration
    }
  })

  const forgetHistory = Effect.fnUntraced(function* (
    segmentsBefore: number,
    notesBefore: number,
    limit: number
  ) {
    return (
      (yield* timelines.removeBefore(segmentsBefore, limit)) + (yield* notes.removeBefore(notesBefore, limit))
    )
  })

  return {
    modify: (read, decide) =>
      attempt("write", isShared ? modifyShared(read, decide) : modifyAlone(read, decide)),
    get: (workerIds) => attempt("read", Effect.map(workers.find(workerIds), recordsOf)),
    list: (filter, limit, after) => attempt("read", list(filter, limit, after)),
    browse: (filter, window) => attempt("read", browse(filter, window)),
    due: (now, limit, partitions) => attempt("read", work.due(now, limit, partitions)),
    nextDueAt: (now, partitions) => attempt("read", work.nextDueAt(now, partitions)),
    oldestUnfinished: attempt("read", work.oldestUnfinished),
    expired: (now, limit, partitions) => attempt("read", work.expired(now, limit, partitions)),
    scan: (after, limit) => attempt("read", work.scan(after, limit)),
    timeline: (workerId) => attempt("read", timelines.of(workerId)),
    segments: (after, limit) => attempt("read", timelines.after(after, limit)),
    overview: attempt("read", overview),
    kinds: attempt("read", counts.kinds),
    forget: (options) =>
      attempt(
        "write",
        Effect.onExit(forget(options), () => Effect.sync(() => recent.forget()))
      ),
    forgetHistory: ({ limit, notesBefore, segmentsBefore }) =>
      attempt("write", transaction(forgetHistory(segmentsBefore, notesBefore, limit))),
    probe: attempt("write", transaction(state.probe))
  }
}

/** What a transaction has changed, and what its decision was worth. */
interface Committed<A> {
  readonly changes: ReadonlyArray<RecordChange>
  readonly value: A
}

const nothingRecent: ReadonlyMap<WorkerId, KeptRecord> = new Map()

const noPlaces: TakenPlaces = { workers: [], segment: 0 }

const namesOf = ({ keys, workerIds }: ReadSet): ReadonlyArray<string> => [
  ...workerIds.map(workerName),
  // As JSON: a key may have characters that are no text to a database.
  ...keys.map((key) => `key ${JSON.stringify(key)}`)
]

const recordsOf = (kept: ReadonlyArray<KeptRecord>) => kept.map(({ record }) => record)

const byId = (kept: ReadonlyArray<KeptRecord>): Map<WorkerId, KeptRecord> =>
  new Map(kept.map((kept) => [kept.record.id, kept]))

const unreadOf = (
  { records, segments, trims }: Decision<unknown>,
  read: ReadonlySet<WorkerId>
): ReadonlyArray<WorkerId> => {
  const unread = new Set<WorkerId>()
  for (const { id } of records) if (!read.has(id)) unread.add(id)
  for (const { workerId } of segments) if (!read.has(workerId)) unread.add(workerId)
  for (const { workerId } of trims) if (!read.has(workerId)) unread.add(workerId)
  return Array.from(unread)
}
