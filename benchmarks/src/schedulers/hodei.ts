import * as Hodei from "@muster/server/schedulers/Hodei"
import { DateTime } from "effect"
import { freePort, Program } from "../durable/processes.ts"
import { protoClient, serverFolder } from "./protoClient.ts"
import type { SchedulerBench } from "./schedulerBench.ts"

/** The server of Hodei's definitions that the tests use, and `hodei.worker` by hand. It has no batches. */
export const hodei: SchedulerBench = {
  name: "Hodei",
  programs: [],
  workers: { oneByOne: 1500, together: 5000, muster: 5000 },
  start: async () => {
    const port = await freePort()
    const address = `127.0.0.1:${port}`
    const main = `${serverFolder}/integration/hodei/main.ts`
    const program = Program.run(process.execPath, [main, String(port)])
    const client = protoClient("hodei/worker/worker_agent.proto", "hodei.worker.WorkerAgentService", address)
    await program.until(async () => {
      await client.call("getAvailableWorkers", { maxResults: 1 })
      return true
    })
    return {
      adapter: Hodei.layer({ addresses: [address] }),
      register: async ({ capabilities, id, metadata }) => {
        await client.call("register", {
          workerInfo: {
            workerId: { value: id },
            name: id,
            capacity: {
              cpuCoresTotal: capabilities.cpuCores,
              memoryBytesTotal: capabilities.memoryMb * 2 ** 20
            },
            labels: metadata.labels,
            startTime: { seconds: Math.floor(DateTime.toEpochMillis(metadata.provisionedAt) / 1000) }
          }
        })
      },
      [Symbol.asyncDispose]: async () => {
        client.close()
        await program[Symbol.asyncDispose]()
      }
    }
  }
}
