/** Asks a service for `/healthz` every ten milliseconds until it is told to stop, and then says how long the answers took. */
import { Agent, get } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"

export interface Asked {
  readonly answers: number
  readonly p50: number
  readonly p99: number
  readonly longest: number
}

const everyMillis = 10
const [port] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true })

const ask = (): Promise<number> => {
  const { promise, reject, resolve } = Promise.withResolvers<number>()
  const startedAt = performance.now()
  get(`http://127.0.0.1:${port}/healthz`, { agent }, (answer) => {
    answer.resume()
    answer.on("end", () =>
      answer.statusCode === 200
        ? resolve(performance.now() - startedAt)
        : reject(new Error(`healthz answered ${answer.statusCode}`))
    )
  }).on("error", reject)
  return promise
}

const told = new AbortController()
process.on("message", () => told.abort())
for (let warmUp = 0; warmUp < 50; warmUp++) await ask()
process.send?.("ready")

const asked: Array<Promise<number>> = []
while (!told.signal.aborted) {
  asked.push(ask())
  await sleep(everyMillis)
}
const millis = (await Promise.all(asked)).toSorted((left, right) => left - right)
const at = (share: number) => millis[Math.min(millis.length - 1, Math.floor(millis.length * share))] ?? NaN
process.send?.({
  answers: millis.length,
  p50: at(0.5),
  p99: at(0.99),
  longest: at(1)
} satisfies Asked)
process.disconnect()
agent.destroy()
