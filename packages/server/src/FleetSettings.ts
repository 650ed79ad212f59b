/**
 * The fleet's settings from the environment. The table in `docs/http-api.md` lists them.
 */
import { fleetDefaults, type FleetOptions } from "@muster/core/fleet"
import { Duration, Effect, Schema } from "effect"
import { durationOrOff, positiveDuration, variable, wholeNumber } from "./Variables.ts"
import { WrongUsage } from "./WrongUsage.ts"

const policies = ["report", "adopt", "remove"] as const

export const resolveFleetOptions = Effect.gen(function* (): Effect.fn.Return<FleetOptions, WrongUsage> {
  const options: FleetOptions = {
    maxUnfinished: yield* wholeNumber("MUSTER_MAX_UNFINISHED", 1, 10_000_000, fleetDefaults.maxUnfinished),
    maxTerminated: yield* wholeNumber("MUSTER_MAX_TERMINATED", 0, 100_000_000, fleetDefaults.maxTerminated),
    terminatedRetention: yield* durationOrOff(
      "MUSTER_TERMINATED_RETENTION",
      fleetDefaults.terminatedRetention
    ),
    timelineRetention: yield* durationOrOff("MUSTER_TIMELINE_RETENTION", fleetDefaults.timelineRetention),
    repeatRetention: yield* durationOrOff("MUSTER_REPEAT_RETENTION", fleetDefaults.repeatRetention),
    concurrency: yield* wholeNumber("MUSTER_CONCURRENCY", 1, 10_000, fleetDefaults.concurrency),
    retryDelay: yield* positiveDuration("MUSTER_RETRY_DELAY", fleetDefaults.retryDelay),
    maxRetryDelay: yield* positiveDuration("MUSTER_MAX_RETRY_DELAY", fleetDefaults.maxRetryDelay),
    deadLetterAfter: yield* durationOrOff("MUSTER_DEAD_LETTER_AFTER", fleetDefaults.deadLetterAfter),
    checkAfter: yield* durationOrOff("MUSTER_CHECK_AFTER", fleetDefaults.checkAfter),
    defaultLease: yield* durationOrOff("MUSTER_DEFAULT_LEASE", fleetDefaults.defaultLease),
    minLease: yield* positiveDuration("MUSTER_MIN_LEASE", fleetDefaults.minLease),
    leaseGrace: yield* positiveDuration("MUSTER_LEASE_GRACE", fleetDefaults.leaseGrace),
    maxHeartbeatsPerSecond: yield* wholeNumber(
      "MUSTER_MAX_HEARTBEATS",
      1,
      100_000,
      fleetDefaults.maxHeartbeatsPerSecond
    ),
    driftInterval: yield* durationOrOff("MUSTER_DRIFT_INTERVAL", fleetDefaults.driftInterval),
    unknownWorkers: yield* variable(
      "MUSTER_UNKNOWN_WORKERS",
      Schema.Literals(policies),
      `one of ${policies.join(", ")}`,
      fleetDefaults.unknownWorkers
    )
  }
  if (Duration.isLessThan(options.maxRetryDelay, options.retryDelay)) {
    return yield* new WrongUsage({ message: "MUSTER_MAX_RETRY_DELAY must not be under MUSTER_RETRY_DELAY" })
  }
  return options
})
