/**
 * The fleet: the state that is wanted of every worker, and what has become of it. Changes are accepted at once and
 * carried to the scheduler behind the caller's back; whoever wants to know how one ended waits for it.
 *
 * In this version the fleet lives in memory.
 */
import type { SchedulerPort, Worker, WorkerId } from "@muster/core"
import { Clock, Context, Effect, Layer, Option, Schema } from "effect"
import type { Entry, EventPlace, WorkerStatus } from "./FleetEntry.ts"
import type { ListFilter } from "./FleetIndex.ts"
import { fleetDefaults } from "./FleetDefaults.ts"
import { makeReconciler, type ReconcilerOptions } from "./FleetReconciler.ts"
import type { Change } from "./FleetState.ts"
import type { TimelineItem } from "./Timeline.ts"

/** As many changes are unfinished as the fleet takes; some will be done soon. */
export class FleetFull extends Schema.TaggedError<FleetFull>("@muster/server/FleetFull")("FleetFull", {
  unfinished: Schema.Int
}) {}

/** No worker of this id is known. */
export class UnknownWorker extends Schema.TaggedError<UnknownWorker>("@muster/server/UnknownWorker")(
  "UnknownWorker",
  { workerId: Schema.String }
) {}

/** The worker is on its way out, or gone. */
export class WorkerGone extends Schema.TaggedError<WorkerGone>("@muster/server/WorkerGone")("WorkerGone", {
  workerId: Schema.String
}) {}

/** The worker of this id, if there is one, has not failed for good. */
export class NoDeadLetter extends Schema.TaggedError<NoDeadLetter>("@muster/server/NoDeadLetter")(
  "NoDeadLetter",
  { workerId: Schema.String }
) {}

/** How many dead letters were taken up again, and how many had to stay because the fleet was full. */
export interface Retried {
  readonly retried: number
  readonly left: number
}

/** An accepted change. `outdated`: a newer event of the same source came first, and this one changed nothing. */
export interface Accepted extends WorkerStatus {
  readonly outdated: boolean
}

export interface ChangeOptions {
  /** Where the change comes from an event that says when it happened. */
  readonly place?: EventPlace | undefined
}

