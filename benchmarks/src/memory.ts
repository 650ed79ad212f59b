/**
 * The memory of one worker in flight: the growth of the heap while a scheduler keeps every one of very many
 * registrations waiting, after a full garbage collection.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { type ContestantName, rivals } from "./contestants.ts"
import { inFlight } from "./memoryProcess.ts"
import { printTable } from "./table.ts"

/** A scheduler that answers before the call returns never has anything in flight. */
const measured = rivals.filter((name) => !name.endsWith("sync port"))

export const memory = async (): Promise<void> => {
  console.log(`\nHeap for each worker while that many registrations hang in flight at once, after gc\n`)
  const costs = new Map<ContestantName, number>()
  for (const name of measured) costs.set(name, await measure(name))
  const ratio = (bytes: number, to: ContestantName) => (bytes / (costs.get(to) ?? NaN)).toFixed(2)
  printTable(
    ["to (a)", "to (b)", "bytes each", "in flight", "contestant"],
    Array.from(costs, ([name, bytes]) => [
      ratio(bytes, "(a) p-retry + p-limit"),
      ratio(bytes, "(b) cockatiel"),
      bytes.toFixed(0),
      String(inFlight(name)),
      name
    ])
  )
}

const measure = async (name: ContestantName): Promise<number> => {
  const child = fork(new URL("./memoryProcess.ts", import.meta.url), [name], { execArgv: ["--expose-gc"] })
  const [bytes] = await once(child, "message")
  return Number(bytes)
}
