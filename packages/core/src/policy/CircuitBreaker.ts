/**
 * A circuit breaker: while a scheduler fails, calls are not made but fail at once, and a single one every now and then
 * finds out whether it is back. Use it before every scheduler that can be away: what is not sent does not hold up what
 * waits, and does not add to the load of a scheduler that comes back. A policy takes a {@link SchedulerPort} and gives
 * one.
 *
 * - **What counts** is whether the scheduler answers. `SchedulerUnavailable` and a retryable `SchedulerFault` are
 *   failures, as is a call that was given up after `attemptTimeout` without an answer. A rejection is an answer: what
 *   is wrong is the worker. So is being told to come later (`retryAfter`), or that only this worker has to wait: a
 *   scheduler that says so is well, and the rate of calls is another policy's business.
 * - **Open**: `register`, `unregister` and `registerBatch` fail with `SchedulerUnavailable`, whose `notSent` is true and
 *   whose `retryAfter` is the time until the next probe. `WorkerRegistration` does not retry that, and counts no attempt.
 * - **Half open**: one call goes through. If the scheduler answers, the circuit closes; if not, within `probeTimeout`, it
 *   is open again, for twice as long.
 *
 * The states and the counting are those of `effect/persistence`'s `CircuitBreaker` (after Nygard, "Release It!", 2007).
 */
import { Context, Duration, Effect, Exit, Layer, Result, Schedule, Stream } from "effect"
import * as Breaker from "effect/persistence/CircuitBreaker"
import { observe } from "../MetricFamily.ts"
import { RegistrationConfig } from "../RegistrationConfig.ts"
import { isRetryable, type SchedulerError, SchedulerUnavailable } from "../SchedulerError.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import { type BatchResults, intercept } from "./intercept.ts"
import { circuitState } from "./SchedulerMetrics.ts"

export interface CircuitBreakerOptions {
  /** It opens when this share of the latest `window` calls failed, above 0 and at most 1. Default 0.5. */
  readonly failureRate?: number | undefined
  /** How many of the latest calls are looked at, an integer ≥ 1. Default 20. */
  readonly window?: number | undefined
  /** How many calls there must have been, 1 to `window`. Default 5: a scheduler that is away is noticed with five calls. */
  readonly minimumCalls?: number | undefined
  /** It opens after so many failures in a row instead, an integer ≥ 1. Default: `failureRate` decides. */
  readonly consecutiveFailures?: number | undefined
  /** How long it stays open at first; it doubles with each probe that fails. Default 500 millis. */
  readonly openFor?: Duration.Input | undefined
  /** The longest that it stays open. Default 10 seconds, so that no scheduler waits longer for Muster to notice it. */
  readonly maxOpenFor?: Duration.Input | undefined
  /**
   * How long a probe may take, since everything else waits for it; `attemptTimeout` if that is shorter. Default 5
   * seconds.
   */
  readonly probeTimeout?: Duration.Input | undefined
}

export type CircuitState = "closed" | "open" | "half_open"

const key = "scheduler"

/**
 * The circuit, for those who want to look at it.
 *
 * @example
 * ```ts
 * import { CircuitBreaker, EmbeddedScheduler, WorkerRegistration } from "@muster/core"
 * import { Layer } from "effect"
 *
 * const registration = WorkerRegistration.layer.pipe(
 *   Layer.provide(CircuitBreaker.layerWith({ consecutiveFailures: 5 })),
 *   Layer.provide(EmbeddedScheduler.layer)
 * )
 * ```
 */
export class CircuitBreaker extends Context.Service<
  CircuitBreaker,
  {
    readonly state: Effect.Effect<CircuitState>
  }
>()("@muster/core/CircuitBreaker") {
  /** The policy before the scheduler that is provided to it. Options that make no sense are a defect. */
  static readonly layerWith = (
    options: CircuitBreakerOptions
  ): Layer.Layer<SchedulerPort | CircuitBreaker, never, SchedulerPort> =>
    Layer.effectContext(
      Effect.map(
        Effect.suspend(() => make(options)),
        ({ port, state }) => Context.make(SchedulerPort, port).pipe(Context.add(CircuitBreaker, { state }))
      )
    )

  /** {@link CircuitBreaker.layerWith} the defaults. */
  static readonly layer = CircuitBreaker.layerWith({})
}

const states = { Closed: "closed", Open: "open", HalfOpen: "half_open" } as const
const gaugeValues = { closed: 0, half_open: 1, open: 2 } as const

