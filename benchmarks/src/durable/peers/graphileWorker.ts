/** graphile-worker: `addJob` for one, `addJobs` for many, and a runner with what suits it best. */
import { Logger, makeWorkerUtils, run } from "graphile-worker"
import { workerInput } from "../payload.ts"
import { inSlices, type Peer } from "../peer.ts"

const identifier = "register"
const logger = new Logger(() => () => {})

/** Jobs that are fetched one by one, each recorded as done by itself: what it does unless told otherwise. */
export const oneByOne: GraphileConfig.WorkerOptions = {}

/** Jobs that are fetched by the hundred, and those recorded together that are done at the same time. */
export const localQueue: GraphileConfig.WorkerOptions = {
  localQueue: { size: 500 },
  completeJobBatchDelay: 0
}

export const make = async (connectionString: string, worker: GraphileConfig.WorkerOptions): Promise<Peer> => {
  const utils = await makeWorkerUtils({ connectionString, logger, maxPoolSize: 16 })
  await utils.migrate()
  return {
    accept: async (sequence) => {
      await utils.addJob(identifier, workerInput(sequence))
    },
    acceptMany: (first, count) =>
      inSlices({ first, count, size: 500, concurrency: 4 }, (from, size) =>
        utils.addJobs(
          Array.from({ length: size }, (_, index) => ({ identifier, payload: workerInput(from + index) }))
        )
      ),
    workOff: async (count) => {
      const done = Promise.withResolvers<void>()
      let left = count
      let startedAt: number | undefined
      const runner = await run({
        connectionString,
        concurrency: 24,
        maxPoolSize: 26,
        noHandleSignals: true,
        preset: { worker },
        logger,
        taskList: {
          [identifier]: () => {
            startedAt ??= performance.now()
            left--
            if (left === 0) done.resolve()
          }
        }
      })
      await done.promise
      // Stops when what it has at hand is recorded as done.
      await runner.stop()
      return (performance.now() - (startedAt ?? NaN)) / 1000
    }
  }
}
