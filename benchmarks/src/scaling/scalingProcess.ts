/** One size in a process of its own: so many workers through `registerStream`, and what that took. */
import { RegistrationConfig, SchedulerPort, Worker, WorkerRegistration } from "@muster/core"
import { Effect, Layer, References, Result, Stream } from "effect"
import { monitorEventLoopDelay } from "node:perf_hooks"

export interface Scaled {
  readonly seconds: number
  /** The most memory that the process had, in MB. */
  readonly megabytes: number
  /** How late the event loop was, in milliseconds: 99 of 100 times at most. */
  readonly delay: number
}

const count = Number(process.argv[2])
const warmUp = 100_000

// Answers behind a promise and keeps nothing: what grows is Muster's.
const scheduler = SchedulerPort.make({
  register: () => Effect.promise(async () => {}),
  unregister: () => Effect.void
})

const layer = WorkerRegistration.layer.pipe(
  Layer.provide(Layer.succeed(SchedulerPort, scheduler)),
  Layer.provide(RegistrationConfig.layer({ batchConcurrency: 100 })),
  Layer.merge(Layer.succeed(References.MinimumLogLevel, "None"))
)

const registerAll = (count: number) => {
  const workers = Stream.mapEffect(Stream.range(1, count), (index) =>
    Worker.decode({ id: `worker-${index}`, capabilities: { cpuCores: 4, memoryMb: 8192 } })
  )
  return Effect.flatMap(WorkerRegistration, ({ registerStream }) =>
    Stream.runFold(
      registerStream(workers),
      () => 0,
      (registered, result) => registered + (Result.isSuccess(result) ? 1 : 0)
    )
  ).pipe(Effect.provide(layer), Effect.runPromise)
}

// What the engine learns and keeps is the same for all sizes.
await registerAll(warmUp)
const delays = monitorEventLoopDelay({ resolution: 10 })
delays.enable()
const startedAt = performance.now()
const registered = await registerAll(count)
if (registered !== count) throw new Error(`registered ${registered} of ${count} workers`)
const scaled: Scaled = {
  seconds: (performance.now() - startedAt) / 1000,
  megabytes: (process.resourceUsage().maxRSS * 1024) / 1e6,
  // What the timer itself takes is no delay.
  delay: Math.max(0, delays.percentile(99) / 1e6 - 10)
}
process.send?.(scaled)
process.disconnect()
