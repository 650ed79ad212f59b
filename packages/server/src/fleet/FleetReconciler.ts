/**
 * The loop that makes the scheduler's state equal the wanted one. It is level-triggered: a call carries what is
 * wanted at the moment it is sent, however many changes led there. Each call with its quick retries is
 * `WorkerRegistration`'s; what is added here is the long wait between two of them, for as long as the worker is
 * wanted.
 */
import {
  errorType,
  type HeldWorker,
  isRetryable,
  type RegistrationError,
  SchedulerPort,
  SchedulerRejected,
  WorkerLookup,
  WorkerReady,
  WorkerRegistration,
  type SchedulerError,
  type WorkerId
} from "@muster/core"
import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Latch,
  Layer,
  Option,
  Queue,
  Random,
  type Scope
} from "effect"
import type { Failure, FailureType } from "./Failure.ts"
import type { Entry } from "./FleetEntry.ts"
import { makePhaseCounter } from "./FleetMetrics.ts"
import { type FleetLimits, FleetState } from "./FleetState.ts"

export interface ReconcilerOptions extends FleetLimits {
  /** Most calls to the scheduler at the same time, retries included; an integer ≥ 1. */
  readonly concurrency: number
  /** The wait after the first call that failed and can be repeated; it doubles with each further one. */
  readonly retryDelay: Duration.Duration
  readonly maxRetryDelay: Duration.Duration
}

export interface Reconciler {
  readonly state: FleetState
  /** Calls under way. */
  readonly inFlight: () => number
  /** Waits until every change that is not waiting for a later retry has been tried. */
  readonly drained: Effect.Effect<void>
}

/** Starts the loop over the scheduler of the context; it ends with the scope. */
export const makeReconciler = Effect.fnUntraced(function* (
  options: ReconcilerOptions
): Effect.fn.Return<Reconciler, never, SchedulerPort | Scope.Scope> {
  const scope = yield* Effect.scope
  const context = yield* Effect.context()
  const fork = Effect.runForkWith(context)
  const queue = yield* Queue.unbounded<Entry>()
  const idle = Latch.makeUnsafe(true)
  let busy = 0
  let inFlight = 0

  const enqueue = (entry: Entry) => {
    busy++
    idle.closeUnsafe()
    Queue.offerUnsafe(queue, entry)
  }
  const state = new FleetState(options, enqueue, makePhaseCounter(context))
  const registration = yield* registrationOf(state)

  const call = (entry: Entry): Effect.Effect<unknown, RegistrationError> => {
    if (entry.desired === "unregistered" || entry.worker === undefined)
      return registration.unregister(entry.id)
    return entry.verify
      ? registration.notify(new WorkerReady({ workerId: entry.id }))
      : registration.register(entry.worker)
  }

  /** The next call, after a wait. Where what is wanted turns round meanwhile, no more than a first wait is left. */
  const postpone = (entry: Entry, until: number, notBefore: number, now: number) => {
    entry.nextAttemptAt = until
    const again = Effect.sync(() => {
      entry.hurry = undefined
      entry.nextAttemptAt = undefined
      enqueue(entry)
    })
    const waiting = fork(Effect.andThen(Effect.sleep(Duration.millis(until - now)), again))
    Fiber.runIn(waiting, scope)
    entry.hurry = (now) => {
      const sooner = Math.max(now + Duration.toMillis(options.retryDelay), notBefore)
      if (sooner >= until) return
      waiting.interruptUnsafe()
      postpone(entry, sooner, notBefore, now)
    }
  }

  const retryLater = Effect.fnUntraced(function* (entry: Entry, now: number, atLeast: Duration.Duration) {
    const doubled = Duration.times(options.retryDelay, 2 ** Math.min(entry.failures++, 30))
    const longest = Duration.toMillis(Duration.min(doubled, options.maxRetryDelay))
    const notBefore = now + Duration.toMillis(atLeast)
    postpone(entry, Math.max(now + longest * (0.5 + (yield* Random.next) / 2), notBefore), notBefore, now)
    if (entry.desired === "registered" && !entry.verify) state.setPhase(entry, "pending", now)
  })

  const settle = Effect.fnUntraced(function* (
    entry: Entry,
    desired: Entry["desired"],
    exit: Exit.Exit<unknown, RegistrationError>
  ) {
    const now = yield* Clock.currentTimeMillis
    const isCurrent = entry.desired === desired && entry.sent === entry.generation
    if (Exit.isSuccess(exit)) return isCurrent ? state.converged(entry, now) : enqueue(entry)
    const error = exit.cause.reasons.find(Cause.isFailReason)?.error
    const failure = error === undefined ? unexpected(now) : toFailure(error, now)
    if (isCurrent) entry.lastError = failure
    if (failure.retryable) return yield* retryLater(entry, now, retryAfter(error))
    if (!isCurrent) return enqueue(entry)
    state.failed(entry, failure)
  })

  const converge = Effect.fnUntraced(function* (entry: Entry) {
    const { desired } = entry
    entry.sent = entry.generation
    if (desired === "registered" && !entry.verify) {
      state.setPhase(entry, "registering", yield* Clock.currentTimeMillis)
    }
    inFlight++
    const exit = yield* Effect.exit(call(entry))
    inFlight--
    yield* settle(entry, desired, exit)
  })

  const done = Effect.sync(() => {
    if (--busy === 0) idle.openUnsafe()
  })
  const work = Queue.take(queue).pipe(
    Effect.flatMap((entry) => Effect.ensuring(converge(entry), done)),
    // A mistake about one worker must not end the work for the others.
    Effect.catchDefect((defect) => Effect.logError("A change could not be carried out", defect)),
    Effect.forever
  )
  for (let i = 0; i < options.concurrency; i++) yield* Effect.forkIn(work, scope)

  return { state, inFlight: () => inFlight, drained: idle.await }
})

