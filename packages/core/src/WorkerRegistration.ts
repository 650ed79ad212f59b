/**
 * Registration: gets workers to the scheduler and away from it again, with a time-out for each attempt, backoff
 * between attempts, one call at a time for each worker, and errors that say what to do.
 *
 * A call takes its turn among the calls for its worker, makes an attempt, is retried as the schedule says, and
 * ends as a receipt or as one of the five errors; this file tells it in that order.
 */
import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  type Fiber,
  Layer,
  Option,
  Random,
  Result,
  Schedule,
  Stream
} from "effect"
import { encodeCause } from "./CauseText.ts"
import { nextGeneration } from "./Generation.ts"
import { Call, type Receipt } from "./RegistrationCall.ts"
import {
  InvalidRegistrationConfig,
  RegistrationConfig,
  type RegistrationSettings
} from "./RegistrationConfig.ts"
import {
  InvalidWorker,
  MaxRetriesExceeded,
  type RegistrationError,
  RegistrationTimeout,
  RegistrationUnavailable,
  Unexpected
} from "./RegistrationError.ts"
import {
  isRetryable,
  type SchedulerError,
  SchedulerFault,
  SchedulerRejected,
  SchedulerUnavailable,
  wasNotSent
} from "./SchedulerError.ts"
import { SchedulerPort } from "./SchedulerPort.ts"
import { inMillis } from "./Text.ts"
import { Timeouts } from "./Timeouts.ts"
import { retryLazily } from "./RetryLazily.ts"
import type { Worker, WorkerId } from "./Worker.ts"
import type { WorkerEvent } from "./WorkerEvent.ts"
import { type Superseded, type TurnKind, WorkerTurns } from "./WorkerTurns.ts"

export type { Receipt }

/** What `notify` did. `unverified`: the scheduler cannot be asked, and the worker's data are not known here. */
export interface EventReceipt extends Receipt {
  readonly action: "registered" | "unregistered" | "verified" | "unverified"
}

/**
 * Where the data are found of a worker of which a call says only the id: to register it again when it says that it
 * is ready and the scheduler does not have it, and to tell its type when it is unregistered. By default nowhere:
 * registration keeps no state of workers. An application that keeps their desired state provides it.
 */
export class WorkerLookup extends Context.Reference<
  (workerId: WorkerId) => Effect.Effect<Option.Option<Worker>>
>("@muster/core/WorkerLookup", { defaultValue: () => () => Effect.succeedNone }) {}

/**
 * The registration of workers with the scheduler of {@link SchedulerPort}.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { EmbeddedScheduler, Worker, WorkerRegistration } from "@muster/core"
 *
 * const program = Effect.gen(function* () {
 *   const registration = yield* WorkerRegistration
 *   const worker = yield* Worker.decode({ id: "ci-7f3a", capabilities: { cpuCores: 8, memoryMb: 16384 } })
 *   const { attempts } = yield* registration.register(worker)
 *   return attempts
 * }).pipe(Effect.provide(WorkerRegistration.layer.pipe(Layer.provide(EmbeddedScheduler.layer))))
 * ```
 */
