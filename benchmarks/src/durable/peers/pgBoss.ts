/** pg-boss: `send` for one, `insert` for many, `work` with whole batches. */
import { PgBoss } from "pg-boss"
import { workerInput } from "../payload.ts"
import { inSlices, type Peer } from "../peer.ts"

const queue = "register"

export const make = async (connectionString: string): Promise<Peer> => {
  const boss = new PgBoss({ connectionString, max: 32 })
  boss.on("error", (error) => console.error(error))
  await boss.start()
  await boss.createQueue(queue)
  return {
    accept: async (sequence) => {
      const id = await boss.send(queue, workerInput(sequence))
      if (id === null) throw new Error("the job was not taken")
    },
    acceptMany: (first, count) =>
      inSlices({ first, count, size: 500, concurrency: 4 }, (from, size) =>
        boss.insert(
          queue,
          Array.from({ length: size }, (_, index) => ({ data: workerInput(from + index) }))
        )
      ),
    workOff: async (count) => {
      const done = Promise.withResolvers<void>()
      let left = count
      let startedAt: number | undefined
      const options = { batchSize: 1000, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 }
      await boss.work(queue, options, async (jobs) => {
        startedAt ??= performance.now()
        left -= jobs.length
        if (left <= 0) done.resolve()
      })
      await done.promise
      // Stops when what it has at hand is recorded as done.
      await boss.offWork(queue, { wait: true })
      return (performance.now() - (startedAt ?? NaN)) / 1000
    }
  }
}
