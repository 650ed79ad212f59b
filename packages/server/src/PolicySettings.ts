/**
 * The policies between the fleet and its scheduler, from the environment.
 */
import {
  AdaptiveConcurrency,
  CircuitBreaker,
  type CircuitBreakerOptions,
  MeasuredCalls,
  MicroBatching,
  Pacing,
  type PacingOptions,
  RetryBudget,
  type RetryBudgetOptions,
  SchedulerPort
} from "@muster/core"
import { fleetDefaults } from "@muster/core/fleet"
import { Duration, Effect, Layer, Schema } from "effect"
import { fleetVariables } from "./FleetSettings.ts"
import { off, oneOf, orOff, positiveDuration, read, variable, wholeNumber } from "./Variables.ts"
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

/** What `MUSTER_CALLS` is where it is not set. */
export const defaultCalls = Effect.map(read(fleetVariables.concurrency), callsFor)

/** In the order in which they are shown. */
export const policyVariables = {
  calls: wholeNumber({
    name: "MUSTER_CALLS",
    description: "the most calls of the scheduler's interface at the same time, a batch being one",
    minimum: 1,
    maximum: 10_000,
    fallback: callsFor(fleetDefaults.concurrency),
    defaultText: "a quarter of `MUSTER_CONCURRENCY`, at least 4"
  }),
  adaptive: oneOf({
    name: "MUSTER_ADAPTIVE_CONCURRENCY",
    description: "whether fewer than that are made when the scheduler becomes slow",
    values: ["on", off],
    fallback: "on"
  }),
  batchMembers: wholeNumber({
    name: "MUSTER_BATCH_MEMBERS",
    description: "the most workers that are registered in one call; 1: no batches",
    minimum: 1,
    maximum: 10_000,
    fallback: 128
  }),
  maxRate: variable({
    name: "MUSTER_MAX_RATE",
    description: "the most workers a second; `auto`: what the scheduler takes; `off`: no pacing",
    schema: Schema.Union([Schema.Literals(["auto", off]), positive]),
    rule: "a number above 0, auto, or off",
    fallback: "auto"
  }),
  rampFrom: variable({
    name: "MUSTER_RAMP_FROM",
    description: "workers a second right after an outage",
    schema: positive,
    rule: "a number above 0",
    fallback: 50
  }),
  retryRatio: variable({
    name: "MUSTER_RETRY_RATIO",
    description: "retries for each first attempt; `off`: as many as come",
    schema: orOff(ratio),
    rule: "a number from 0 to 100, or off",
    fallback: 0.2
  }),
  minRetries: variable({
    name: "MUSTER_MIN_RETRIES",
    description: "retries a second besides",
    schema: positive,
    rule: "a number above 0",
    fallback: 10
  }),
  failureRate: variable({
    name: "MUSTER_CIRCUIT_FAILURE_RATE",
    description:
      "the share of the latest 20 calls that must fail for the circuit to open; `off`: none opens it",
    schema: orOff(share),
    rule: "a share above 0 and at most 1, or off",
    fallback: 0.5
  }),
  openFor: positiveDuration({
    name: "MUSTER_CIRCUIT_OPEN_FOR",
    description: "how long it stays open at first; it doubles with each call that fails then",
    fallback: Duration.millis(500)
  }),
  maxOpenFor: positiveDuration({
    name: "MUSTER_CIRCUIT_MAX_OPEN_FOR",
    description: "the longest that it stays open; not under `MUSTER_CIRCUIT_OPEN_FOR`",
    fallback: Duration.seconds(10)
  })
}

/** The rule that two variables have to keep together. */
export const checkOpenFor = Effect.gen(function* (): Effect.fn.Return<void, WrongUsage> {
  const longest = yield* read(policyVariables.maxOpenFor)
  if (Duration.isLessThan(longest, yield* read(policyVariables.openFor))) {
    return yield* new WrongUsage({
      message: "MUSTER_CIRCUIT_MAX_OPEN_FOR must not be under MUSTER_CIRCUIT_OPEN_FOR"
    })
  }
})

export const resolvePolicies = Effect.fnUntraced(function* (
  concurrency: number
): Effect.fn.Return<PolicySettings, WrongUsage> {
  yield* checkOpenFor
  const maxRate = yield* read(policyVariables.maxRate)
  const rampFrom = yield* read(policyVariables.rampFrom)
  const retryRatio = yield* read(policyVariables.retryRatio)
  const minRetries = yield* read(policyVariables.minRetries)
  const batchMembers = yield* read(policyVariables.batchMembers)
  const calls = yield* read(policyVariables.calls, callsFor(concurrency))
  const adaptive = yield* read(policyVariables.adaptive)
  const failureRate = yield* read(policyVariables.failureRate)
  const openFor = yield* read(policyVariables.openFor)
  const maxOpenFor = yield* read(policyVariables.maxOpenFor)
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
 * away is judged last, by the calls alone and not by what waits before them. Those are measured.
 */
export const policiesLayer = (settings: PolicySettings): Policy => {
  const { adaptive, batchMembers, calls, circuitBreaker, pacing, retryBudget } = settings
  return (retryBudget === undefined ? none : RetryBudget.layerWith(retryBudget)).pipe(
    Layer.provideMerge(pacing === undefined ? none : Pacing.layerWith(pacing)),
    Layer.provideMerge(
      batchMembers === 1 ? none : MicroBatching.layerWith({ maxMembers: batchMembers, concurrency: calls })
    ),
    Layer.provideMerge(adaptive ? AdaptiveConcurrency.layerWith({ ceiling: calls, initial: calls }) : none),
    Layer.provideMerge(circuitBreaker === undefined ? none : CircuitBreaker.layerWith(circuitBreaker)),
    Layer.provideMerge(MeasuredCalls.layer)
  )
}
