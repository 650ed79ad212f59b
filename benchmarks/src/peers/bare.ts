/** The calls alone: no time-out, no retry, no order, no metrics; as many loops as may be in flight. */
import type { Contestant, ContestantOptions } from "../contestant.ts"

export const make = ({ callScheduler, concurrency }: ContestantOptions): Contestant => ({
  registerAll: async (workers) => {
    let succeeded = 0
    const queue = workers.values()
    const loop = async () => {
      for (const worker of queue) {
        await callScheduler(worker)
        succeeded++
      }
    }
    await Promise.all(Array.from({ length: concurrency }, loop))
    return succeeded
  }
})
