/** BullMQ: `add` for one, `addBulk` for many. */
import { Queue } from "bullmq"
import { createClient } from "redis"
import { workerInput } from "../payload.ts"
import { inSlices, type Peer } from "../peer.ts"

const name = "register"

export const make = async (port: number): Promise<Peer> => {
  const connection = createClient({ socket: { host: "127.0.0.1", port } })
  await connection.connect()
  const queue = new Queue(name, { connection })
  return {
    accept: async (sequence) => {
      await queue.add(name, workerInput(sequence))
    },
    acceptMany: (first, count) =>
      inSlices({ first, count, size: 500, concurrency: 4 }, (from, size) =>
        queue.addBulk(Array.from({ length: size }, (_, index) => ({ name, data: workerInput(from + index) })))
      )
  }
}