export class WorkerRegistration extends Context.Service<
  WorkerRegistration,
  {
    /**
     * Registers one worker: up to `maxRetries` + 1 attempts, each of at most `attemptTimeout`, all within
     * `deadline`. A later `unregister` of the same worker ends it with an `Unexpected` that is `superseded`, unless
     * the attempt under way succeeds. Interrupting it stops the attempt and the retries.
     */
    readonly register: (worker: Worker) => Effect.Effect<Receipt, RegistrationError>
    /**
     * Registers many, at most `batchConcurrency` at the same time. One result for each, by position; never fails.
     * A member's time runs from when it begins, not from when the batch was called.
     */
    readonly registerBatch: (
      workers: Iterable<Worker>
    ) => Effect.Effect<Array<Result.Result<Receipt, RegistrationError>>>
    /** The same for a stream, in order: pulls no more than `batchConcurrency` workers ahead of its consumer. */
    readonly registerStream: <E, R>(
      workers: Stream.Stream<Worker, E, R>
    ) => Stream.Stream<Result.Result<Receipt, RegistrationError>, E, R>
    /**
     * Unregisters a worker, with the same retries. A registration of it that waits for a retry ends at once; an
     * attempt under way is left to end first. After success no older registration can reach the scheduler.
     */
    readonly unregister: (workerId: WorkerId) => Effect.Effect<Receipt, RegistrationError>
    /**
     * Applies an event: provisioned registers, terminated unregisters, ready asks the scheduler whether it has the
     * worker and registers it again, from {@link WorkerLookup}, if not.
     */
    readonly notify: (event: WorkerEvent) => Effect.Effect<EventReceipt, RegistrationError>
  }
>()("@muster/core/WorkerRegistration") {
  /** Registration over whichever scheduler is provided. A configuration that makes no sense is a defect here. */
  static readonly layer: Layer.Layer<WorkerRegistration, never, SchedulerPort> = Layer.effect(
    WorkerRegistration,
    Effect.suspend(() => make)
  )
}

type AnyFiber = Fiber.Fiber<unknown, unknown>
type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
type Send = (generation: number) => Effect.Effect<void, SchedulerError>

/** Where a turn is taken: only what `restore` lets through can be interrupted, so a turn taken is a turn ended. */
const uninterruptibly = <A, E>(f: (fiber: AnyFiber, restore: Restore) => Effect.Effect<A, E>) =>
  Effect.uninterruptibleMask((restore) => Effect.withFiber((fiber) => f(fiber, restore)))

/**
 * `Effect.andThen`, but no step at all where nothing comes first, as for most turns and for log lines that are off: a
 * tenth of the whole registration.
 */
const after = <A, E, E2>(
  first: Effect.Effect<void, E>,
  then: Effect.Effect<A, E2>
): Effect.Effect<A, E | E2> => (first === Effect.void ? then : Effect.andThen(first, then))

