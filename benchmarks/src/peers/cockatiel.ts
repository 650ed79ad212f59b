/** cockatiel's bulkhead around its retry around its time-out, and prom-client. */
import {
  bulkhead,
  ExponentialBackoff,
  handleAll,
  noJitterGenerator,
  retry,
  timeout,
  TimeoutStrategy,
  wrap
} from "cockatiel"
import type { Worker } from "@muster/core"
import { type Contestant, type ContestantOptions, policy } from "../contestant.ts"
import { inOrder } from "./inOrder.ts"
import { countAttempt, measured } from "./metrics.ts"

export const make = ({ callScheduler, concurrency }: ContestantOptions): Contestant => {
  const limit = bulkhead(concurrency, Infinity)
  const attempts = wrap(
    retry(handleAll, {
      maxAttempts: policy.maxRetries,
      backoff: new ExponentialBackoff({
        initialDelay: policy.baseBackoffMillis,
        maxDelay: policy.maxBackoffMillis,
        generator: noJitterGenerator
      })
    }),
    timeout(policy.attemptTimeoutMillis, TimeoutStrategy.Aggressive)
  )

  const withRetries = async (worker: Worker) => {
    let attemptsMade = 0
    await attempts.execute(async ({ signal }) => {
      attemptsMade++
      try {
        await callScheduler(worker, { signal })
        countAttempt(worker, "success")
      } catch (error) {
        countAttempt(worker, "failure")
        throw error
      }
    })
    return attemptsMade
  }

  const register = (worker: Worker) => inOrder(worker.id, () => measured(worker, () => withRetries(worker)))

  return {
    registerAll: async (workers) => {
      const results = await Promise.allSettled(workers.map((worker) => limit.execute(() => register(worker))))
      return results.filter(({ status }) => status === "fulfilled").length
    }
  }
}
