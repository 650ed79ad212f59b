/**
 * The fleet: the state that is wanted of every worker, and what has become of it. A change is accepted when it is in
 * the store, and carried to the scheduler behind the caller's back; whoever wants to know how one ended waits for it.
 */
import {
  Clock,
  Context,
  Duration,
  Effect,
  Latch,
  Layer,
  Option,
  Result,
  Schema,
  type Scope,
  Stream
} from "effect"
import { nextGeneration } from "../Generation.ts"
import { observe } from "../MetricFamily.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import type { Worker } from "../Worker.ts"
import type { WorkerId } from "../WorkerId.ts"
import { CurrentActor, NotPermitted } from "./Actor.ts"
import type { AuditEntry, WorkerAction } from "./Audit.ts"
import type { ChangedRecord, Draft } from "./Draft.ts"
import { type DriftReport, makeDrift } from "./Drift.ts"
import * as Changes from "./FleetChanges.ts"
import { FleetCounts } from "./FleetCounts.ts"
import { makeWorkerMetrics, storeWritable } from "./FleetMetrics.ts"
import { fleetDefaults, type FleetOptions, toRules } from "./FleetOptions.ts"
import {
  type BrowseWindow,
  FleetStore,
  type ListFilter,
  type StoreUnavailable,
  type WorkerKind
} from "./FleetStore.ts"
import { makeGroupCommit } from "./GroupCommit.ts"
import { type Lease, Leases } from "./Leases.ts"
import { measuredStoreLayer } from "./MeasuredStore.ts"
import { Neighbours } from "./Neighbours.ts"
import { Observers } from "./Observers.ts"
import { type Accepted, KeyReused, type Once, recall, remember } from "./Once.ts"
import { showOldestUnfinished } from "./OldestUnfinished.ts"
import { OutageWatch } from "./OutageWatch.ts"
import { type EventPosition, type PhaseEvent, PhaseEvents } from "./PhaseEvents.ts"
import type { Priority } from "./Priority.ts"
import { makeReconciler } from "./Reconciler.ts"
import { restore, type RestoredWorker } from "./Restoration.ts"
import { retain } from "./Retention.ts"
import { FleetSharing, Share } from "./Sharing.ts"
import { StoreTrouble } from "./StoreTrouble.ts"
import { type TimelineItem, timelineLength } from "./Timeline.ts"
import { untiring } from "./Untiring.ts"
import { type EventPlace, isUnfinished, type WorkerRecord } from "./WorkerRecord.ts"

/** As many changes are unfinished as the fleet takes; some will be done soon. */
export class FleetFull extends Schema.TaggedError<FleetFull>("@muster/core/FleetFull")("FleetFull", {
  unfinished: Schema.Int
}) {}

/** No worker of this id is known. */
export class UnknownWorker extends Schema.TaggedError<UnknownWorker>("@muster/core/UnknownWorker")(
  "UnknownWorker",
  { workerId: Schema.String }
) {}

/** The worker is on its way out, or gone. */
export class WorkerGone extends Schema.TaggedError<WorkerGone>("@muster/core/WorkerGone")("WorkerGone", {
  workerId: Schema.String
}) {}

/** The worker of this id, if there is one, has not failed for good. */
export class NoDeadLetter extends Schema.TaggedError<NoDeadLetter>("@muster/core/NoDeadLetter")(
  "NoDeadLetter",
  { workerId: Schema.String }
) {}

/** For how many dead letters a decision was taken, and how many had to stay because the fleet was full. */
interface Decided {
  readonly decided: number
  readonly left: number
}

/** How many dead letters were taken up again, and how many had to stay because the fleet was full. */
export interface Retried {
  readonly retried: number
  readonly left: number
}

/** How many dead letters were given up, and how many had to stay because the fleet was full. */
export interface GivenUp {
  readonly dropped: number
  readonly left: number
}

export interface ChangeOptions {
  /** Where the change comes from an event that says when it happened. */
  readonly place?: EventPlace | undefined
  readonly priority?: Priority | undefined
  readonly once?: Once | undefined
}

