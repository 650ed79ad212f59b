/** The workers that everyone registers. */
import { Effect } from "effect"
import { Worker } from "@muster/core"

export const makeWorkers = (count: number, prefix = "worker"): ReadonlyArray<Worker> =>
  Effect.runSync(
    Effect.forEach(Array.from({ length: count }).keys(), (index) =>
      Worker.decode({
        id: `${prefix}-${index}`,
        capabilities: { cpuCores: 4, memoryMb: 8192 },
        metadata: { workerType: index % 2 === 0 ? "static" : "dynamic" }
      })
    )
  )
