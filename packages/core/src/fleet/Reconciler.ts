/**
 * The loop that makes the scheduler's state equal the wanted one. It is level-triggered: a call carries what is
 * wanted at the moment it is sent, however many changes led there. Each call with its quick retries is
 * `WorkerRegistration`'s; what is added here is the long wait between two of them, for as long as the worker is
 * wanted.
 *
 * What is to be done lies in the store. Memory holds the calls under way and a bounded queue of those that come next,
 * so a restart finds everything again and a fleet of any size costs the same.
 */
import { Cause, Clock, Duration, Effect, Exit, Fiber, Latch, Random, Schedule, type Scope } from "effect"
import type { RegistrationError } from "../RegistrationError.ts"
import { retryLazily } from "../RetryLazily.ts"
import type { SchedulerPort } from "../SchedulerPort.ts"
import { WorkerReady } from "../WorkerEvent.ts"
import type { WorkerId } from "../WorkerId.ts"
import type { EventReceipt } from "../WorkerRegistration.ts"
import { registrationFailure, wasNotSent } from "./CallFailure.ts"
import type { ChangedRecord, Draft } from "./Draft.ts"
import { type CallReport, converged, failed, outrun, postponed, unchecked, underWay } from "./FleetChanges.ts"
import { makeFleetRegistration } from "./FleetRegistration.ts"
import { FleetStore, type StoreUnavailable } from "./FleetStore.ts"
import { Flight } from "./Flight.ts"
import type { GroupCommit } from "./GroupCommit.ts"
import type { OutageWatch } from "./OutageWatch.ts"
import { partitionOf } from "./Partition.ts"
import { laneCapacity, ReadyQueue } from "./ReadyQueue.ts"
import type { Share } from "./Sharing.ts"
import type { TimelineItem } from "./Timeline.ts"
import { isTraced, spanOf, type TraceOrigin } from "../TraceOrigin.ts"
import { untiring } from "./Untiring.ts"
import type { WorkerRecord } from "./WorkerRecord.ts"

export interface ReconcilerOptions {
  /** Most calls to the scheduler at the same time, retries included; an integer ≥ 1. */
  readonly concurrency: number
  /** The wait after the first call that failed and can be repeated; it doubles with each further one. */
  readonly retryDelay: Duration.Duration
  readonly maxRetryDelay: Duration.Duration
}

export interface Reconciler {
  /** The calls under way and those that have ended and wait for the store, by worker. */
  readonly flights: ReadonlyMap<WorkerId, Flight>
  /** How many calls are under way. */
  readonly calls: number
  /** Told of everything that was committed. */
  readonly onCommit: (changed: ReadonlyArray<ChangedRecord>) => void
  /** Begins the calls for what has become due. */
  readonly dispatch: () => void
  /** There may be more in the store than was told. */
  readonly expectMore: () => void
  /** These partitions were lost, or gained, or lost and gained again. */
  readonly onHeld: (partitions: ReadonlySet<number>) => void
  /** Waits until the calls under way for the workers of a partition have ended and the store knows it. */
  readonly left: (partition: number) => Effect.Effect<void>
  /** Waits until every change that is not waiting for a later retry has been tried. */
  readonly drained: Effect.Effect<void>
  /** Begins no further calls, and waits until those under way have ended and the store knows it. */
  readonly quiesced: Effect.Effect<void>
}

/** Calls that take longer than this are shown in the store as under way; quicker ones are written once, at their end. */
const showAfter = Duration.millis(100)

/** The least distance between two looks for what has become due, in milliseconds. */
const lookDistance = 10

/**
 * Calls that have ended wait for the store together. They take no call's place, but for each place there is a bound on
 * them: a store that fails must not let them pile up.
 */
const flightsPerCall = 4

/** How long a worker is left alone about which something impossible has happened. */
const mistakePause = Duration.seconds(1)

/** The most records that are read in one query. */
const readAtOnce = 256

/** How long a failing store is left alone; what ended meanwhile is not forgotten. */
const storeRetries = Schedule.exponential("100 millis").pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.seconds(2)))),
  Schedule.jittered
)

