/** One round: every worker registered once by one contestant, and what that cost. */
import { contestants, type ContestantName } from "./contestants.ts"
import type { Contestant } from "./contestant.ts"
import { makeWorkers } from "./workers.ts"

export interface Round {
  readonly name: ContestantName
  readonly concurrency: number
  readonly registrations: number
}

const answerAtOnce = async () => {}
const ready = new Map<string, Contestant>()
let workers = makeWorkers(0)

/** Runs one round and answers with its cost in microseconds per registration. */
export const run = async ({ concurrency, name, registrations }: Round): Promise<number> => {
  if (workers.length !== registrations) workers = makeWorkers(registrations)
  const key = `${name} ${concurrency}`
  const contestant = ready.get(key) ?? contestants[name]({ concurrency, callScheduler: answerAtOnce })
  ready.set(key, contestant)

  const startedAt = performance.now()
  const succeeded = await contestant.registerAll(workers)
  const millis = performance.now() - startedAt

  if (succeeded !== registrations) {
    throw new Error(`${name} registered ${succeeded} of ${registrations} workers`)
  }
  return (millis * 1000) / registrations
}