const make = Effect.fnUntraced(function* (options: CircuitBreakerOptions) {
  const port = yield* SchedulerPort
  const { attemptTimeout } = yield* RegistrationConfig
  const { maxOpenFor = "10 seconds", minimumCalls = 5, openFor = "500 millis", window = 20 } = options
  const { consecutiveFailures, failureRate = 0.5 } = options
  const longest = Duration.fromInputUnsafe(maxOpenFor)
  const breaker = yield* Effect.provide(
    Breaker.make({
      tripPolicy:
        consecutiveFailures === undefined
          ? Breaker.rate({
              threshold: failureRate,
              size: window,
              minimumCalls: Math.min(minimumCalls, window)
            })
          : Breaker.consecutive(consecutiveFailures),
      openDuration: Schedule.exponential(openFor).pipe(
        Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, longest))),
        Schedule.map(() => Effect.succeed(0))
      ),
      maxOpenDuration: longest
    }),
    Breaker.layerStoreMemory({ idleTimeToLive: Duration.infinity })
  )
  let shown: CircuitState = "closed"
  yield* observe(circuitState.at({}), () => gaugeValues[shown])
  const onTransition = (transition: Breaker.Transition) =>
    Effect.suspend(() => {
      shown = states[transition.to]
      return tell(transition)
    })
  yield* Effect.forkScoped(Stream.runForEach(breaker.transitions, onTransition))

  const probeTimeout = Duration.fromInputUnsafe(options.probeTimeout ?? "5 seconds")
  const state = Effect.map(Effect.orDie(breaker.state(key)), ({ _tag }): CircuitState => states[_tag])

  /** A call that may be the probe, while everything else waits. */
  const bounded = <A>(call: Effect.Effect<A, SchedulerError>): Effect.Effect<A, SchedulerError> =>
    Effect.flatMap(state, (state) =>
      state === "closed"
        ? call
        : Effect.timeoutOrElse(call, {
            duration: probeTimeout,
            orElse: () => Effect.fail(noAnswer(probeTimeout))
          })
    )

  const protect = <A>(
    call: Effect.Effect<A, SchedulerError>,
    isFailure: (answer: A) => boolean = () => false
  ): Effect.Effect<A, SchedulerError> =>
    Effect.clockWith((clock) => {
      const startedAt = clock.currentTimeMillisUnsafe()
      /** A call that nobody waits for any more says something of the scheduler only after a full time-out. */
      const noteSilence = Effect.suspend(() =>
        clock.currentTimeMillisUnsafe() - startedAt < Duration.toMillis(attemptTimeout)
          ? Effect.void
          : Effect.ignore(breaker.execute(Effect.fail("silence"), { key }))
      )
      return breaker.execute(bounded(call), { key, classify: (exit) => outcomeOf(exit, isFailure) }).pipe(
        Effect.onInterrupt(() => noteSilence),
        Effect.catchTag("CircuitBreakerError", ({ reason }) => Effect.fail(notSent(reason)))
      )
    })

  const guarded = intercept(port, {
    one: (call) => protect(call),
    many: (call) => protect(call, isUnanswered)
  })
  return { port: guarded, state }
})

/** Whether the scheduler failed, and not the worker or the moment. */
const isSchedulersFailure = (error: SchedulerError): boolean =>
  isRetryable(error) &&
  !(error._tag === "SchedulerUnavailable" && (error.retryAfter !== undefined || error.concerns === "worker"))

/** A batch of which no member was answered. */
const isUnanswered = (results: BatchResults): boolean =>
  results.length > 0 &&
  results.every((result) => Result.isFailure(result) && isSchedulersFailure(result.failure))

const outcomeOf = <A>(
  exit: Exit.Exit<A, SchedulerError>,
  isFailure: (answer: A) => boolean
): Breaker.Outcome => {
  if (Exit.isSuccess(exit)) return isFailure(exit.value) ? Breaker.failure() : Breaker.success
  const error = Exit.findErrorOption(exit)
  if (error._tag === "None") return Breaker.ignored
  return isSchedulersFailure(error.value) ? Breaker.failure() : Breaker.success
}

/** How soon those come again that found the probe under way: about as long as it takes. */
const whileProbing = Duration.millis(100)

const noAnswer = (timeout: Duration.Duration) =>
  new SchedulerUnavailable({ message: `no answer within ${Duration.format(timeout)}`, timeout })

const notSent = (reason: Breaker.CircuitBreakerErrorReason): SchedulerUnavailable =>
  reason._tag === "CircuitOpen"
    ? new SchedulerUnavailable({
        message: "the circuit is open: the scheduler has been failing",
        notSent: true,
        retryAfter: reason.retryAfter
      })
    : new SchedulerUnavailable({
        message: "the circuit is half open: another call finds out whether the scheduler is back",
        notSent: true,
        retryAfter: whileProbing
      })

const tell = (transition: Breaker.Transition) => {
  switch (transition.to) {
    case "Open":
      return Effect.logWarning("The circuit is open: the scheduler keeps failing").pipe(
        Effect.annotateLogs({ retryAfterMs: Duration.toMillis(transition.retryAfter) })
      )
    case "HalfOpen":
      return Effect.logInfo("The circuit is half open: one call goes to the scheduler")
    case "Closed":
      return Effect.logInfo("The circuit is closed: the scheduler answers again")
  }
}
