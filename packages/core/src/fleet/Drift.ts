/**
 * The scheduler can forget, and it can remember what is gone. What it lists is compared with what is wanted, in both
 * directions: workers that it lost are registered again, ghosts are unregistered. This happens at an interval, at the
 * start, and after every outage of the scheduler, since it may have come back empty.
 *
 * The list and the fleet are each read once, piece by piece; between them stands a filter of a few bytes for each
 * worker. What is found becomes tasks like any other, and is carried out at the reconciler's pace and order.
 */
import { Clock, type Context, Duration, Effect, Latch, Option, Random, Stream } from "effect"
import { isWhole, type ListedWorker, SchedulerPort } from "../SchedulerPort.ts"
import { RegistrationConfig } from "../RegistrationConfig.ts"
import { type SchedulerError, SchedulerUnavailable } from "../SchedulerError.ts"
import type { WorkerId } from "../WorkerId.ts"
import type { Draft } from "./Draft.ts"
import * as Changes from "./FleetChanges.ts"
import type { FleetCounts } from "./FleetCounts.ts"
import { drift as driftWorkers, driftComparisons } from "./FleetMetrics.ts"
import type { FleetOptions } from "./FleetOptions.ts"
import { FleetStore, type ScannedWorker, type StoreUnavailable } from "./FleetStore.ts"
import type { GroupCommit } from "./GroupCommit.ts"
import { HeldIds } from "./HeldIds.ts"
import { rankOf } from "./Priority.ts"
import type { Share } from "./Sharing.ts"
import { isUnfinished, type WorkerRecord } from "./WorkerRecord.ts"

/** What a comparison found. Times are milliseconds since 1970. */
export interface DriftReport {
  readonly startedAt: number
  readonly endedAt: number
  /** Workers that the scheduler listed. */
  readonly held: number
  /** Workers that it should have and does not, or holds in an older state: they are registered again. */
  readonly lost: number
  /** Workers that it holds and that are gone: they are unregistered again. */
  readonly ghosts: number
  /** Workers that it holds and that the fleet never saw, or has forgotten. */
  readonly unknown: number
  /** Why the comparison did not come to its end. */
  readonly error: string | undefined
}

export interface Drift {
  /** What the latest comparison found, whichever process made it. */
  readonly latest: Effect.Effect<DriftReport | undefined, StoreUnavailable>
  /** Compares as soon as it may. */
  readonly request: () => void
}

const atOnce = 256
/** The least distance between two comparisons that are asked for; a shorter interval is obeyed. */
const leastDistance = Duration.seconds(10)
/** How soon one that did not come to its end is made again. */
const soon = Duration.minutes(1)

/** Starts comparing, if the scheduler can list; ends with the scope. */
export const makeDrift = Effect.fnUntraced(function* (
  options: FleetOptions,
  counts: FleetCounts,
  groupCommit: Pick<GroupCommit, "commit">,
  share: Share
) {
  const scheduler = yield* SchedulerPort
  const { list } = scheduler
  const { attemptTimeout } = yield* RegistrationConfig
  const store = yield* FleetStore
  const context = yield* Effect.context()
  const asked = Latch.makeUnsafe(true)
  let latest: DriftReport | undefined
  const drift: Drift = {
    latest: Effect.suspend(() =>
      share.leads
        ? Effect.succeed(latest)
        : groupCommit.commit({ workerIds: [], keys: [reportKey], apply: recallReport })
    ),
    request: () => asked.openUnsafe()
  }
  if (list === undefined || !Duration.isFinite(options.driftInterval)) return drift

  // A list that stops coming would otherwise be waited for as long as the process lives.
  const listed = Stream.timeoutOrElse(list, {
    duration: attemptTimeout,
    orElse: () => Stream.fail(new SchedulerUnavailable({ message: "the list stopped coming" }))
  })
  const compare = makeComparison({ list: listed, store, options, counts, groupCommit })
  const pause = Duration.min(leastDistance, options.driftInterval)
  const round = Effect.gen(function* () {
    const jitter = 0.75 + (yield* Random.next) / 2
    const isDone = latest === undefined || latest.error === undefined
    const interval = isDone ? options.driftInterval : Duration.min(options.driftInterval, soon)
    yield* Effect.timeoutOption(asked.await, Duration.times(interval, jitter))
    asked.closeUnsafe()
    if (!share.leads) return yield* Effect.sleep(pause)
    // It has said that it has no list; whether it has one by now is asked when its adapter forgets that.
    if (latest !== undefined && !scheduler.capabilities.has("list")) return yield* Effect.sleep(pause)
    latest = yield* compare
    count(latest, context)
    yield* tell(latest)
    if (share.isShared) yield* Effect.ignore(groupCommit.commit(rememberReport(latest)))
    yield* Effect.sleep(pause)
  })
  yield* Effect.forkScoped(Effect.forever(round))
  return drift
})