/** Starts the loop over the scheduler and the store of the context; it ends with the scope. */
export const makeReconciler = Effect.fnUntraced(function* (
  options: ReconcilerOptions,
  groupCommit: Pick<GroupCommit, "commit">,
  outages: OutageWatch,
  share: Share
): Effect.fn.Return<Reconciler, never, FleetStore | SchedulerPort | Scope.Scope> {
  const store = yield* FleetStore
  const clock = yield* Clock.Clock
  const scope = yield* Effect.scope
  const fork = Effect.runForkWith(yield* Effect.context())
  const queue = new ReadyQueue()
  const flights = new Map<WorkerId, Flight>()
  const registration = yield* makeFleetRegistration(flights, share)
  const dueTimes = new DueTimes()
  const wake = Latch.makeUnsafe(true)
  const untold = Latch.makeUnsafe(false)
  const shown = Latch.makeUnsafe(true)
  const idle = Latch.makeUnsafe(false)
  const landed = Latch.makeUnsafe(true)
  /** Those who wait for the calls of a partition to end. */
  const leavings = new Set<{ readonly partition: number; readonly done: Latch.Latch }>()
  /** When the store was last asked for what is due. */
  let lookedAt = 0
  /** Records that were committed while the store is read for what is due. */
  let meanwhile: Map<WorkerId, WorkerRecord> | undefined
  let isStopping = false
  /** How many flights have ended their calls and wait for the store. */
  let settling = 0
  let isDispatchPending = false
  /** Calls were not sent; whether they are by now is not known. */
  let isStandingBy = false
  let standingByUntil = 0

  const call = (record: WorkerRecord): Effect.Effect<boolean, RegistrationError> => {
    if (record.desired === "unregistered" || record.stored === undefined) {
      return Effect.as(registration.unregister(record.id), false)
    }
    return record.task === "call"
      ? Effect.as(registration.register(record.stored.worker), false)
      : Effect.map(registration.notify(new WorkerReady({ workerId: record.id })), wasLost)
  }

  const settle = (flight: Flight, exit: Exit.Exit<boolean, RegistrationError>): Effect.Effect<void> =>
    Effect.suspend(() => {
      // First, so that nothing more of it is shown after what is awaited here.
      flight.isSettling = true
      settling++
      dispatchSoon()
      const told = Effect.suspend(() => tell(flight, exit))
      return flight.isShowing ? Effect.andThen(shown.await, told) : told
    })

  /** Tells the store how the calls have ended. */
  const tell = (flight: Flight, exit: Exit.Exit<boolean, RegistrationError>): Effect.Effect<void> =>
    Effect.flatMap(Random.next, (spread) => {
      const { report } = flight
      const outcome = Exit.isSuccess(exit)
        ? ({ wasLost: exit.value } as const)
        : registrationFailure(exit, clock.currentTimeMillisUnsafe())
      outages.note("failure" in outcome ? outcome.failure : undefined)
      const { epoch, record } = flight
      const command = {
        workerIds: [record.id],
        readsEpochs: share.isShared,
        apply: (draft: Draft) => {
          if (draft.isInEpoch(record.id, epoch)) conclude(draft, flight, report, outcome, spread, options)
        },
        onCommitted: () => {
          flight.isOver = true
        }
      }
      return persistently(groupCommit.commit(command))
    })

  const land = (flight: Flight) => {
    const { id } = flight.record
    if (flights.get(id) !== flight) return
    flights.delete(id)
    if (flight.isSettling) settling--
    if (flights.size === 0) landed.openUnsafe()
    for (const leaving of leavings) if (!hasFlights(leaving.partition)) leaving.done.openUnsafe()
    if (share.epochOf(id) === flight.epoch) return offer(flight.record)
    // What became of it in other hands, the store knows.
    queue.expectMore()
    wake.openUnsafe()
  }

  /**
   * Nothing is sent at present, so nothing is begun until it may be sent again, and then a single call at first: however
   * many workers wait, none of them is tried in vain and written to the store for it.
   */
  const standBy = (millis: number) => {
    isStandingBy = true
    const wait = Math.max(Math.ceil(millis), 1)
    const until = clock.currentTimeMillisUnsafe() + wait
    if (until <= standingByUntil) return
    standingByUntil = until
    // A timer can go off a moment early. Nobody else may come to begin what would be put off then.
    const goOn = Effect.sync(() => {
      if (standingByUntil === until) standingByUntil = 0
      dispatch()
    })
    Fiber.runIn(fork(Effect.andThen(Effect.sleep(Duration.millis(wait)), goOn)), scope)
  }

  const fly = (flight: Flight) =>
    Effect.exit(Effect.suspend(() => linked(flight.trace, call(flight.record)))).pipe(
      Effect.flatMap((exit) => {
        const failed = Exit.isFailure(exit)
          ? registrationFailure(exit, clock.currentTimeMillisUnsafe())
          : undefined
        // The scheduler has answered, be it with a refusal.
        if (failed === undefined || !failed.failure.retryable) isStandingBy = false
        if (Exit.isSuccess(exit) || failed === undefined || !wasNotSent(exit.cause))
          return settle(flight, exit)
        if (share.mayCall(flight.record.id, flight.epoch)) standBy(failed.retryAfter)
        return flight.hasCalled ? settle(flight, exit) : Effect.void
      }),
      // A mistake about one worker must not end the work for the others, nor keep them from it.
      Effect.catchDefect((defect) =>
        Effect.andThen(
          Effect.logError("A change could not be carried out", Cause.die(defect)),
          Effect.sleep(mistakePause)
        )
      ),
      // Most have landed with the commit; those of whom the store knows nothing have not.
      Effect.andThen(
        Effect.sync(() => {
          land(flight)
          dispatch()
        })
      )
    )

  const hasFlights = (partition: number) => {
    for (const id of flights.keys()) if (partitionOf(id) === partition) return true
    return false
  }

  const left = (partition: number) =>
    Effect.suspend(() => {
      if (!hasFlights(partition)) return Effect.void
      const leaving = { partition, done: Latch.makeUnsafe(false) }
      leavings.add(leaving)
      return Effect.ensuring(
        leaving.done.await,
        Effect.sync(() => leavings.delete(leaving))
      )
    })

  const mayBegin = () => {
    const calls = flights.size - settling
    if (isStopping || !share.isCertain || clock.currentTimeMillisUnsafe() < standingByUntil) return false
    return (
      calls < (isStandingBy || share.isHeldBack ? 1 : options.concurrency) &&
      flights.size < options.concurrency * flightsPerCall
    )
  }

  /** Begins as many calls as may be under way. */
  const dispatch = () => {
    while (mayBegin()) {
      const record = queue.take()
      if (record === undefined) break
      const epoch = share.epochOf(record.id)
      if (epoch === undefined || !share.mayCall(record.id, epoch)) continue
      const flight = new Flight(record, epoch, clock.currentTimeMillisUnsafe())
      flights.set(record.id, flight)
      landed.closeUnsafe()
      untold.openUnsafe()
      Fiber.runIn(fork(fly(flight)), scope)
    }
    if (queue.isHungry) wake.openUnsafe()
    const isIdle = flights.size === 0 && queue.size === 0 && !queue.hasMore && meanwhile === undefined
    if (isIdle) idle.openUnsafe()
    else idle.closeUnsafe()
  }

  /** Once for all that end at the same moment. */
  const dispatchSoon = () => {
    if (isDispatchPending) return
    isDispatchPending = true
    const now = Effect.sync(() => {
      isDispatchPending = false
      dispatch()
    })
    Fiber.runIn(fork(Effect.andThen(Effect.yieldNow, now)), scope)
  }

  const offer = (record: WorkerRecord) => {
    const { dueAt } = record
    if (dueAt === undefined || share.epochOf(record.id) === undefined) return queue.remove(record.id)
    if (dueAt > clock.currentTimeMillisUnsafe()) {
      queue.remove(record.id)
      if (dueTimes.expect(dueAt)) wake.openUnsafe()
    } else if (queue.has(record.id)) queue.update(record)
    else queue.offer(record)
  }

  const onCommit = (changed: ReadonlyArray<ChangedRecord>) => {
    for (const { after } of changed) {
      const flight = flights.get(after.id)
      meanwhile?.set(after.id, after)
      if (flight === undefined) offer(after)
      else {
        flight.record = after
        if (flight.isOver) land(flight)
      }
    }
  }

  /** Takes in from the store what is due and not yet known here. */
  const refill = Effect.gen(function* () {
    const changed = new Map<WorkerId, WorkerRecord>()
    meanwhile = changed
    queue.beginRefill()
    const limit = laneCapacity + options.concurrency * flightsPerCall
    lookedAt = clock.currentTimeMillisUnsafe()
    const due = yield* store.due(lookedAt, limit, share.partitions)
    const isUnknown = (id: WorkerId) => !queue.has(id) && !flights.has(id)
    const found = new Map<WorkerId, WorkerRecord>()
    for (const ids of chunksOf(due.map(({ id }) => id).filter(isUnknown), readAtOnce)) {
      for (const record of yield* store.get(ids)) found.set(record.id, record)
    }
    const records = due
      .filter(({ id }) => isUnknown(id) && !changed.has(id))
      .flatMap(({ id }) => found.get(id) ?? [])
    meanwhile = undefined
    queue.endRefill(due, records, limit)
  })

  const feed = Effect.gen(function* () {
    wake.closeUnsafe()
    const { isHungry } = queue
    if (isHungry) {
      yield* persistently(refill)
      dispatch()
    }
    const now = clock.currentTimeMillisUnsafe()
    // What becomes due while the store answers is due after the look.
    const next = yield* persistently(dueTimes.next(isHungry ? lookedAt : now, store, share.partitions))
    if (next <= now) {
      dueTimes.passed()
      queue.expectMore()
      dispatch()
    } else if (next === Infinity) yield* wake.await
    else yield* Effect.timeoutOption(wake.await, Duration.millis(Math.max(next - now, lookDistance)))
  })

  /** Writes down what there is to tell of calls that take their time. */
  const show = Effect.gen(function* () {
    yield* untold.await
    yield* Effect.sleep(showAfter)
    untold.closeUnsafe()
    const begunBefore = clock.currentTimeMillisUnsafe() - Duration.toMillis(showAfter)
    if (flights.size > 0) untold.openUnsafe()
    const slow = Array.from(flights.values()).filter(
      ({ begunAt, hasUntold, isSettling }) => hasUntold && !isSettling && begunAt <= begunBefore
    )
    if (slow.length === 0) return
    const reports = slow.map((flight) => ({ flight, report: flight.report }))
    shown.closeUnsafe()
    for (const flight of slow) flight.isShowing = true
    yield* Effect.exit(
      groupCommit.commit({
        workerIds: slow.map(({ record }) => record.id),
        readsEpochs: share.isShared,
        apply: (draft) => {
          for (const { flight, report } of reports) {
            const record = draft.record(flight.record.id)
            if (record !== undefined && draft.isInEpoch(record.id, flight.epoch))
              underWay(draft, record, report, flight.isRegistering)
          }
        },
        onCommitted: () => {
          for (const { flight, report } of reports) flight.told(report.items.length)
        }
      })
    )
    for (const flight of slow) flight.isShowing = false
    shown.openUnsafe()
  })

  yield* Effect.forkScoped(untiring("looking for what is due", feed))
  yield* Effect.forkScoped(untiring("showing calls under way", show))

  return {
    flights,
    get calls() {
      return flights.size - settling
    },
    onCommit,
    dispatch,
    expectMore: () => {
      dueTimes.passed()
      queue.expectMore()
      wake.openUnsafe()
    },
    onHeld: (partitions) => {
      // What is known of their workers may be out of date.
      queue.removeAll((id) => partitions.has(partitionOf(id)))
      dueTimes.passed()
      queue.expectMore()
      wake.openUnsafe()
      dispatch()
    },
    left,
    drained: idle.await,
    quiesced: Effect.suspend(() => {
      isStopping = true
      return landed.await
    })
  }
})

