/** Callers that each wait for an answer before they call again. */
import { quantile } from "../statistics.ts"

/** What some calls came to; latencies in milliseconds. */
export interface Measured {
  readonly count: number
  readonly seconds: number
  readonly p50: number
  readonly p99: number
}

/** Lets so many callers call for so many milliseconds. */
export const measure = async (
  callers: number,
  millis: number,
  call: (caller: number) => Promise<void>
): Promise<Measured> => {
  const latencies: Array<number> = []
  const startedAt = performance.now()
  const loop = async (caller: number) => {
    let calledAt = performance.now()
    while (calledAt < startedAt + millis) {
      await call(caller)
      const answeredAt = performance.now()
      latencies.push(answeredAt - calledAt)
      calledAt = answeredAt
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => loop(caller)))
  const seconds = (performance.now() - startedAt) / 1000
  const sorted = latencies.toSorted((left, right) => left - right)
  return {
    count: latencies.length,
    seconds,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99)
  }
}
