/** A process of one contestant's own, run with `--expose-gc`: lets registrations hang, and weighs the heap. */
import { setTimeout as sleep } from "node:timers/promises"
import { type ContestantName, contestants, isContestant } from "./contestants.ts"
import { makeWorkers } from "./workers.ts"

/**
 * Registrations in flight at once. cockatiel registers each one with a signal that all of them share, which looks
 * through all its listeners for each new one: 100,000 take it minutes, so it is weighed with fewer.
 */
export const inFlight = (name: ContestantName): number => (name === "(b) cockatiel" ? 10_000 : 100_000)

const weigh = async (): Promise<number> => {
  await sleep(100)
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

const measure = async (name: ContestantName): Promise<number> => {
  const count = inFlight(name)
  const answers: Array<() => void> = []
  const contestant = contestants[name]({
    concurrency: count,
    callScheduler: () => new Promise((resolve) => answers.push(resolve))
  })
  const workers = makeWorkers(count)
  const before = await weigh()
  const all = contestant.registerAll(workers)
  while (answers.length < count) await sleep(10)
  const after = await weigh()
  answers.forEach((answer) => answer())
  const succeeded = await all
  if (succeeded !== count) throw new Error(`${name} registered ${succeeded} of ${count} workers`)
  return (after - before) / count
}

const name = process.argv[2]
if (process.send !== undefined && name !== undefined && isContestant(name)) {
  process.send(await measure(name))
  process.disconnect()
}