/** Where those that share the fleet find what was found. */
const reportKey = "drift"

const rememberReport = (report: DriftReport) => ({
  workerIds: [],
  apply: (draft: Draft) => draft.remember(reportKey, JSON.stringify(report))
})

const recallReport = (draft: Draft): DriftReport | undefined => {
  const json = draft.note(reportKey)
  if (json === undefined) return undefined
  const report: DriftReport = JSON.parse(json)
  return report
}

const count = ({ error, ghosts, lost, unknown }: DriftReport, context: Context.Context<never>): void => {
  driftComparisons.at({ result: error === undefined ? "success" : "failure" }).updateUnsafe(1, context)
  // What was found of a part says nothing of the whole.
  if (error !== undefined) return
  driftWorkers.at({ kind: "lost" }).updateUnsafe(lost, context)
  driftWorkers.at({ kind: "ghost" }).updateUnsafe(ghosts, context)
  driftWorkers.at({ kind: "unknown" }).updateUnsafe(unknown, context)
}

const tell = ({ error, ghosts, held, lost, unknown }: DriftReport) => {
  if (error !== undefined)
    return Effect.logWarning(`The scheduler could not be compared with the fleet: ${error}`)
  if (lost + ghosts + unknown === 0) return Effect.logDebug(`The scheduler holds the fleet: ${held} workers`)
  return Effect.logWarning("The scheduler differs from the fleet").pipe(
    Effect.annotateLogs({ held, lost, ghosts, unknown })
  )
}

interface Tools {
  readonly list: Stream.Stream<ListedWorker, SchedulerError>
  readonly store: FleetStore["Service"]
  readonly options: FleetOptions
  readonly counts: FleetCounts
  readonly groupCommit: Pick<GroupCommit, "commit">
}

