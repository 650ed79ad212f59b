/** Clients that each retry on their own, as a hand-written agent does: with grpc-js, on a connection that they share. */
import type { Worker } from "@muster/core"
import { setTimeout as sleep } from "node:timers/promises"

/** The waits after the first four failures; then they begin anew. */
const waits = [100, 200, 400, 800]

export interface NaiveOptions {
  readonly register: (worker: Worker, generation: number) => Promise<void>
  readonly jitter: "none" | "full"
}

/** Each worker is registered by a client of its own, until it is. Gives how many calls that took. */
export const registerAll = async (
  workers: ReadonlyArray<Worker>,
  { jitter, register }: NaiveOptions
): Promise<number> => {
  let calls = 0
  const one = async (worker: Worker) => {
    for (let failures = 0; ; failures++) {
      calls++
      const isRegistered = await register(worker, 1).then(
        () => true,
        () => false
      )
      if (isRegistered) return
      const wait = waits[failures % waits.length] ?? 0
      await sleep(jitter === "full" ? wait * Math.random() : wait)
    }
  }
  await Promise.all(workers.map(one))
  return calls
}
