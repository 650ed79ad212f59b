import * as Grpc from "@muster/server/schedulers/Grpc"
import { DateTime } from "effect"
import { freePort, Program } from "../durable/processes.ts"
import { bin, type ProtoClient, protoClient } from "./protoClient.ts"
import type { RunningScheduler, SchedulerBench } from "./schedulerBench.ts"

const toClient = (address: string, deadlineMillis?: number) =>
  protoClient(
    "muster/scheduler/v1/scheduler.proto",
    "muster.scheduler.v1.SchedulerService",
    address,
    deadlineMillis
  )

const registerWith =
  (client: ProtoClient): RunningScheduler["register"] =>
  async ({ capabilities, id, metadata }, generation) => {
    await client.call("register", {
      generation,
      worker: {
        id,
        capabilities: { ...capabilities, memoryMib: capabilities.memoryMb },
        metadata: {
          ...metadata,
          workerType: metadata.workerType === "static" ? 1 : 2,
          provisionedAt: { seconds: Math.floor(DateTime.toEpochMillis(metadata.provisionedAt) / 1000) }
        }
      }
    })
  }

/** `muster.scheduler.v1` by hand: one call for each worker. */
export const registerBy = (address: string, deadlineMillis?: number) => {
  const client = toClient(address, deadlineMillis)
  return { register: registerWith(client), close: client.close }
}

/** `muster scheduler`, and `muster.scheduler.v1` by hand. */
export const grpc: SchedulerBench = {
  name: "gRPC",
  programs: [],
  workers: { oneByOne: 1500, together: 5000, muster: 40_000 },
  start: async () => {
    const port = await freePort()
    const address = `127.0.0.1:${port}`
    const program = Program.run(process.execPath, [bin, "scheduler", "--amnesia", "--port", String(port)])
    const client = toClient(address)
    await program.until(async () => {
      await client.call("unregister", { workerId: "nobody", generation: 1 })
      return true
    })
    return {
      adapter: Grpc.layer({ addresses: [address] }),
      register: registerWith(client),
      [Symbol.asyncDispose]: async () => {
        client.close()
        await program[Symbol.asyncDispose]()
      }
    }
  }
}
