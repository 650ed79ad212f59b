/**
 * What takes part in a benchmark: a way to register many workers, a bounded number of them at the same time.
 */
import type { Worker } from "@muster/core"

/** The scheduler as a promise-based program sees it. `signal` aborts when the attempt has timed out. */
export type CallScheduler = (worker: Worker, options?: { readonly signal: AbortSignal }) => Promise<void>

export interface Contestant {
  /** Registers every worker and answers how many of them succeeded. */
  readonly registerAll: (workers: ReadonlyArray<Worker>) => Promise<number>
}

export interface ContestantOptions {
  readonly concurrency: number
  readonly callScheduler: CallScheduler
}

/** The same policy for everyone; the numbers are the defaults of `RegistrationConfig`. */
export const policy = {
  maxRetries: 3,
  baseBackoffMillis: 100,
  maxBackoffMillis: 10_000,
  attemptTimeoutMillis: 30_000
} as const