export interface WantOptions extends ChangeOptions {
  /** Whether the sender said when the worker was provisioned; otherwise that time is not part of its content. */
  readonly saidWhenProvisioned: boolean
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
export interface StatusPage {
  readonly items: ReadonlyArray<WorkerStatus>
  readonly next: number | undefined
  readonly total: number
}

export interface FleetOptions extends ReconcilerOptions {}

export class Fleet extends Context.Service<
  Fleet,
  {
    /** Wants a worker registered. The same content again changes nothing and keeps its generation. */
    readonly want: (worker: Worker, options: WantOptions) => Effect.Effect<Accepted, FleetFull>
    /** Wants a worker that is known unregistered. */
    readonly terminate: (workerId: WorkerId) => Effect.Effect<Accepted, FleetFull | UnknownWorker>
    /** Wants a worker unregistered, known or not: the scheduler may know what the fleet does not. */
    readonly drop: (workerId: WorkerId, options: DropOptions) => Effect.Effect<Accepted, FleetFull>
    /** A worker says that it is ready: verifies that the scheduler has it, and registers it again if not. */
    readonly ready: (
      workerId: WorkerId,
      options: ChangeOptions
    ) => Effect.Effect<Accepted, FleetFull | UnknownWorker | WorkerGone>
    /** Tries once more what has failed for good: a dead letter. Its generation stays. */
    readonly retry: (workerId: WorkerId) => Effect.Effect<Accepted, FleetFull | NoDeadLetter>
    /** The same for all dead letters that match, whatever phases the filter names, as far as there is room. */
    readonly retryAll: (filter: ListFilter) => Effect.Effect<Retried>
    /**
     * Gives a dead letter up: a worker that would not be registered is unregistered, since the scheduler may have an
     * earlier state of it; one that would not be unregistered counts as terminated.
     */
    readonly giveUp: (workerId: WorkerId) => Effect.Effect<Accepted, FleetFull | NoDeadLetter>
    readonly get: (workerId: WorkerId) => Effect.Effect<Option.Option<WorkerStatus>>
    readonly timeline: (workerId: WorkerId) => Effect.Effect<WorkerTimeline, UnknownWorker>
    /** The workers after `after` (0: from the beginning) in the order in which they became known. */
    readonly list: (filter: ListFilter, limit: number, after: number) => Effect.Effect<StatusPage>
    /**
     * Waits until a change is done: until the worker is registered, with this or a newer state, or failed, or is
     * not wanted any more. Never fails; a worker that was forgotten meanwhile shows its last state.
     */
    readonly settled: (workerId: WorkerId, generation: number) => Effect.Effect<WorkerStatus>
    /** Waits until the fleet takes one more unfinished change. */
    readonly room: Effect.Effect<void>
    /** How many changes are unfinished, and how many calls are under way. */
    readonly load: Effect.Effect<{
      readonly unfinished: number
      readonly inFlight: number
      readonly known: number
    }>
    /** Waits until everything that can be tried now has been tried. */
    readonly drained: Effect.Effect<void>
    readonly options: FleetOptions
  }
>()("@muster/server/Fleet") {
  static readonly layerWith = (options: Partial<FleetOptions>): Layer.Layer<Fleet, never, SchedulerPort> =>
    Layer.effect(
      Fleet,
      Effect.suspend(() => make({ ...fleetDefaults, ...options }))
    )

  static readonly layer = Fleet.layerWith({})
}

const make = Effect.fnUntraced(function* (options: FleetOptions) {
  const { drained, inFlight, state } = yield* makeReconciler(options)

  const accept = (change: (now: number) => Change): Effect.Effect<Accepted, FleetFull> =>
    Clock.clockWith((clock) => {
      const result = change(clock.currentTimeMillisUnsafe())
      return result._tag === "Full"
        ? Effect.fail(new FleetFull({ unfinished: state.unfinished }))
        : Effect.succeed({ ...result.entry.status, outdated: result._tag === "Outdated" })
    })

  const known = (workerId: WorkerId): Effect.Effect<Entry, UnknownWorker> =>
    Effect.suspend(() => {
      const entry = state.index.get(workerId)
      return entry === undefined ? Effect.fail(new UnknownWorker({ workerId })) : Effect.succeed(entry)
    })

  const deadLetter = (workerId: WorkerId): Effect.Effect<Entry, NoDeadLetter> =>
    Effect.suspend(() => {
      const entry = state.index.get(workerId)
      return entry?.phase === "failed" ? Effect.succeed(entry) : Effect.fail(new NoDeadLetter({ workerId }))
    })

  return Fleet.of({
    options,
    want: (worker, { place, saidWhenProvisioned }) =>
      accept((now) => state.want(worker, saidWhenProvisioned, now, place)),
    terminate: (workerId) =>
      Effect.andThen(
        known(workerId),
        accept((now) => state.drop(workerId, now))
      ),
    drop: (workerId, { place, reason }) =>
      accept((now) => state.drop(workerId, now, { name: "terminated", place, reason })),
    ready: Effect.fnUntraced(function* (workerId, { place }) {
      const entry = yield* known(workerId)
      if (entry.desired === "unregistered") return yield* new WorkerGone({ workerId })
      return yield* accept((now) => state.ready(entry, now, place))
    }),
    retry: Effect.fnUntraced(function* (workerId) {
      const entry = yield* deadLetter(workerId)
      return yield* accept((now) => state.retry(entry, now))
    }),
    retryAll: (filter) =>
      Clock.clockWith((clock) => {
        const now = clock.currentTimeMillisUnsafe()
        const entries = state.index.select({ ...filter, phases: ["failed"] })
        const retried = entries.filter((entry) => state.retry(entry, now)._tag === "Applied").length
        return Effect.succeed({ retried, left: entries.length - retried })
      }),
    giveUp: Effect.fnUntraced(function* (workerId) {
      const entry = yield* deadLetter(workerId)
      return yield* accept((now) => state.giveUp(entry, now))
    }),
    get: (workerId) => Effect.sync(() => Option.fromUndefinedOr(state.index.get(workerId)?.status)),
    timeline: (workerId) =>
      Effect.map(known(workerId), ({ timeline: { forgotten, items } }) => ({ forgotten, items })),
    list: (filter, limit, after) =>
      Effect.sync(() => {
        const { entries, next, total } = state.index.list(filter, limit, after)
        return { items: entries.map(({ status }) => status), next, total }
      }),
    settled: (workerId, generation) =>
      Effect.flatMap(Effect.orDie(known(workerId)), (entry) => settled(entry, generation)),
    room: state.room.await,
    load: Effect.sync(() => ({
      unfinished: state.unfinished,
      inFlight: inFlight(),
      known: state.index.size
    })),
    drained
  })
})

const isSettled = (entry: Entry, generation: number): boolean =>
  entry.generation >= generation && (!entry.unfinished || entry.desired === "unregistered")

const settled = (entry: Entry, generation: number): Effect.Effect<WorkerStatus> =>
  Effect.callback<WorkerStatus>((resume) => {
    if (isSettled(entry, generation)) return resume(Effect.succeed(entry.status))
    const observer = () => {
      if (!isSettled(entry, generation)) return
      entry.observers?.delete(observer)
      resume(Effect.succeed(entry.status))
    }
    entry.observers ??= new Set()
    entry.observers.add(observer)
    return Effect.sync(() => entry.observers?.delete(observer))
  })