const make = Effect.gen(function* () {
  const port = yield* SchedulerPort
  const config = yield* RegistrationConfig
  const lookup = yield* WorkerLookup
  const problems = RegistrationConfig.problems(config)
  if (problems.length > 0) return yield* Effect.die(new InvalidRegistrationConfig({ problems }))

  const turns = new WorkerTurns()
  const timeouts = new Timeouts()
  const schedule = retrySchedule(config, turns)

  const open = (fiber: AnyFiber, kind: TurnKind, workerId: WorkerId, worker?: Worker): Call =>
    new Call(
      turns.take(workerId, kind),
      nextGeneration(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()),
      worker
    )

  /** Whoever calls by the id alone may keep the worker's data all the same; logs, metrics and errors tell them. */
  const withKnownWorker = (call: Call, effect: Effect.Effect<void, Failure>): Effect.Effect<void, Failure> =>
    call.worker !== undefined
      ? effect
      : Effect.flatMap(lookup(call.workerId), (known) => {
          call.worker = Option.getOrUndefined(known)
          return effect
        })

  const run = (call: Call, send: Send, fiber: AnyFiber, restore: Restore) => {
    call.begin(fiber)
    const attempts = retryLazily(attempt(call, send, timeouts, config), schedule)
    const done = after(ownTurn(call, turns, config), withKnownWorker(call, attempts))
    return restore(done).pipe(
      Effect.matchCauseEffect({
        onSuccess: () => {
          turns.end(call.turn)
          return call.succeed()
        },
        onFailure: (cause) => {
          turns.end(call.turn)
          const failure = Cause.findError(cause)
          return Result.isSuccess(failure)
            ? call.fail(toRegistrationError(call, failure.success, config))
            : call.interrupt(failure.failure)
        }
      }),
      (effect) => call.withSpan(effect, fiber)
    )
  }

  const runNow = (kind: TurnKind, workerId: WorkerId, send: Send, worker?: Worker) =>
    uninterruptibly((fiber, restore) => run(open(fiber, kind, workerId, worker), send, fiber, restore))

  const sendRegister =
    (worker: Worker): Send =>
    (generation) =>
      port.register(worker, { generation })

  const register = (worker: Worker) => runNow("register", worker.id, sendRegister(worker), worker)

  const registerBatch = (workers: Iterable<Worker>) =>
    uninterruptibly((fiber, restore) => {
      // Every member takes its turn now, so that a call made later comes later, however long this batch takes.
      const clock = fiber.getRef(Clock.Clock)
      const members = Array.from(workers).map((worker) => ({
        worker,
        turn: turns.take(worker.id, "register"),
        generation: nextGeneration(clock.currentTimeMillisUnsafe())
      }))
      const runMember = ({ generation, turn, worker }: (typeof members)[number]) =>
        uninterruptibly((fiber, restore) =>
          Effect.result(run(new Call(turn, generation, worker), sendRegister(worker), fiber, restore))
        )
      return restore(Effect.forEach(members, runMember, { concurrency: config.batchConcurrency })).pipe(
        // However it ends, those that were not begun keep no turn.
        Effect.onExit(() => Effect.sync(() => members.forEach(({ turn }) => turns.end(turn))))
      )
    })

  const registerStream = <E, R>(workers: Stream.Stream<Worker, E, R>) =>
    Stream.mapEffect(workers, (worker) => Effect.result(register(worker)), {
      concurrency: config.batchConcurrency
    })

  const unregister = (workerId: WorkerId) =>
    runNow("unregister", workerId, (generation) => port.unregister(workerId, { generation }))

  const verify = Effect.fnUntraced(function* (workerId: WorkerId) {
    const { get } = port
    let held = false
    if (get !== undefined) {
      const receipt = yield* runNow("verify", workerId, () =>
        Effect.map(get(workerId), (found) => {
          held = Option.isSome(found)
        })
      )
      if (held) return { ...receipt, action: "verified" as const }
    }
    const known = yield* lookup(workerId)
    if (Option.isSome(known)) {
      return { ...(yield* register(known.value)), action: "registered" as const }
    }
    if (get === undefined) {
      return { workerId, attempts: 0, duration: Duration.zero, action: "unverified" as const }
    }
    return yield* new InvalidWorker({
      workerId,
      attempts: 0,
      elapsed: Duration.zero,
      issues: [
        {
          path: "workerId",
          rule: "a worker that the scheduler holds, or whose data WorkerLookup knows (send WorkerProvisioned)",
          received: "a worker unknown to both"
        }
      ]
    })
  })

  const notify = (event: WorkerEvent): Effect.Effect<EventReceipt, RegistrationError> => {
    switch (event._tag) {
      case "WorkerProvisioned":
        return Effect.map(register(event.worker), (receipt) => ({ ...receipt, action: "registered" }))
      case "WorkerReady":
        return verify(event.workerId)
      case "WorkerTerminated":
        return Effect.map(unregister(event.workerId), (receipt) => ({ ...receipt, action: "unregistered" }))
    }
  }

  return WorkerRegistration.of({ register, registerBatch, registerStream, unregister, notify })
})

/** Why an attempt, or the wait for it, ended a call or asks for a retry. */
class AttemptFailed {
  readonly _tag = "AttemptFailed"
  readonly call: Call
  readonly error: SchedulerError
  constructor(call: Call, error: SchedulerError) {
    this.call = call
    this.error = error
  }
}

class DeadlinePassed {
  readonly _tag = "DeadlinePassed"
}

const deadlinePassed = Effect.fail(new DeadlinePassed())

type Failure = AttemptFailed | Superseded | DeadlinePassed

