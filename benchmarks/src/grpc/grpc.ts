/**
 * `pnpm bench grpc`: workers a second over gRPC to the reference scheduler in another process, from callers that each
 * register one worker at a time: through Muster's `register` with micro-batching, and through a hand-written client.
 */
import { MicroBatching, WorkerRegistration } from "@muster/core"
import * as Grpc from "@muster/server/schedulers/Grpc"
import { Effect, Layer, ManagedRuntime, References } from "effect"
import pLimit from "p-limit"
import { freePort, Program } from "../durable/processes.ts"
import { progress } from "../durable/progress.ts"
import { registerBy } from "../schedulers/grpc.ts"
import { bin } from "../schedulers/protoClient.ts"
import { summarize } from "../statistics.ts"
import { printTable } from "../table.ts"
import { makeWorkers } from "../workers.ts"

const rounds = 5
/** About a second's worth for the hand-written client; Muster gets more where it is faster. */
const sizes = [
  { callers: 1, byHand: 2_000, muster: 2_000 },
  { callers: 10, byHand: 4_000, muster: 15_000 },
  { callers: 100, byHand: 5_000, muster: 40_000 },
  { callers: 1_000, byHand: 5_000, muster: 80_000 }
]

export const grpc = async (): Promise<void> => {
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  await using scheduler = Program.run(process.execPath, [
    bin,
    "scheduler",
    "--amnesia",
    "--port",
    String(port)
  ])
  const byHand = registerBy(address)
  const withDeadline = registerBy(address, 30_000)
  const [first] = makeWorkers(1, "first")
  await scheduler.until(async () => {
    if (first !== undefined) await byHand.register(first, 1)
    return true
  })
  const runtime = ManagedRuntime.make(
    WorkerRegistration.layer.pipe(
      Layer.provide(MicroBatching.layer),
      Layer.provide(Grpc.layer({ addresses: [address] })),
      Layer.merge(Layer.succeed(References.MinimumLogLevel, "None"))
    )
  )
  let generation = 1
  let round = 0

  const withByHand = async (client: typeof byHand, callers: number, count: number) => {
    const limit = pLimit(callers)
    const workers = makeWorkers(count, `hand-${callers}-${round++}`)
    const startedAt = performance.now()
    await Promise.all(workers.map((worker) => limit(() => client.register(worker, ++generation))))
    return (count * 1000) / (performance.now() - startedAt)
  }

  const withMuster = async (callers: number, count: number) => {
    const workers = makeWorkers(count, `muster-${callers}-${round++}`)
    const startedAt = performance.now()
    await runtime.runPromise(
      Effect.flatMap(WorkerRegistration, ({ register }) =>
        Effect.forEach(workers, register, { concurrency: callers, discard: true })
      )
    )
    return (count * 1000) / (performance.now() - startedAt)
  }

  const rows: Array<ReadonlyArray<string>> = []
  for (const { byHand: byHandCount, callers, muster } of sizes) {
    progress(`${callers} callers`)
    const lanes = {
      "grpc-js with p-limit": () => withByHand(byHand, callers, byHandCount),
      "the same, with a deadline": () => withByHand(withDeadline, callers, byHandCount),
      Muster: () => withMuster(callers, muster)
    }
    const rates = new Map<string, Array<number>>(Object.keys(lanes).map((name) => [name, []]))
    for (let index = 0; index <= rounds; index++) {
      for (const [name, run] of Object.entries(lanes)) {
        const rate = await run()
        if (index > 0) rates.get(name)?.push(rate)
      }
    }
    const summaries = Array.from(rates, ([name, values]) => ({ name, summary: summarize(values) }))
    const first = summaries[0]?.summary.median ?? NaN
    for (const { name, summary } of summaries) {
      rows.push([
        (summary.median / first).toFixed(2),
        summary.median.toFixed(0),
        range(summary),
        String(callers),
        name
      ])
    }
  }
  printTable(["to by hand", "workers/s", "min–max", "callers", ""], rows)
  byHand.close()
  withDeadline.close()
  await runtime.dispose()
}

const range = ({ maximum, minimum }: { readonly minimum: number; readonly maximum: number }) =>
  `${minimum.toFixed(0)}–${maximum.toFixed(0)}`
