/**
 * `pnpm bench schedulers`: how many workers a second reach a scheduler, through Muster and through a client of the
 * same protocol that makes one call for each worker. Every scheduler is the real one, in a process of its own.
 */
import { MicroBatching, RegistrationConfig, type Worker, WorkerRegistration } from "@muster/core"
import { Effect, Layer, ManagedRuntime, References, Result } from "effect"
import { isInstalled } from "../durable/processes.ts"
import { progress } from "../durable/progress.ts"
import { summarize } from "../statistics.ts"
import { printTable } from "../table.ts"
import { makeWorkers } from "../workers.ts"
import { etcd } from "./etcd.ts"
import { grpc } from "./grpc.ts"
import { hodei } from "./hodei.ts"
import { slurm } from "./slurm.ts"
import type { RunningScheduler, SchedulerBench } from "./schedulerBench.ts"

const benches: ReadonlyArray<SchedulerBench> = [grpc, etcd, hodei, slurm]

const rounds = 5
const together = 64
/** Workers in flight in Muster: enough for every batch to be full. */
const inFlight = 1024

interface Contestant {
  readonly name: string
  readonly count: number
  readonly registerAll: (workers: ReadonlyArray<Worker>) => Promise<void>
}

export const schedulers = async (): Promise<void> => {
  for (const bench of benches) {
    const missing = bench.programs.filter((program) => !isInstalled(program))
    if (missing.length > 0) {
      console.log(`${bench.name} is left out: ${missing.join(" and ")} not installed`)
      continue
    }
    await compare(bench)
  }
}

const compare = async (bench: SchedulerBench): Promise<void> => {
  progress(`${bench.name} starts`)
  await using scheduler = await bench.start()
  await using muster = throughMuster(scheduler, bench)
  const contestants: ReadonlyArray<Contestant> = [
    { name: "one call at a time", count: bench.workers.oneByOne, registerAll: byHand(scheduler, 1) },
    {
      name: `${together} calls at a time`,
      count: bench.workers.together,
      registerAll: byHand(scheduler, together)
    },
    muster
  ]
  const rates = contestants.map((): Array<number> => [])
  for (let round = 0; round <= rounds; round++) {
    for (const [index, { count, registerAll }] of contestants.entries()) {
      const workers = makeWorkers(count, `${round}-${index}`)
      const startedAt = performance.now()
      await registerAll(workers)
      const rate = (count * 1000) / (performance.now() - startedAt)
      // The first round is for warming up.
      if (round > 0) rates[index]?.push(rate)
    }
  }
  const summaries = rates.map(summarize)
  const naive = summaries[0]?.median ?? NaN
  printTable(
    ["to one at a time", "workers/s", "min–max", bench.name],
    summaries.map(({ maximum, median, minimum }, index) => [
      (median / naive).toFixed(2),
      median.toFixed(0),
      `${minimum.toFixed(0)}–${maximum.toFixed(0)}`,
      contestants[index]?.name ?? ""
    ])
  )
}

/** Generations that grow, and are above those of Muster's clock in no round. */
let generation = 0

const byHand =
  (scheduler: RunningScheduler, concurrency: number) => async (workers: ReadonlyArray<Worker>) => {
    const left = workers.values()
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        for (const worker of left) await scheduler.register(worker, ++generation)
      })
    )
  }

const throughMuster = (
  { adapter }: RunningScheduler,
  { workers: { muster: count } }: SchedulerBench
): Contestant & AsyncDisposable => {
  const runtime = ManagedRuntime.make(
    WorkerRegistration.layer.pipe(
      Layer.provide(MicroBatching.layer),
      Layer.provide(adapter),
      Layer.provide(RegistrationConfig.layer({ batchConcurrency: inFlight })),
      Layer.merge(Layer.succeed(References.MinimumLogLevel, "None"))
    )
  )
  const registerAll = (workers: ReadonlyArray<Worker>) =>
    runtime.runPromise(
      Effect.flatMap(WorkerRegistration, (registration) => registration.registerBatch(workers)).pipe(
        Effect.map((results) => {
          const failed = results.find(Result.isFailure)
          if (failed !== undefined) throw failed.failure
        })
      )
    )
  return {
    name: `Muster, ${inFlight} workers in flight`,
    count,
    registerAll,
    [Symbol.asyncDispose]: () => runtime.dispose()
  }
}