/** Waits until the calls before this one have ended, but not beyond the deadline. */
const ownTurn = (
  call: Call,
  turns: WorkerTurns,
  { deadline }: RegistrationSettings
): Effect.Effect<void, Superseded | DeadlinePassed> => {
  const begin = turns.begin(call.turn)
  if (deadline === undefined) return begin
  return Effect.timeoutOrElse(begin, { duration: deadline, orElse: () => deadlinePassed }).pipe(
    // The turn may come in the very moment of the deadline.
    Effect.andThen(Effect.suspend(() => (isPast(deadline, call) ? deadlinePassed : Effect.void)))
  )
}

const isPast = (deadline: Duration.Duration, call: Call) => call.elapsedMillis >= Duration.toMillis(deadline)

/** One call to the scheduler, cut off at the attempt's time-out or at the deadline, whichever comes first. */
const attempt = (
  call: Call,
  send: Send,
  timeouts: Timeouts,
  { attemptTimeout, deadline }: RegistrationSettings
): Effect.Effect<void, AttemptFailed> =>
  Effect.withFiber((fiber) => {
    call.attempts++
    const timeLeft = deadline === undefined ? Infinity : Duration.toMillis(deadline) - call.elapsedMillis
    const cutByDeadline = timeLeft <= Duration.toMillis(attemptTimeout)
    const timeout = cutByDeadline ? Duration.millis(timeLeft) : attemptTimeout
    return after(
      call.logAttempt(),
      Effect.suspend(() => send(call.generation))
    ).pipe(
      timeouts.abandonAfter(timeout, () => {
        call.outOfTime = cutByDeadline
        const message = `no answer within ${inMillis(timeout)}`
        return Effect.fail(new SchedulerUnavailable({ message, timeout }))
      }),
      Effect.catchCause((cause) => Effect.fail(toSchedulerError(cause))),
      (effect) => call.withAttemptSpan(effect, fiber),
      Effect.matchEffect({
        onSuccess: () => {
          call.countAttempt("success")
          return Effect.void
        },
        onFailure: (error) => {
          if (wasNotSent(error)) call.attempts--
          else {
            call.countAttempt("failure")
            call.lastError = error
          }
          return Effect.fail(new AttemptFailed(call, error))
        }
      })
    )
  })

/** When to try again: the policy of a whole registration, as one schedule. */
const retrySchedule = (config: RegistrationSettings, turns: WorkerTurns) =>
  Schedule.exponential(config.baseBackoff).pipe(
    Schedule.setInputType<AttemptFailed>(),
    // What was not sent will not be sent any sooner for asking again.
    Schedule.while(({ input }) => isRetryable(input.error) && !wasNotSent(input.error)),
    Schedule.upTo({ times: config.maxRetries }),
    Schedule.modifyDelay(({ duration }) =>
      withJitter(Duration.min(duration, config.maxBackoff), config.jitter)
    ),
    // The scheduler knows better than our arithmetic when it can be asked again.
    Schedule.modifyDelay(({ duration, input }) =>
      Effect.succeed(Duration.max(duration, retryAfter(input.error)))
    ),
    Schedule.while(({ duration, input }) => leavesTime(input.call, duration, config)),
    Schedule.tap(({ duration, input }) => input.call.logRetry(input.error, duration)),
    // The wait itself: it stands here, and not in Effect.retry, because a later unregister ends it.
    Schedule.modifyDelay(({ duration, input }) =>
      Effect.as(turns.pause(input.call.turn, duration), Duration.zero)
    ),
    // On a busy machine a wait may end later than it was meant to.
    Schedule.while(({ input }) => leavesTime(input.call, Duration.zero, config))
  )

/** A `retryAfter` that never ends is nonsense, not an order to wait for ever. */
const retryAfter = (error: SchedulerError): Duration.Duration => {
  const asked = error._tag === "SchedulerUnavailable" ? error.retryAfter : undefined
  return asked !== undefined && Duration.isFinite(asked) ? asked : Duration.zero
}