/** When the next worker in the store becomes due, as far as it is known. */
class DueTimes {
  private known: number | undefined
  /** The earliest time that was heard of since the store was asked last. */
  private heard = Infinity

  /** A worker becomes due at a time that lies ahead. `true`: that is sooner than all that was known. */
  expect(dueAt: number): boolean {
    if (dueAt >= Math.min(this.known ?? Infinity, this.heard)) return false
    this.heard = dueAt
    return true
  }

  next(
    now: number,
    store: FleetStore["Service"],
    partitions: ReadonlyArray<number> | undefined
  ): Effect.Effect<number, StoreUnavailable> {
    return Effect.suspend(() => {
      if (this.known !== undefined) return Effect.succeed(Math.min(this.known, this.heard))
      this.heard = Infinity
      return Effect.map(store.nextDueAt(now, partitions), (at) => {
        this.known = at ?? Infinity
        return Math.min(this.known, this.heard)
      })
    })
  }

  /** The time that was known has come. */
  passed(): void {
    this.known = undefined
  }
}

type Outcome = { readonly wasLost: boolean } | ReturnType<typeof registrationFailure>

/** What the calls of a flight came to. */
const conclude = (
  draft: Draft,
  flight: Flight,
  report: CallReport,
  outcome: Outcome,
  spread: number,
  options: ReconcilerOptions
): void => {
  const record = draft.record(flight.record.id)
  if (record === undefined) return
  const isSame = record.desired === flight.desired && record.generation === report.generation
  const isToBeCalled = record.task === "call"
  // This was told before, by a transaction that was committed although it failed.
  if (isSame && flight.task === "call" && !isToBeCalled) return void draft.put(record)
  // That the scheduler had a worker says nothing once it was found to have lost it.
  const isOutrun = flight.task !== "call" && isToBeCalled && !("wasLost" in outcome && outcome.wasLost)
  const isCurrent = isSame && !isOutrun
  if ("wasLost" in outcome) {
    if (isCurrent) converged(draft, record, report, outcome.wasLost)
    else outrun(draft, record, report)
    return
  }
  const { failure, retryAfter } = outcome
  const { deadLetterAfter = Infinity } = draft.rules
  const isTooOld = draft.now - (record.failingSince ?? draft.now) >= deadLetterAfter
  if (failure.retryable && !(isCurrent && isTooOld)) {
    postponed(draft, record, report, failure, wait(record, retryAfter, spread, draft.now, options))
  } else if (!isCurrent) outrun(draft, record, report)
  else if (flight.task === "check" && !report.items.some(foundLost)) unchecked(draft, record, report)
  else failed(draft, record, report, failure)
}

