/**
 * The fleet's settings, and what they are where nothing else is said.
 */
import { Duration } from "effect"
import type { FleetRules } from "./FleetRules.ts"

export interface FleetOptions {
  /** The most workers whose wanted state may be ahead of the scheduler's at the same time; an integer ≥ 1. */
  readonly maxUnfinished: number
  /** How many terminated workers are remembered; an integer ≥ 0. */
  readonly maxTerminated: number
  /** For how long a terminated worker is remembered. */
  readonly terminatedRetention: Duration.Duration
  /** For how long the items of a timeline are kept. */
  readonly timelineRetention: Duration.Duration
  /** For how long an event or an `Idempotency-Key` is recognised when it comes again. */
  readonly repeatRetention: Duration.Duration
  /** Most calls to the scheduler at the same time, retries included; an integer ≥ 1. */
  readonly concurrency: number
  /** The wait after the first call that failed and can be repeated; it doubles with each further one. */
  readonly retryDelay: Duration.Duration
  readonly maxRetryDelay: Duration.Duration
  /** For how long a failure that can be retried is retried before it becomes a dead letter; infinite: always. */
  readonly deadLetterAfter: Duration.Duration
  /**
   * How long after registering the scheduler is asked whether it has the worker; infinite: it is not asked. One that
   * cannot `get` a worker is not asked either.
   */
  readonly checkAfter: Duration.Duration
  /** The lease of dynamic workers that do not say one; infinite: none. */
  readonly defaultLease: Duration.Duration
  /** No lease is shorter than this. */
  readonly minLease: Duration.Duration
  /** How long after the end of its lease a worker counts as gone. */
  readonly leaseGrace: Duration.Duration
  /** Leases grow with the fleet, so that its heartbeats together stay under this rate. */
  readonly maxHeartbeatsPerSecond: number
  /** How often, on average, the scheduler's list is compared with what is wanted; infinite: never. */
  readonly driftInterval: Duration.Duration
  /** What is done about workers that only the scheduler knows. */
  readonly unknownWorkers: UnknownWorkersPolicy
}

/**
 * `report`: say it, do nothing; `adopt`: take them into the fleet as they are; `remove`: unregister them. Those that
 * the scheduler lists with nothing but their id can only be reported or removed.
 */
export type UnknownWorkersPolicy = "report" | "adopt" | "remove"

export const fleetDefaults: FleetOptions = {
  maxUnfinished: 100_000,
  maxTerminated: 100_000,
  terminatedRetention: Duration.days(1),
  timelineRetention: Duration.days(7),
  repeatRetention: Duration.days(1),
  concurrency: 64,
  retryDelay: Duration.millis(500),
  maxRetryDelay: Duration.seconds(30),
  deadLetterAfter: Duration.infinity,
  checkAfter: Duration.minutes(1),
  defaultLease: Duration.infinity,
  // Nomad's min_heartbeat_ttl, heartbeat_grace and max_heartbeats_per_second.
  minLease: Duration.seconds(10),
  leaseGrace: Duration.seconds(10),
  maxHeartbeatsPerSecond: 50,
  driftInterval: Duration.minutes(5),
  unknownWorkers: "report"
}

const finite = (duration: Duration.Duration): number | undefined =>
  Duration.isFinite(duration) ? Duration.toMillis(duration) : undefined

export const toRules = (options: FleetOptions): FleetRules => ({
  maxUnfinished: options.maxUnfinished,
  retryDelay: Duration.toMillis(options.retryDelay),
  checkAfter: finite(options.checkAfter),
  deadLetterAfter: finite(options.deadLetterAfter),
  defaultLease: finite(options.defaultLease)
})