export interface WantOptions extends ChangeOptions {
  /** Whether the sender said when the worker was provisioned; otherwise that time is not part of its content. */
  readonly saidWhenProvisioned: boolean
  /** How long the worker lives without a heartbeat. */
  readonly leaseTtl?: Duration.Duration | undefined
}

export interface WantedWorker extends WantOptions {
  readonly worker: Worker
}

export interface DropOptions extends ChangeOptions {
  /** Why the worker is gone, for people. */
  readonly reason?: string | undefined
}

/** What happened to a worker, oldest first; `forgotten`: how many older items are not kept any more. */
export interface WorkerTimeline {
  readonly items: ReadonlyArray<TimelineItem>
  readonly forgotten: number
}

/** One page of a listing; `next` is where the next one begins. */
export interface FleetPage {
  readonly items: ReadonlyArray<WorkerRecord>
  readonly next: number | undefined
  readonly total: number
}

/** A part of a listing, and how many there are in all. */
export interface FleetWindow {
  readonly items: ReadonlyArray<WorkerRecord>
  readonly total: number
}

/** How a change can be refused: nothing was changed. */
export type NotAccepted = FleetFull | KeyReused | NotPermitted | StoreUnavailable

export class Fleet extends Context.Service<
  Fleet,
  {
    /** Wants a worker registered. The same content again changes nothing and keeps its generation. */
    readonly want: (worker: Worker, options: WantOptions) => Effect.Effect<Accepted, NotAccepted>
    /**
     * The same for many, in one transaction; one result for each, by position. A few hundred at a time cost the least:
     * others wait meanwhile.
     */
    readonly wantAll: (
      wanted: ReadonlyArray<WantedWorker>
    ) => Effect.Effect<
      ReadonlyArray<Result.Result<Accepted, FleetFull | KeyReused | NotPermitted>>,
      StoreUnavailable
    >
    /** Wants a worker that is known unregistered. */
    readonly terminate: (
      workerId: WorkerId,
      options?: DropOptions
    ) => Effect.Effect<Accepted, NotAccepted | UnknownWorker>
    /** Wants a worker unregistered, known or not: the scheduler may know what the fleet does not. */
    readonly drop: (workerId: WorkerId, options: DropOptions) => Effect.Effect<Accepted, NotAccepted>
    /** A worker says that it is ready: verifies that the scheduler has it, and registers it again if not. */
    readonly ready: (
      workerId: WorkerId,
      options: ChangeOptions
    ) => Effect.Effect<Accepted, NotAccepted | UnknownWorker | WorkerGone>
    /** Asks the scheduler whether it has a worker that is wanted, and registers it again if not. */
    readonly check: (workerId: WorkerId) => Effect.Effect<Accepted, NotAccepted | UnknownWorker | WorkerGone>
    /**
     * Ends a worker's wait for its next call, but for what the scheduler has asked for; a dead letter is tried again.
     * Where nothing waits, nothing changes.
     */
    readonly hasten: (workerId: WorkerId) => Effect.Effect<Accepted, NotAccepted | UnknownWorker>
    /** Renews a worker's lease, if it has one; how long the worker may now be silent. */
    readonly heartbeat: (
      workerId: WorkerId
    ) => Effect.Effect<Option.Option<Lease>, UnknownWorker | WorkerGone | NotPermitted | StoreUnavailable>
    /** Tries once more what has failed for good: a dead letter. Its generation stays. */
    readonly retry: (workerId: WorkerId) => Effect.Effect<Accepted, NotAccepted | NoDeadLetter>
    /** The same for all dead letters that match, whatever phases the filter names, as far as there is room. */
    readonly retryAll: (filter: ListFilter) => Effect.Effect<Retried, StoreUnavailable>
    /**
     * Gives a dead letter up: a worker that would not be registered is unregistered, since the scheduler may have an
     * earlier state of it; one that would not be unregistered counts as terminated.
     */
    readonly giveUp: (workerId: WorkerId) => Effect.Effect<Accepted, NotAccepted | NoDeadLetter>
    /** The same for all dead letters that match, whatever phases the filter names, as far as there is room. */
    readonly giveUpAll: (filter: ListFilter) => Effect.Effect<GivenUp, StoreUnavailable>
    /**
     * Takes workers of an export in, in one transaction; one result for each, by position. What the fleet knows in the
     * same or a newer state stays as it is: then the result is `outdated`.
     */
    readonly restoreAll: (
      workers: ReadonlyArray<RestoredWorker>
    ) => Effect.Effect<ReadonlyArray<Result.Result<Accepted, FleetFull>>, StoreUnavailable>
    /** Writes down something that the fiber's actor did, or was refused, to no worker; nothing where there is none. */
    readonly audit: (
      action: string,
      outcome: AuditEntry["outcome"],
      detail?: string
    ) => Effect.Effect<void, StoreUnavailable>
    /** Elsewhere, workers were forgotten with generations up to this one: new ones stay above it from now on. */
    readonly raiseForgotten: (generation: number) => Effect.Effect<void, StoreUnavailable>
    /** The largest generation among the workers that were forgotten. */
    readonly forgottenGeneration: Effect.Effect<number, StoreUnavailable>
    readonly get: (workerId: WorkerId) => Effect.Effect<Option.Option<WorkerRecord>, StoreUnavailable>
    readonly timeline: (workerId: WorkerId) => Effect.Effect<WorkerTimeline, UnknownWorker | StoreUnavailable>
    /** The workers after `after` (0: from the beginning) in the order in which they became known. */
    readonly list: (
      filter: ListFilter,
      limit: number,
      after: number
    ) => Effect.Effect<FleetPage, StoreUnavailable>
    /** Any part of a listing, in any order; see {@link FleetStore}. */
    readonly browse: (
      filter: ListFilter,
      window: BrowseWindow
    ) => Effect.Effect<FleetWindow, StoreUnavailable>
    /**
     * Waits until a change is done: until the worker is registered, with this or a newer state, or failed, or is not
     * wanted any more. `None`: it was forgotten meanwhile.
     */
    readonly settled: (
      workerId: WorkerId,
      generation: number
    ) => Effect.Effect<Option.Option<WorkerRecord>, StoreUnavailable>
    /** Waits until the fleet takes one more unfinished change. */
    readonly room: Effect.Effect<void>
    /** How many changes are unfinished, how many calls are under way, and how many workers are known. */
    readonly load: Effect.Effect<{
      readonly unfinished: number
      readonly inFlight: number
      readonly known: number
    }>
    /** Every phase change after a position, as far as it is kept, and those to come; ends with the store's failure. */
    readonly events: (after: EventPosition) => Stream.Stream<PhaseEvent, StoreUnavailable>
    /** A position after everything that has happened, and before everything to come. */
    readonly latestEvent: Effect.Effect<EventPosition, StoreUnavailable>
    /** The workers that are known, by kind. */
    readonly kinds: Effect.Effect<ReadonlyArray<WorkerKind>, StoreUnavailable>
    /** Of each priority with unfinished changes, since when the oldest of them is unfinished. */
    readonly oldestUnfinished: Effect.Effect<ReadonlyMap<Priority, number>, StoreUnavailable>
    /** What the latest comparison with the scheduler found. */
    readonly drift: Effect.Effect<Option.Option<DriftReport>, StoreUnavailable>
    /** Why the store does not take changes at the moment, if it does not. */
    readonly storeTrouble: Effect.Effect<Option.Option<StoreUnavailable>>
    /** Waits until everything that can be tried now has been tried. */
    readonly drained: Effect.Effect<void>
    /** Begins no further calls, and waits until those under way have ended and the store knows it. */
    readonly quiesced: Effect.Effect<void>
    readonly options: FleetOptions
  }
