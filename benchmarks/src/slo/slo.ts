/**
 * `pnpm bench slo`: the success figures of the specification, measured against a reference scheduler that takes 20 ms
 * for each call and fails one in twenty.
 */
import { Duration, Effect, Layer, References, Result } from "effect"
import { RegistrationConfig, type Worker, WorkerRegistration } from "@muster/core"
import * as Grpc from "@muster/server/schedulers/Grpc"
import { freePort, Program } from "../durable/processes.ts"
import { registerBy } from "../schedulers/grpc.ts"
import { bin } from "../schedulers/protoClient.ts"
import { quantile } from "../statistics.ts"
import { printTable } from "../table.ts"
import { makeWorkers } from "../workers.ts"

const count = 5_000
const atOnce = 100

/** Prints each figure beside its target; the process ends with 1 where one is missed. */
export const slo = async (): Promise<void> => {
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  const flags = ["--amnesia", "--latency", "20ms", "--fail-rate", "0.05", "--port", String(port)]
  await using scheduler = Program.run(process.execPath, [bin, "scheduler", ...flags])
  const probe = registerBy(address)
  await scheduler.until(async () => {
    await Promise.all(makeWorkers(1, "first").map((worker) => probe.register(worker, 1)))
    return true
  })
  probe.close()

  // The library's defaults, but for the concurrency: nothing but retries hides a failure.
  const registerAll = async (workers: ReadonlyArray<Worker>, batchConcurrency: number) => {
    const layer = WorkerRegistration.layer.pipe(
      Layer.provide(Grpc.layer({ addresses: [address] })),
      Layer.provide(RegistrationConfig.layer({ batchConcurrency })),
      Layer.merge(Layer.succeed(References.MinimumLogLevel, "None"))
    )
    const startedAt = performance.now()
    const registering = Effect.flatMap(WorkerRegistration, ({ registerBatch }) => registerBatch(workers))
    const results = await Effect.runPromise(Effect.provide(registering, layer))
    return { results, seconds: (performance.now() - startedAt) / 1000 }
  }

  const batch = await registerAll(makeWorkers(count, "batch"), 50)
  const instant = await registerAll(makeWorkers(atOnce, "instant"), atOnce)
  const receipts = batch.results.filter(Result.isSuccess).map(({ success }) => success)
  const durations = receipts.map(({ duration }) => Duration.toMillis(duration)).toSorted((a, b) => a - b)
  const saved = receipts.filter(({ attempts }) => attempts > 1).length
  const lost = count - receipts.length
  const perMinute = (receipts.length / batch.seconds) * 60
  const together = instant.results.filter(Result.isSuccess).length

  const figures: ReadonlyArray<Figure> = [
    {
      name: `of ${count} workers are registered`,
      target: "> 99.5 %",
      measured: percent(receipts.length / count),
      isMet: receipts.length / count > 0.995
    },
    {
      name: "95 of 100 registrations take at most",
      target: "< 2 s",
      measured: `${quantile(durations, 0.95).toFixed(1)} ms`,
      isMet: quantile(durations, 0.95) < 2000
    },
    {
      name: `of ${saved + lost} failed first attempts a retry made good`,
      target: "> 80 %",
      measured: percent(saved / (saved + lost)),
      isMet: saved / (saved + lost) > 0.8
    },
    {
      name: `workers a minute in a batch, ${(perMinute / 100).toFixed(0)} times the target`,
      target: "> 100",
      measured: perMinute.toFixed(0),
      isMet: perMinute > 100
    },
    {
      name: `of ${atOnce} at the same instant are registered, in ${instant.seconds.toFixed(2)} s`,
      target: "all",
      measured: String(together),
      isMet: together === atOnce
    }
  ]
  printTable(
    ["target", "measured", "met", "20 ms of latency, 5 % of the calls fail"],
    figures.map(({ isMet, measured, name, target }) => [target, measured, isMet ? "yes" : "NO", name])
  )
  if (figures.some(({ isMet }) => !isMet)) process.exitCode = 1
}

interface Figure {
  readonly name: string
  readonly target: string
  readonly measured: string
  readonly isMet: boolean
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`
