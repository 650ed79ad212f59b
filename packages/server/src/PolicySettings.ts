/**
 * The policies between the fleet and its scheduler, from the environment. The table in `docs/http-api.md` lists them.
 */
import {
  AdaptiveConcurrency,
  CircuitBreaker,
  type CircuitBreakerOptions,
  MicroBatching,
  Pacing,
  type PacingOptions,
  RetryBudget,
  type RetryBudgetOptions,
  SchedulerPort
} from "@muster/core"
import { Duration, Effect, Layer, Schema } from "effect"
import { off, orOff, positiveDuration, variable, wholeNumber } from "./Variables.ts"
import { WrongUsage } from "./WrongUsage.ts"

/** `undefined`: that policy is left out. */
export interface PolicySettings {
  readonly retryBudget: RetryBudgetOptions | undefined
  readonly pacing: PacingOptions | undefined
  /** Members of a batch; 1: no batches. */
  readonly batchMembers: number
  /** The most calls of the scheduler's adapter at the same time. */
  readonly calls: number
  readonly adaptive: boolean
  readonly circuitBreaker: CircuitBreakerOptions | undefined
}

/**
 * A quarter of the workers in flight, so that batches have some members when the scheduler is slow, and calls that hang
 * do not keep the others from being made.
 */
const callsFor = (concurrency: number) => Math.max(4, Math.ceil(concurrency / 4))

const positive = Schema.FiniteFromString.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1_000_000))
const share = Schema.FiniteFromString.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1))
const ratio = Schema.FiniteFromString.check(Schema.isBetween({ minimum: 0, maximum: 100 }))

export const resolvePolicies = Effect.fnUntraced(function* (
  concurrency: number
): Effect.fn.Return<PolicySettings, WrongUsage> {
  const maxRate = yield* variable(
    "MUSTER_MAX_RATE",
    Schema.Union([Schema.Literals(["auto", off]), positive]),
    "a number above 0, auto, or off",
    "auto"
  )
  const rampFrom = yield* variable("MUSTER_RAMP_FROM", positive, "a number above 0", 50)
  const retryRatio = yield* variable(
    "MUSTER_RETRY_RATIO",
    orOff(ratio),
    "a number from 0 to 100, or off",
    0.2
  )
  const minRetries = yield* variable("MUSTER_MIN_RETRIES", positive, "a number above 0", 10)
  const batchMembers = yield* wholeNumber("MUSTER_BATCH_MEMBERS", 1, 10_000, 128)
  const calls = yield* wholeNumber("MUSTER_CALLS", 1, 10_000, callsFor(concurrency))
  const adaptive = yield* variable(
    "MUSTER_ADAPTIVE_CONCURRENCY",
    Schema.Literals(["on", off]),
    "on or off",
    "on"
  )
  const failureRate = yield* variable(
    "MUSTER_CIRCUIT_FAILURE_RATE",
    orOff(share),
    "a share above 0 and at most 1, or off",
    0.5
  )
  const openFor = yield* positiveDuration("MUSTER_CIRCUIT_OPEN_FOR", Duration.millis(500))
  const maxOpenFor = yield* positiveDuration("MUSTER_CIRCUIT_MAX_OPEN_FOR", Duration.seconds(10))
  if (Duration.isLessThan(maxOpenFor, openFor)) {
    return yield* new WrongUsage({
      message: "MUSTER_CIRCUIT_MAX_OPEN_FOR must not be under MUSTER_CIRCUIT_OPEN_FOR"
    })
  }
  return {
    retryBudget: retryRatio === off ? undefined : { ratio: retryRatio, minPerSecond: minRetries },
    pacing: maxRate === off ? undefined : { rampFrom, ...(maxRate === "auto" ? {} : { maxRate }) },
    batchMembers,
    calls,
    adaptive: adaptive === "on",
    circuitBreaker: failureRate === off ? undefined : { failureRate, openFor, maxOpenFor }
  }
})

type Policy = Layer.Layer<SchedulerPort, never, SchedulerPort>

const none: Policy = Layer.effect(SchedulerPort, SchedulerPort)

/**
 * All of them before a scheduler, from the outside: the budget, so that what waits for it takes up nothing else; the
 * pace, which is that of workers; then what makes calls of them, and what watches over those. Whether the scheduler is
 * away is judged last, by the calls alone and not by what waits before them.
 */
export const policiesLayer = (settings: PolicySettings): Policy => {
  const { adaptive, batchMembers, calls, circuitBreaker, pacing, retryBudget } = settings
  return (retryBudget === undefined ? none : RetryBudget.layerWith(retryBudget)).pipe(
    Layer.provideMerge(pacing === undefined ? none : Pacing.layerWith(pacing)),
    Layer.provideMerge(
      batchMembers === 1 ? none : MicroBatching.layerWith({ maxMembers: batchMembers, concurrency: calls })
    ),
    Layer.provideMerge(adaptive ? AdaptiveConcurrency.layerWith({ ceiling: calls, initial: calls }) : none),
    Layer.provideMerge(circuitBreaker === undefined ? none : CircuitBreaker.layerWith(circuitBreaker))
  )
}