const makeComparison = ({ counts, groupCommit, list, options, store }: Tools) => {
  /** Changes of the comparison leave half of the room to those that come from outside. */
  const waitForRoom = Effect.suspend(() =>
    Effect.repeat(Effect.sleep("100 millis"), { while: () => counts.unfinished * 2 >= options.maxUnfinished })
  )

  /** How many of these were changed; waits for room where there is none. */
  const change = (
    workerIds: ReadonlyArray<WorkerId>,
    apply: (draft: Draft, id: WorkerId) => Changes.Change | undefined
  ): Effect.Effect<number, StoreUnavailable> => {
    if (workerIds.length === 0) return Effect.succeed(0)
    const attempt = groupCommit.commit({
      workerIds,
      apply: (draft) => {
        let changed = 0
        for (const [index, id] of workerIds.entries()) {
          if (draft.isHalfFull) return { changed, refused: workerIds.slice(index) }
          if (apply(draft, id)?._tag === "Applied") changed++
        }
        return { changed, refused: [] }
      }
    })
    return Effect.flatMap(attempt, ({ changed, refused }) =>
      refused.length === 0
        ? Effect.succeed(changed)
        : Effect.map(Effect.andThen(waitForRoom, change(refused, apply)), (more) => changed + more)
    )
  }

  const compareHeld = Effect.fnUntraced(function* (held: ReadonlyArray<ListedWorker>, startedAt: number) {
    const records = new Map<WorkerId, WorkerRecord>()
    for (const record of yield* store.get(held.map(({ worker }) => worker.id))) records.set(record.id, record)
    const unknown = held.filter(({ worker }) => !records.has(worker.id))
    const known = held.filter(({ worker }) => records.has(worker.id))
    const isGhost = (record: WorkerRecord) =>
      record.desired === "unregistered" && record.phase === "terminated" && record.updatedAt < startedAt
    const isOlder = (record: WorkerRecord, { generation }: ListedWorker) =>
      isConverged(record) &&
      (record.registeredAt ?? startedAt) < startedAt &&
      generation !== undefined &&
      generation < record.generation
    const idsOf = (found: (record: WorkerRecord, held: ListedWorker) => boolean) =>
      known.flatMap((held) => {
        const record = records.get(held.worker.id)
        return record !== undefined && found(record, held) ? [record.id] : []
      })
    const ghosts = yield* change(idsOf(isGhost), (draft, id) =>
      ifStill(draft, id, isGhost, (record) => Changes.ghost(draft, record, "the scheduler still had it"))
    )
    const lost = yield* change(idsOf(isOlder), (draft, id) =>
      ifStill(draft, id, isConverged, (record) =>
        Changes.lost(draft, record, "the scheduler had an older state of it")
      )
    )
    yield* settleUnknown(unknown)
    return { known: Array.from(records.keys()), ghosts, lost, unknown: unknown.length }
  })

  const settleUnknown = Effect.fnUntraced(function* (unknown: ReadonlyArray<ListedWorker>) {
    if (options.unknownWorkers === "report" || unknown.length === 0) return
    const listed = new Map(unknown.map((entry) => [entry.worker.id, entry]))
    yield* change(Array.from(listed.keys()), (draft, id) => {
      const entry = listed.get(id)
      // Provisioned since the store was asked: it is not unknown any more.
      if (entry === undefined || draft.record(id) !== undefined) return undefined
      if (options.unknownWorkers === "remove") {
        return Changes.terminate(draft, id, {
          name: "ghost",
          reason: "only the scheduler knew it",
          repairs: "unknown"
        })
      }
      // What is no more than an id cannot be registered as it is: it stays reported.
      return isWhole(entry) ? Changes.adopt(draft, entry.worker) : undefined
    })
  })

  /** Registers again what is not among the held; `ranks`: of these priorities. How many there were of others. */
  const findLost = Effect.fnUntraced(function* (
    held: HeldIds,
    startedAt: number,
    ranks: ReadonlyArray<number>
  ) {
    const isLost = (worker: ScannedWorker) =>
      isConverged(worker) && (worker.registeredAt ?? startedAt) < startedAt && !held.has(worker.id)
    let lost = 0
    let others = 0
    let after: WorkerId | undefined
    while (true) {
      const page: ReadonlyArray<ScannedWorker> = yield* store.scan(after, atOnce)
      const found = page.filter(isLost)
      const ids = found.filter(({ priority }) => ranks.includes(rankOf[priority])).map(({ id }) => id)
      others += found.length - ids.length
      lost += yield* change(ids, (draft, id) =>
        ifStill(draft, id, isLost, (record) => Changes.lost(draft, record, "the scheduler had lost it"))
      )
      after = page.at(-1)?.id
      if (after === undefined) return { lost, others }
      yield* Effect.yieldNow
    }
  })

  return Effect.gen(function* () {
    const startedAt = yield* Clock.currentTimeMillis
    const ids = new HeldIds(counts.known * 1.25, yield* Random.nextInt)
    const sum = { held: 0, lost: 0, ghosts: 0, unknown: 0 }
    const compared = Effect.gen(function* () {
      yield* Stream.runForEach(Stream.grouped(list, atOnce), (chunk) =>
        Effect.map(compareHeld(chunk, startedAt), ({ ghosts, known, lost, unknown }) => {
          // The filter is as large as the fleet: what others have with the scheduler must not fill it.
          for (const id of known) ids.add(id)
          sum.held += chunk.length
          sum.ghosts += ghosts
          sum.lost += lost
          sum.unknown += unknown
        })
      )
      const urgent = yield* findLost(ids, startedAt, [0, 1])
      sum.lost += urgent.lost
      if (urgent.others > 0) sum.lost += (yield* findLost(ids, startedAt, [2, 3])).lost
    })
    const failure = yield* compared.pipe(
      Effect.as(Option.none<string>()),
      Effect.catch((error: SchedulerError | StoreUnavailable) => Effect.succeedSome(error.message)),
      Effect.catchDefect(() => Effect.succeedSome("the scheduler's adapter died"))
    )
    const endedAt = yield* Clock.currentTimeMillis
    return { startedAt, endedAt, ...sum, error: Option.getOrUndefined(failure) } satisfies DriftReport
  })
}

/** The scheduler should have the worker, and nothing is under way that would bring it there. */
const isConverged = (worker: ScannedWorker): boolean =>
  worker.desired === "registered" && worker.phase !== "failed" && !isUnfinished(worker)

const ifStill = (
  draft: Draft,
  id: WorkerId,
  holds: (record: WorkerRecord) => boolean,
  apply: (record: WorkerRecord) => Changes.Change
): Changes.Change | undefined => {
  const record = draft.record(id)
  return record !== undefined && holds(record) ? apply(record) : undefined
}