>()("@muster/core/Fleet") {
  static readonly layerWith = (
    options: Partial<FleetOptions>
  ): Layer.Layer<Fleet, StoreUnavailable, SchedulerPort | FleetStore> =>
    Layer.effect(
      Fleet,
      Effect.suspend(() => make({ ...fleetDefaults, ...options }))
    ).pipe(Layer.provide(measuredStoreLayer))

  static readonly layer = Fleet.layerWith({})
}

/** How often a fleet that is shared looks for what the others have changed, beside being told. */
const followInterval = Duration.seconds(1)

const make = Effect.fnUntraced(function* (
  options: FleetOptions
): Effect.fn.Return<Fleet["Service"], StoreUnavailable, FleetStore | SchedulerPort | Scope.Scope> {
  const store = yield* FleetStore
  const context = yield* Effect.context()
  const scheduler = yield* SchedulerPort
  // Whether a scheduler has a worker cannot be checked where it does not say; registering again would be no check.
  const rules = toRules(scheduler.get === undefined ? { ...options, checkAfter: Duration.infinity } : options)
  const overview = yield* store.overview
  const counts = new FleetCounts(overview, makeWorkerMetrics(context))
  const observers = new Observers()
  const events = new PhaseEvents(store)
  const room = Latch.makeUnsafe(true)
  const trouble = new StoreTrouble()
  const sharing = yield* FleetSharing
  const share = new Share(sharing)
  let lastGeneration = 0

  const draftContext = (now: number) => ({
    now,
    rules,
    unfinished: counts.unfinished,
    nextGeneration: (now: number, above: number) => {
      lastGeneration = Math.max(lastGeneration + 1, above + 1, nextGeneration(now))
      return lastGeneration
    },
    leaseTerm: (leaseTtl: number) => leases.term(leaseTtl)
  })

  const onCount = () => {
    if (counts.unfinished < options.maxUnfinished) room.openUnsafe()
    else room.closeUnsafe()
    leases.noteNeed()
  }
  const onCommit = (changed: ReadonlyArray<ChangedRecord>) => {
    for (const change of changed) counts.apply(change)
    onCount()
    reconciler.onCommit(changed)
    events.notify()
    for (const { after } of changed) observers.notify(after)
    neighbours.committed(changed)
  }
  const recover = Effect.map(store.overview, (overview) => {
    counts.reset(overview)
    onCount()
    reconciler.expectMore()
    events.notify()
  })
  const groupCommit = yield* makeGroupCommit({
    context: draftContext,
    onCommit,
    onEnd: (exit) => {
      trouble.note(exit)
      reconciler.dispatch()
    },
    recover
  })
  const { commit } = groupCommit
  const leases = new Leases({
    options,
    counts,
    store,
    groupCommit,
    isStoreFine: () => Option.isNone(trouble.current),
    share,
    now: yield* Clock.currentTimeMillis
  })
  const drift = yield* makeDrift(options, counts, groupCommit, share)
  const reconciler = yield* makeReconciler(options, groupCommit, new OutageWatch(drift.request), share)
  const { flights } = reconciler
  const neighbours = new Neighbours({ share, store, reconciler, observers, events, leases, drift })
  if (sharing !== undefined) {
    sharing.onLeaving(reconciler.left)
    yield* Effect.forkScoped(Stream.runForEach(sharing.news, (news) => neighbours.heard(news)))
    // What nobody told, and how many workers there are by now.
    const look = Effect.onExit(groupCommit.between(recover), (exit) => Effect.sync(() => trouble.note(exit)))
    yield* Effect.forkScoped(
      untiring(
        "following the others",
        Effect.forever(Effect.andThen(Effect.sleep(followInterval), Effect.ignore(look)))
      )
    )
  }
  if (scheduler.reconnections !== undefined) {
    const compare = Effect.sync(drift.request)
    yield* Effect.forkScoped(Stream.runForEach(scheduler.reconnections, () => compare))
  }
  yield* observe(storeWritable.at({}), () => (Option.isNone(trouble.current) ? 1 : 0))
  yield* showOldestUnfinished(counts)
  yield* Effect.forkScoped(untiring("keeping leases", leases.keep))
  yield* Effect.forkScoped(
    untiring("removing what is old", retain(options, counts, groupCommit, recover, share))
  )
  // What is still in memory when the fleet is closed is written before the store is.
  yield* Effect.addFinalizer(() => Effect.ignore(leases.writeRenewals))
  // The transaction after the probe finds out what those that failed have come to.
  const nothing = commit({ workerIds: [], apply: () => undefined })
  yield* Effect.forkScoped(
    untiring("watching the store", trouble.watch(Effect.andThen(store.probe, nothing)))
  )

  /** A change of one worker, once; what it came to. */
  const step = <E>(
    draft: Draft,
    { action, once, wanted, workerId }: Asked,
    apply: (draft: Draft, known: WorkerRecord | undefined) => Result.Result<Changes.Change, E>
  ): Result.Result<Accepted, E | FleetFull | KeyReused | NotPermitted> => {
    const known = draft.record(workerId)
    if (draft.actor?.mayChange(known, wanted) === false) {
      draft.audit(action, "refused", { id: workerId })
      return Result.fail(new NotPermitted({ workerId }))
    }
    const before = once === undefined ? Option.none() : recall(draft, once)
    if (Option.isSome(before)) {
      return before.value instanceof KeyReused ? Result.fail(before.value) : Result.succeed(before.value)
    }
    return Result.flatMap(apply(draft, known), (change): Result.Result<Accepted, FleetFull> => {
      if (change._tag === "Full") return Result.fail(new FleetFull({ unfinished: counts.unfinished }))
      const { generation, id, phase } = change.record
      if (hasChanged(action, known, change)) draft.audit(action, "done", { id, generation })
      const outcome = { id, generation, phase, outdated: change._tag === "Outdated" }
      if (once !== undefined) remember(draft, once, outcome)
      return Result.succeed({ ...outcome, repeated: false })
    })
  }

  const accept = <E>(
    asked: Asked,
    apply: (draft: Draft, known: WorkerRecord | undefined) => Result.Result<Changes.Change, E>
  ): Effect.Effect<Accepted, E | NotAccepted> =>
    Effect.flatMap(
      commit({
        workerIds: [asked.workerId],
        keys: asked.once === undefined ? [] : [asked.once.key],
        apply: (draft) => step(draft, asked, apply)
      }),
      Effect.fromResult
    )

  const provision = (draft: Draft, { leaseTtl, once, worker, ...said }: WantedWorker) =>
    step(draft, { action: "worker.register", workerId: worker.id, once, wanted: worker }, () =>
      Result.succeed(
        Changes.provision(draft, {
          ...said,
          worker,
          leaseTtl: leaseTtl === undefined ? undefined : Math.ceil(Duration.toMillis(leaseTtl))
        })
      )
    )

  const wantAll = (wanted: ReadonlyArray<WantedWorker>) =>
    commit({
      workerIds: wanted.map(({ worker }) => worker.id),
      keys: wanted.flatMap(({ once }) => (once === undefined ? [] : [once.key])),
      apply: (draft) => wanted.map((one) => provision(draft, one))
    })

  const restoreAll = (workers: ReadonlyArray<RestoredWorker>) =>
    commit({
      workerIds: workers.map(({ id }) => id),
      apply: (draft) =>
        workers.map((restored): Result.Result<Accepted, FleetFull> => {
          const change = restore(draft, restored)
          if (change._tag === "Full") return Result.fail(new FleetFull({ unfinished: counts.unfinished }))
          const { generation, id, phase } = change.record
          const outdated = change._tag === "Outdated"
          if (!outdated) draft.audit("worker.import" satisfies WorkerAction, "done", { id, generation })
          return Result.succeed({ id, generation, phase, outdated, repeated: false })
        })
    })

  const raiseForgotten = (generation: number) =>
    commit({
      workerIds: [],
      apply: (draft) => draft.raiseForgotten(generation)
    })

  const decideDeadLetter = (action: WorkerAction, decide: DecideDeadLetter) => (workerId: WorkerId) =>
    accept({ action, workerId }, (draft, known) =>
      known?.phase === "failed"
        ? Result.succeed(decide(draft, known))
        : Result.fail(new NoDeadLetter({ workerId }))
    )

  /** With what is under way and not stored yet. */
  const asItIsNow = (record: WorkerRecord): WorkerRecord => flights.get(record.id)?.view ?? record

  const get = (workerId: WorkerId) =>
    Effect.map(store.get([workerId]), ([record]) =>
      record === undefined ? Option.none() : Option.some(asItIsNow(record))
    )

  const decidePage = (
    ids: ReadonlyArray<WorkerId>,
    action: WorkerAction,
    decide: DecideDeadLetter
  ): Effect.Effect<Decided, StoreUnavailable> =>
    commit({
      workerIds: ids,
      apply: (draft) => {
        let decided = 0
        let left = 0
        for (const id of ids) {
          const record = draft.record(id)
          if (record?.phase !== "failed") continue
          const change = decide(draft, record)
          if (change._tag !== "Applied") left++
          else {
            decided++
            draft.audit(action, "done", change.record)
          }
        }
        return { decided, left }
      }
    })

  const decideAll = Effect.fnUntraced(function* (
    filter: ListFilter,
    action: WorkerAction,
    decide: DecideDeadLetter
  ) {
    let sum: Decided = { decided: 0, left: 0 }
    let after: number | undefined = 0
    while (after !== undefined) {
      const page: { records: ReadonlyArray<WorkerRecord>; next: number | undefined } = yield* store.list(
        { ...filter, phases: ["failed"] },
        256,
        after
      )
      const { decided, left } = yield* decidePage(
        page.records.map(({ id }) => id),
        action,
        decide
      )
      sum = { decided: sum.decided + decided, left: sum.left + left }
      after = page.next
    }
    return sum
  })

  const timeline = Effect.fnUntraced(function* (workerId: WorkerId) {
    const [record] = yield* store.get([workerId])
    if (record === undefined) return yield* new UnknownWorker({ workerId })
    const segments = yield* store.timeline(workerId)
    const untold = flights.get(workerId)?.report.items ?? []
    const items = segments.flatMap((segment) => segment.items)
    const told = Math.max(record.told, segments.at(-1)?.last ?? 0) + untold.length
    const latest = items.concat(untold).slice(-timelineLength)
    return { items: latest, forgotten: told - latest.length }
  })

  const heartbeat = Effect.fnUntraced(function* (workerId: WorkerId) {
    const [record] = yield* Effect.tapError(store.get([workerId]), () => leases.missed)
    const actor = yield* CurrentActor
    if (actor?.mayChange(record, undefined) === false) return yield* new NotPermitted({ workerId })
    if (record === undefined) return yield* new UnknownWorker({ workerId })
    if (record.desired === "unregistered") return yield* new WorkerGone({ workerId })
    return Option.fromUndefinedOr(leases.renew(record, yield* Clock.currentTimeMillis))
  })

  const settled = (workerId: WorkerId, generation: number) =>
    observers.until(workerId, get(workerId), (record) => isSettled(record, generation))

  return Fleet.of({
    options,
    want: (worker, options) =>
      Effect.flatMap(
        commit({
          workerIds: [worker.id],
          keys: options.once === undefined ? [] : [options.once.key],
          apply: (draft) => provision(draft, { ...options, worker })
        }),
        Effect.fromResult
      ),
    wantAll,
    terminate: (workerId, { once, ...occasion } = {}) =>
      accept({ action: "worker.unregister", workerId, once }, (draft, known) =>
        known === undefined
          ? Result.fail(new UnknownWorker({ workerId }))
          : Result.succeed(Changes.terminate(draft, workerId, { name: "terminated", ...occasion }))
      ),
    drop: (workerId, { once, ...occasion }) =>
      accept({ action: "worker.unregister", workerId, once }, (draft) =>
        Result.succeed(Changes.terminate(draft, workerId, { name: "terminated", ...occasion }))
      ),
    ready: (workerId, { once, ...occasion }) =>
      accept({ action: "worker.ready", workerId, once }, (draft, known) =>
        Result.map(wantedWorker(workerId, known), (record) => Changes.ready(draft, record, occasion))
      ),
    check: (workerId) =>
      accept({ action: "worker.check", workerId }, (draft, known) =>
        Result.map(wantedWorker(workerId, known), (record) => Changes.check(draft, record))
      ),
    hasten: (workerId) =>
      accept({ action: "worker.retry", workerId }, (draft, known) =>
        known === undefined
          ? Result.fail(new UnknownWorker({ workerId }))
          : Result.succeed(Changes.hasten(draft, known))
      ),
    heartbeat,
    retry: decideDeadLetter("dead-letter.retry", Changes.retry),
    retryAll: (filter) =>
      Effect.map(decideAll(filter, "dead-letter.retry", Changes.retry), ({ decided, left }) => ({
        retried: decided,
        left
      })),
    giveUp: decideDeadLetter("dead-letter.drop", Changes.giveUp),
    giveUpAll: (filter) =>
      Effect.map(decideAll(filter, "dead-letter.drop", Changes.giveUp), ({ decided, left }) => ({
        dropped: decided,
        left
      })),
    restoreAll,
    audit: (action, outcome, detail) =>
      commit({
        workerIds: [],
        apply: (draft) => draft.audit(action, outcome, undefined, detail)
      }),
    raiseForgotten,
    forgottenGeneration: Effect.map(store.overview, ({ forgottenGeneration }) => forgottenGeneration),
    get,
    timeline,
    list: (filter, limit, after) =>
      Effect.map(store.list(filter, limit, after), ({ next, records, total }) => ({
        items: records.map(asItIsNow),
        next,
        total
      })),
    browse: (filter, window) =>
      Effect.map(store.browse(filter, window), ({ records, total }) => ({
        items: records.map(asItIsNow),
        total
      })),
    settled,
    room: room.await,
    load: Effect.sync(() => ({
      unfinished: counts.unfinished,
      inFlight: reconciler.calls,
      known: counts.known
    })),
    events: (after) => events.after(after),
    latestEvent: Effect.map(store.overview, ({ sequence }) => ({ sequence, index: Infinity })),
    kinds: store.kinds,
    oldestUnfinished: store.oldestUnfinished,
    drift: Effect.map(drift.latest, Option.fromUndefinedOr),
    storeTrouble: Effect.sync(() => trouble.current),
    drained: reconciler.drained,
    quiesced: reconciler.quiesced
  })
})