/** Full and equal jitter as in Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. */
const withJitter = (
  backoff: Duration.Duration,
  jitter: RegistrationSettings["jitter"]
): Effect.Effect<Duration.Duration> => {
  switch (jitter) {
    case "none":
      return Effect.succeed(backoff)
    case "equal":
      return Effect.map(Random.next, (random) => Duration.times(backoff, 0.5 + random / 2))
    case "full":
      return Effect.map(Random.next, (random) => Duration.times(backoff, random))
  }
}

/** A wait that would end at the deadline or after it leaves no time for an attempt, so it is not begun. */
const leavesTime = (call: Call, wait: Duration.Duration, { deadline }: RegistrationSettings): boolean => {
  if (call.outOfTime) return false
  if (deadline === undefined) return true
  call.outOfTime = call.elapsedMillis + Duration.toMillis(wait) >= Duration.toMillis(deadline)
  return !call.outOfTime
}

/** Whatever an adapter did, as one of the three errors of the port: a defect never reaches the caller. */
const toSchedulerError = (cause: Cause.Cause<SchedulerError>): SchedulerError => {
  try {
    return classify(cause)
  } catch {
    // What an adapter failed or died with is its own value, which may throw when it is read.
    return new SchedulerFault({
      message: "the scheduler's adapter failed with something that cannot be read",
      retryable: false
    })
  }
}

const classify = (cause: Cause.Cause<SchedulerError>): SchedulerError => {
  for (const reason of cause.reasons) {
    if (Cause.isFailReason(reason)) {
      return isSchedulerError(reason.error)
        ? reason.error
        : fault("the scheduler's adapter failed with something that is not a SchedulerError", reason.error)
    }
    if (Cause.isDieReason(reason)) return fault("the scheduler's adapter died", reason.defect)
  }
  return fault("the scheduler's adapter was interrupted from inside", undefined)
}

const isSchedulerError = (error: unknown): error is SchedulerError =>
  error instanceof SchedulerUnavailable ||
  error instanceof SchedulerRejected ||
  error instanceof SchedulerFault

const fault = (what: string, cause: unknown): SchedulerFault => {
  encodeCause(cause) // throws now if it would throw where the error is logged or stored
  const message = cause instanceof Error ? `${what}: ${cause.message}` : what
  return new SchedulerFault({ message, retryable: false, cause })
}

/** How a call that did not succeed ended, in the caller's terms. */
const toRegistrationError = (
  call: Call,
  failure: Failure,
  { attemptTimeout, deadline, maxRetries }: RegistrationSettings
): RegistrationError => {
  const context = call.errorContext
  const supersededBy = (cause: Superseded | SchedulerRejected) =>
    new Unexpected({ ...context, retryable: false, cause, superseded: true })
  if (failure._tag === "Superseded") return supersededBy(failure)
  if (failure._tag === "DeadlinePassed" || call.outOfTime) {
    return new RegistrationTimeout({
      ...context,
      timeout: deadline ?? attemptTimeout,
      lastError: call.lastError
    })
  }
  const { error } = failure
  switch (error._tag) {
    case "SchedulerRejected":
      return error.isOlderGeneration
        ? supersededBy(error)
        : new InvalidWorker({
            ...context,
            issues: [
              {
                path: "",
                rule: "a worker that the scheduler accepts",
                received: `a refusal: ${error.message}`
              }
            ],
            code: error.code
          })
    case "SchedulerFault":
      if (error.retryable && maxRetries > 0) break
      return new Unexpected({ ...context, retryable: error.retryable, cause: error.cause ?? error })
    case "SchedulerUnavailable":
      if (wasNotSent(error)) return RegistrationUnavailable.for(context, error)
      if (maxRetries > 0) break
      return error.timeout === undefined
        ? RegistrationUnavailable.for(context, error)
        : new RegistrationTimeout({ ...context, timeout: error.timeout, lastError: error })
  }
  return new MaxRetriesExceeded({ ...context, lastError: error })
}
