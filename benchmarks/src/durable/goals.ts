/** What the durable service should reach, and whether it did. */
import { formatRate, formatRatio, ratio, type Result } from "./lanes.ts"
import type { Million } from "./million.ts"

export interface Results {
  readonly accepts: ReadonlyArray<Result>
  readonly batches: ReadonlyArray<Result>
  readonly endToEnd: ReadonlyArray<Result>
  readonly million: ReadonlyArray<Million>
}

const leastToBare = 0.8
const leastInBatches = 50_000
const leastToPeersAtWork = 5
const mostReopenSeconds = 2
const mostMegabytes = 100

/** Prints one line for each goal and each store. */
export const reportGoals = ({ accepts, batches, endToEnd, million }: Results): void => {
  console.log("\nGoals\n")
  for (const result of musters(accepts)) {
    const { name } = result.lane
    const single = `${name}: single workers at 64 connections, times`
    report(`${single} (b)`, ratio(result, accepts, "b"), "above 1", (value) => value > 1)
    report(`${single} (c)`, ratio(result, accepts, "c"), "above 1", (value) => value > 1)
    report(
      `${single} the bare route`,
      ratio(result, accepts, "bare"),
      `at least ${leastToBare}`,
      (value) => value >= leastToBare
    )
  }
  for (const { lane, perSecond } of musters(batches)) {
    const isMet = perSecond.median > leastInBatches
    tell(
      isMet,
      `${lane.name}: NDJSON, workers per second`,
      formatRate(perSecond.median),
      `above ${formatRate(leastInBatches)}`
    )
  }
  for (const { lane, perSecond } of musters(endToEnd)) {
    for (const peer of endToEnd.filter(({ lane }) => lane.role === "b")) {
      report(
        `${lane.name}: end to end, times ${peer.lane.name}`,
        perSecond.median / peer.perSecond.median,
        `at least ${leastToPeersAtWork}`,
        (value) => value >= leastToPeersAtWork
      )
    }
  }
  for (const { moreMegabytes, reopenSeconds, store } of million) {
    tell(
      reopenSeconds < mostReopenSeconds,
      `${store.name}: a million workers, ready in seconds`,
      reopenSeconds.toFixed(2),
      `below ${mostReopenSeconds}`
    )
    tell(
      moreMegabytes <= mostMegabytes,
      `${store.name}: a million workers, more MB than none`,
      moreMegabytes.toFixed(0),
      `at most ${mostMegabytes}`
    )
  }
}

const musters = (results: ReadonlyArray<Result>) =>
  results.filter(({ lane }) => lane.role === "muster" || lane.role === "accepting")

const report = (what: string, value: number | undefined, rule: string, isMet: (value: number) => boolean) =>
  tell(value === undefined ? undefined : isMet(value), what, formatRatio(value), rule)

const tell = (isMet: boolean | undefined, what: string, value: string, rule: string): void => {
  const verdict = isMet === undefined ? "skipped" : isMet ? "met" : "NOT MET"
  console.log(`${verdict.padEnd(8)} ${what}: ${value} (${rule})`)
}