type DecideDeadLetter = (draft: Draft, known: WorkerRecord) => Changes.Change

/** One change of one worker, as it was asked for. */
interface Asked {
  readonly action: WorkerAction
  readonly workerId: WorkerId
  readonly once?: Once | undefined
  /** Where one is provisioned. */
  readonly wanted?: Worker | undefined
}

const wantedWorker = (
  workerId: WorkerId,
  known: WorkerRecord | undefined
): Result.Result<WorkerRecord, UnknownWorker | WorkerGone> => {
  if (known === undefined) return Result.fail(new UnknownWorker({ workerId }))
  return known.desired === "unregistered" ? Result.fail(new WorkerGone({ workerId })) : Result.succeed(known)
}

/** The same again is no deed: what is wanted has a new generation when it is another. */
const hasChanged = (
  action: WorkerAction,
  known: WorkerRecord | undefined,
  change: Exclude<Changes.Change, { readonly _tag: "Full" }>
): boolean => {
  if (change._tag === "Outdated" || change.record === known) return false
  const isOfWhatIsWanted = action === "worker.register" || action === "worker.unregister"
  return !isOfWhatIsWanted || change.record.generation !== known?.generation
}

const isSettled = (record: WorkerRecord, generation: number): boolean =>
  record.generation >= generation && (!isUnfinished(record) || record.desired === "unregistered")
