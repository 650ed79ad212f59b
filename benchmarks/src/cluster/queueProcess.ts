/**
 * A process with one queue in it: `queueProcess.ts KIND STORE SCHEDULER`. It inserts as many jobs as its parent says, and
 * carries each out by one call of a scheduler, by way of the same adapter and the same micro-batching as Muster.
 */
import { MicroBatching, RegistrationConfig, Worker, WorkerRegistration } from "@muster/core"
import * as Grpc from "@muster/server/schedulers/Grpc"
import { Effect, Layer, ManagedRuntime, References } from "effect"
import { Logger, makeWorkerUtils, run } from "graphile-worker"
import { PgBoss } from "pg-boss"
import { workerInput } from "../durable/payload.ts"
import { inSlices } from "../durable/peer.ts"

/** As many as either documentation inserts at once, or more. */
const inserted = 500
const inserters = 4

interface Queue {
  readonly insert: (first: number, count: number) => Promise<unknown>
}

/** Resolves when the scheduler has said yes. */
type CarryOut = (job: unknown) => Promise<void>

const kinds = {
  pgBoss: async (connectionString: string, carryOut: CarryOut): Promise<Queue> => {
    const name = "register"
    const boss = new PgBoss({ connectionString, max: 32, useListenNotify: true })
    boss.on("error", (error) => console.error(error))
    await boss.start()
    await boss.createQueue(name, { notify: true })
    const options = { batchSize: 1000, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 }
    await boss.work(name, options, async (jobs) => {
      await Promise.all(jobs.map(({ data }) => carryOut(data)))
    })
    return {
      insert: (first, count) =>
        boss.insert(
          name,
          Array.from({ length: count }, (_, index) => ({ data: workerInput(first + index) }))
        )
    }
  },
  graphileWorker: async (connectionString: string, carryOut: CarryOut): Promise<Queue> => {
    const identifier = "register"
    const logger = new Logger(() => () => {})
    const utils = await makeWorkerUtils({ connectionString, logger, maxPoolSize: 16 })
    await utils.migrate()
    await run({
      connectionString,
      concurrency: 128,
      maxPoolSize: 32,
      noHandleSignals: true,
      preset: { worker: { localQueue: { size: 500 }, completeJobBatchDelay: 0 } },
      logger,
      taskList: { [identifier]: carryOut }
    })
    return {
      insert: (first, count) =>
        utils.addJobs(
          Array.from({ length: count }, (_, index) => ({ identifier, payload: workerInput(first + index) }))
        )
    }
  }
} satisfies Record<string, (store: string, carryOut: CarryOut) => Promise<Queue>>

export type QueueKind = keyof typeof kinds

export interface QueueCommand {
  readonly first: number
  readonly count: number
}

/** The first comes when all is inserted, the second when all is carried out, recorded or not. */
export type QueueAnswer = "inserted" | "carried out" | { readonly error: string }

const isKind = (name: string | undefined): name is QueueKind => name !== undefined && name in kinds

const throughMuster = (address: string): CarryOut => {
  const runtime = ManagedRuntime.make(
    WorkerRegistration.layer.pipe(
      Layer.provide(MicroBatching.layer),
      Layer.provide(Grpc.layer({ addresses: [address] })),
      Layer.provide(RegistrationConfig.layer({ batchConcurrency: 1024 })),
      Layer.merge(Layer.succeed(References.MinimumLogLevel, "None"))
    )
  )
  return (job) =>
    runtime.runPromise(
      Effect.flatMap(WorkerRegistration, (registration) =>
        Effect.asVoid(Effect.flatMap(Worker.decode(job), (worker) => registration.register(worker)))
      )
    )
}

const [, , kind, store, scheduler] = process.argv
if (process.send !== undefined && isKind(kind) && store !== undefined && scheduler !== undefined) {
  const say = (answer: QueueAnswer) => process.send?.(answer)
  const carryOut = throughMuster(scheduler)
  let left = 0
  const { insert } = await kinds[kind](store, async (job) => {
    await carryOut(job)
    left -= 1
    if (left === 0) say("carried out")
  })
  process.on("message", ({ count, first }: QueueCommand) => {
    left += count
    inSlices({ first, count, size: inserted, concurrency: inserters }, insert).then(
      () => say("inserted"),
      (error: unknown) => say({ error: String(error) })
    )
  })
  process.on("disconnect", () => process.exit())
  process.send("ready")
}
