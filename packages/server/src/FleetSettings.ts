/**
 * The fleet's settings from the environment.
 */
import { fleetDefaults, type FleetOptions } from "@muster/core/fleet"
import { Duration, Effect } from "effect"
import { durationOrOff, oneOf, positiveDuration, read, type Variable, wholeNumber } from "./Variables.ts"
import { WrongUsage } from "./WrongUsage.ts"

/** In the order in which they are shown. */
export const fleetVariables: { readonly [F in keyof FleetOptions]: Variable<FleetOptions[F]> } = {
  concurrency: wholeNumber({
    name: "MUSTER_CONCURRENCY",
    description: "the most calls to the scheduler at the same time, retries included",
    minimum: 1,
    maximum: 10_000,
    fallback: fleetDefaults.concurrency
  }),
  maxUnfinished: wholeNumber({
    name: "MUSTER_MAX_UNFINISHED",
    description: "the most changes accepted and not yet done; above it changes are answered with 503",
    minimum: 1,
    maximum: 10_000_000,
    fallback: fleetDefaults.maxUnfinished
  }),
  retryDelay: positiveDuration({
    name: "MUSTER_RETRY_DELAY",
    description: "the wait after a call that failed with all its retries; it doubles each time",
    fallback: fleetDefaults.retryDelay
  }),
  maxRetryDelay: positiveDuration({
    name: "MUSTER_MAX_RETRY_DELAY",
    description: "the longest such wait; not under `MUSTER_RETRY_DELAY`",
    fallback: fleetDefaults.maxRetryDelay
  }),
  deadLetterAfter: durationOrOff({
    name: "MUSTER_DEAD_LETTER_AFTER",
    description:
      "for how long a failure that can pass is tried again before the worker is a dead letter; `off`: for ever",
    fallback: fleetDefaults.deadLetterAfter
  }),
  checkAfter: durationOrOff({
    name: "MUSTER_CHECK_AFTER",
    description: "how long after registering a worker the scheduler is asked whether it has it",
    fallback: fleetDefaults.checkAfter
  }),
  driftInterval: durationOrOff({
    name: "MUSTER_DRIFT_INTERVAL",
    description: "how often the scheduler's list is compared with the fleet",
    fallback: fleetDefaults.driftInterval
  }),
  unknownWorkers: oneOf({
    name: "MUSTER_UNKNOWN_WORKERS",
    description: "what is done about workers that only the scheduler knows",
    values: ["report", "adopt", "remove"],
    fallback: fleetDefaults.unknownWorkers
  }),
  defaultLease: durationOrOff({
    name: "MUSTER_DEFAULT_LEASE",
    description: "the lease of dynamic workers that do not say one",
    fallback: fleetDefaults.defaultLease
  }),
  minLease: positiveDuration({
    name: "MUSTER_MIN_LEASE",
    description: "the shortest lease",
    fallback: fleetDefaults.minLease
  }),
  leaseGrace: positiveDuration({
    name: "MUSTER_LEASE_GRACE",
    description: "how long after the end of its lease a worker counts as gone",
    fallback: fleetDefaults.leaseGrace
  }),
  maxHeartbeatsPerSecond: wholeNumber({
    name: "MUSTER_MAX_HEARTBEATS",
    description: "heartbeats a second of the whole fleet that leases are stretched to stay under",
    minimum: 1,
    maximum: 100_000,
    fallback: fleetDefaults.maxHeartbeatsPerSecond
  }),
  maxTerminated: wholeNumber({
    name: "MUSTER_MAX_TERMINATED",
    description: "the most terminated workers that are remembered",
    minimum: 0,
    maximum: 100_000_000,
    fallback: fleetDefaults.maxTerminated
  }),
  terminatedRetention: durationOrOff({
    name: "MUSTER_TERMINATED_RETENTION",
    description: "for how long they are remembered; `off`: without end",
    fallback: fleetDefaults.terminatedRetention
  }),
  timelineRetention: durationOrOff({
    name: "MUSTER_TIMELINE_RETENTION",
    description: "for how long what happened to a worker is remembered; `off`: without end",
    fallback: fleetDefaults.timelineRetention
  }),
  repeatRetention: durationOrOff({
    name: "MUSTER_REPEAT_RETENTION",
    description: "for how long events and `Idempotency-Key`s are recognised when they come again",
    fallback: fleetDefaults.repeatRetention
  })
}

/** The rule that two variables have to keep together. */
export const checkRetryDelays = Effect.gen(function* (): Effect.fn.Return<void, WrongUsage> {
  const longest = yield* read(fleetVariables.maxRetryDelay)
  if (Duration.isLessThan(longest, yield* read(fleetVariables.retryDelay))) {
    return yield* new WrongUsage({ message: "MUSTER_MAX_RETRY_DELAY must not be under MUSTER_RETRY_DELAY" })
  }
})

export const resolveFleetOptions = Effect.gen(function* (): Effect.fn.Return<FleetOptions, WrongUsage> {
  yield* checkRetryDelays
  return yield* Effect.all({
    maxUnfinished: read(fleetVariables.maxUnfinished),
    maxTerminated: read(fleetVariables.maxTerminated),
    terminatedRetention: read(fleetVariables.terminatedRetention),
    timelineRetention: read(fleetVariables.timelineRetention),
    repeatRetention: read(fleetVariables.repeatRetention),
    concurrency: read(fleetVariables.concurrency),
    retryDelay: read(fleetVariables.retryDelay),
    maxRetryDelay: read(fleetVariables.maxRetryDelay),
    deadLetterAfter: read(fleetVariables.deadLetterAfter),
    checkAfter: read(fleetVariables.checkAfter),
    defaultLease: read(fleetVariables.defaultLease),
    minLease: read(fleetVariables.minLease),
    leaseGrace: read(fleetVariables.leaseGrace),
    maxHeartbeatsPerSecond: read(fleetVariables.maxHeartbeatsPerSecond),
    driftInterval: read(fleetVariables.driftInterval),
    unknownWorkers: read(fleetVariables.unknownWorkers)
  })
})
