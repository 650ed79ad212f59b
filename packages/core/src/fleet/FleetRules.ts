/**
 * The numbers that the steps of a worker's life depend on.
 */

/** All durations are in milliseconds. */
export interface FleetRules {
  /** The most workers whose wanted state may be ahead of the scheduler's at the same time; an integer ≥ 1. */
  readonly maxUnfinished: number
  /** The wait after the first call that failed and can be repeated. */
  readonly retryDelay: number
  /** How long after registering the scheduler is asked whether it has the worker; absent: it is not asked. */
  readonly checkAfter: number | undefined
  /** For how long what can be retried is retried before it becomes a dead letter; absent: as long as it is wanted. */
  readonly deadLetterAfter: number | undefined
  /** The lease of dynamic workers that do not say one; absent: none. */
  readonly defaultLease: number | undefined
}
