/** p-retry, p-limit and prom-client, put together by hand, with a time-out that also cancels the attempt. */
import pLimit from "p-limit"
import pRetry from "p-retry"
import type { Worker } from "@muster/core"
import { type CallScheduler, type Contestant, type ContestantOptions, policy } from "../contestant.ts"
import { inOrder } from "./inOrder.ts"
import { countAttempt, measured } from "./metrics.ts"

type Attempt = (callScheduler: CallScheduler, worker: Worker) => Promise<void>

/** Tells the scheduler's client to stop when time is up: what Muster's interruption of an attempt does. */
export const cancelling: Attempt = async (callScheduler, worker) => {
  const controller = new AbortController()
  const { promise: timedOut, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const error = new Error("no answer in time")
    controller.abort(error)
    reject(error)
  }, policy.attemptTimeoutMillis)
  try {
    await Promise.race([callScheduler(worker, { signal: controller.signal }), timedOut])
  } finally {
    clearTimeout(timer)
  }
}

/** Only stops waiting; the call goes on. Cheaper, and less than Muster promises. */
export const abandoning: Attempt = async (callScheduler, worker) => {
  const { promise: timedOut, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error("no answer in time")), policy.attemptTimeoutMillis)
  try {
    await Promise.race([callScheduler(worker), timedOut])
  } finally {
    clearTimeout(timer)
  }
}

export const make = (attempt: Attempt, { callScheduler, concurrency }: ContestantOptions): Contestant => {
  const limit = pLimit(concurrency)

  const countedAttempt = async (worker: Worker) => {
    try {
      await attempt(callScheduler, worker)
      countAttempt(worker, "success")
    } catch (error) {
      countAttempt(worker, "failure")
      throw error
    }
  }

  const withRetries = (worker: Worker) =>
    pRetry(
      async (attemptNumber) => {
        await countedAttempt(worker)
        return attemptNumber
      },
      {
        retries: policy.maxRetries,
        factor: 2,
        minTimeout: policy.baseBackoffMillis,
        maxTimeout: policy.maxBackoffMillis
      }
    )

  const register = (worker: Worker) => inOrder(worker.id, () => measured(worker, () => withRetries(worker)))

  return {
    registerAll: async (workers) => {
      const results = await Promise.allSettled(workers.map((worker) => limit(register, worker)))
      return results.filter(({ status }) => status === "fulfilled").length
    }
  }
}
