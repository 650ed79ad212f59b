import * as Etcd from "@muster/server/schedulers/Etcd"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startEtcd } from "../durable/services.ts"
import { protoClient } from "./protoClient.ts"
import type { SchedulerBench } from "./schedulerBench.ts"

/** etcd as it comes, and a put for each worker by hand, which compares nothing. */
export const etcd: SchedulerBench = {
  name: "etcd",
  programs: ["etcd"],
  workers: { oneByOne: 800, together: 3000, muster: 20_000 },
  start: async () => {
    const folder = await mkdtemp(join(tmpdir(), "muster-bench-"))
    const started = await startEtcd(folder)
    if (started === undefined) throw new Error("etcd is not installed")
    const address = `127.0.0.1:${started.port}`
    const client = protoClient("etcd/etcd.proto", "etcdserverpb.KV", address)
    return {
      adapter: Etcd.layer({ addresses: [address], prefix: "muster" }),
      register: async (worker, generation) => {
        const put = {
          key: Buffer.from(`by-hand/workers/${worker.id}`),
          value: Buffer.from(JSON.stringify({ generation, worker }))
        }
        await client.call("txn", { success: [{ put }] })
      },
      [Symbol.asyncDispose]: async () => {
        client.close()
        await started.program[Symbol.asyncDispose]()
        await rm(folder, { recursive: true })
      }
    }
  }
}
