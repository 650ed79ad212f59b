import { Duration } from "effect"

/** The fleet's settings where nothing else is said. */
export const fleetDefaults = {
  maxUnfinished: 100_000,
  maxTerminated: 10_000,
  concurrency: 64,
  retryDelay: Duration.millis(500),
  maxRetryDelay: Duration.seconds(30)
} as const
