/**
 * How the service of the torture test is set up.
 */

/**
 * Thousands of workers converge in seconds. Few calls at a time and a time-out that is far above what one takes, so that
 * on a machine that is busy otherwise those that are meant to go well still do.
 */
export const serviceEnvironment = (port: number, store: string): Record<string, string> => ({
  MUSTER_PORT: String(port),
  MUSTER_STORE: store,
  MUSTER_LOG_LEVEL: "none",
  MUSTER_MAX_RETRIES: "1",
  MUSTER_BASE_BACKOFF: "10 millis",
  MUSTER_MAX_BACKOFF: "50 millis",
  MUSTER_ATTEMPT_TIMEOUT: "400 millis",
  MUSTER_CONCURRENCY: "24",
  MUSTER_RETRY_DELAY: "50 millis",
  MUSTER_MAX_RETRY_DELAY: "1 second",
  MUSTER_CHECK_AFTER: "2 seconds",
  MUSTER_DRIFT_INTERVAL: "2 seconds",
  // Less than there are workers, so that the service refuses some.
  MUSTER_MAX_UNFINISHED: "1000"
})