/** The scheduler said that it does not have the worker. */
const foundLost = (item: TimelineItem): boolean => item.type === "call" && item.held === false

/** Growing, capped, and anywhere in the upper half, so that many do not come back at once. In whole milliseconds. */
const wait = (
  { failures }: WorkerRecord,
  retryAfter: number,
  spread: number,
  now: number,
  { maxRetryDelay, retryDelay }: ReconcilerOptions
) => {
  const doubled = Duration.toMillis(retryDelay) * 2 ** Math.min(failures, 30)
  const longest = Math.min(doubled, Duration.toMillis(maxRetryDelay))
  const notBefore = now + Math.ceil(retryAfter)
  return { until: Math.max(now + Math.ceil(longest * (0.5 + spread / 2)), notBefore), notBefore }
}

/** Until the store can be reached again: what has happened is not forgotten meanwhile. */
const persistently = <A>(effect: Effect.Effect<A, StoreUnavailable>): Effect.Effect<A> =>
  Effect.orDie(retryLazily(effect, storeRetries))

/** The spans of a call are linked to where the change was asked for: that was another trace, and may be long over. */
const linked = <A, E>(trace: TraceOrigin | undefined, effect: Effect.Effect<A, E>): Effect.Effect<A, E> => {
  const origin = spanOf(trace)
  if (origin === undefined) return effect
  return Effect.withFiber((fiber) => (isTraced(fiber) ? Effect.linkSpans(effect, origin) : effect))
}

/** Whether the scheduler had lost the worker, and was given it again. */
const wasLost = ({ action }: EventReceipt): boolean => action === "registered"

const chunksOf = <A>(all: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