/**
 * `WorkerRegistration` over a port that stands between it and the scheduler: it sends the state and generation that
 * are wanted now instead of those that the call began with, and keeps count.
 */
const registrationOf = Effect.fnUntraced(function* (state: FleetState) {
  const scheduler = yield* SchedulerPort
  const { get } = scheduler
  const port = SchedulerPort.make({
    ...scheduler,
    ...(get === undefined ? undefined : { get: (workerId) => verification(state, workerId, get(workerId)) }),
    register: (worker) =>
      attempt(state, worker.id, "register", (entry) =>
        scheduler.register(entry.worker ?? worker, { generation: entry.generation })
      ),
    unregister: (workerId) =>
      attempt(state, workerId, "unregister", (entry) =>
        scheduler.unregister(workerId, { generation: entry.generation })
      )
  })
  const lookup = (workerId: WorkerId) =>
    Effect.sync(() => Option.fromUndefinedOr(state.index.get(workerId)?.worker))
  const layer = WorkerRegistration.layer.pipe(
    Layer.provide(Layer.succeed(SchedulerPort, port)),
    Layer.provide(Layer.succeed(WorkerLookup, lookup))
  )
  return Context.get(yield* Layer.build(layer), WorkerRegistration)
})

const desiredBy = { register: "registered", unregister: "unregistered" } as const

const attempt = (
  state: FleetState,
  workerId: WorkerId,
  call: "register" | "unregister",
  send: (entry: Entry) => Effect.Effect<void, SchedulerError>
): Effect.Effect<void, SchedulerError> =>
  Effect.clockWith((clock) => {
    const entry = state.index.get(workerId)
    if (entry === undefined || entry.desired !== desiredBy[call]) {
      return Effect.fail(SchedulerRejected.olderGeneration({ given: 0, held: entry?.generation ?? 0 }))
    }
    const { generation } = entry
    const attempt = ++entry.attempts
    entry.sent = generation
    const tell = (exit: Exit.Exit<void, SchedulerError>) => {
      const error = Exit.isSuccess(exit) ? undefined : attemptFailure(exit.cause)
      const at = clock.currentTimeMillisUnsafe()
      entry.timeline.add({ type: "call", at, generation, call, attempt, error })
      // An attempt that was given up may end when all is done, or when something else is wanted.
      if (error === undefined || !entry.unfinished || entry.generation !== generation) return
      entry.lastError = { ...error, at }
    }
    return Effect.onExit(
      Effect.suspend(() => send(entry)),
      (exit) => Effect.sync(() => tell(exit))
    )
  })

const verification = (
  state: FleetState,
  workerId: WorkerId,
  get: Effect.Effect<Option.Option<HeldWorker>, SchedulerError>
): Effect.Effect<Option.Option<HeldWorker>, SchedulerError> =>
  Effect.clockWith((clock) => {
    const tell = (exit: Exit.Exit<Option.Option<HeldWorker>, SchedulerError>) => {
      const entry = state.index.get(workerId)
      if (entry === undefined) return
      const outcome = Exit.isSuccess(exit)
        ? { held: Option.isSome(exit.value) }
        : { error: attemptFailure(exit.cause) }
      const at = clock.currentTimeMillisUnsafe()
      entry.timeline.add({ type: "call", at, generation: entry.generation, call: "verify", ...outcome })
    }
    return Effect.onExit(get, (exit) => Effect.sync(() => tell(exit)))
  })

/** How a call failed. One that was interrupted was given up for want of an answer. */
const attemptFailure = (cause: Cause.Cause<SchedulerError>): Omit<Failure, "at"> => {
  const error = cause.reasons.find(Cause.isFailReason)?.error
  if (error !== undefined) {
    return { type: attemptFailureType(error), message: error.message, retryable: isRetryable(error) }
  }
  return cause.reasons.some(Cause.isDieReason)
    ? { type: "unexpected", message: "the scheduler's adapter died", retryable: false }
    : { type: "timeout", message: "no answer in time", retryable: true }
}

const attemptFailureType = (error: SchedulerError): FailureType => {
  switch (error._tag) {
    case "SchedulerUnavailable":
      return "scheduler_unavailable"
    case "SchedulerRejected":
      return error.isOlderGeneration ? "superseded" : "invalid_worker"
    case "SchedulerFault":
      return "unexpected"
  }
}

const toFailure = (error: RegistrationError, at: number): Failure => ({
  type: error._tag === "Unexpected" && error.superseded ? "superseded" : errorType(error),
  message: error.message,
  retryable: error.retryable,
  at
})

const unexpected = (at: number): Failure => ({
  type: "unexpected",
  message: "The call ended without an answer.",
  retryable: false,
  at
})

const longestRetryAfter = Duration.days(1)

/** The scheduler's own word on when to ask again; at most a day, since it may also say never. */
const retryAfter = (error: RegistrationError | undefined): Duration.Duration => {
  const last =
    error?._tag === "MaxRetriesExceeded" || error?._tag === "RegistrationTimeout" ? error.lastError : error
  const asked = last?._tag === "SchedulerUnavailable" ? last.retryAfter : undefined
  return Duration.min(asked ?? Duration.zero, longestRetryAfter)
}
