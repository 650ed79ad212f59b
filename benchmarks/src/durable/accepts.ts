/** Workers that are accepted per second, handed over one at a time by callers that wait for each answer. */
import { printTable } from "../table.ts"
import type { Measured } from "./callers.ts"
import { formatRange, formatRate, formatRatio, type Lane, ratio, type Result, toResult } from "./lanes.ts"
import { mostCallers } from "./peer.ts"
import { progress } from "./progress.ts"
import type { Scratch } from "./scratch.ts"

const levels = [
  { callers: 1, millis: 500 },
  { callers: 16, millis: 750 },
  { callers: mostCallers, millis: 1000 }
]
const warmUps = 2
const rounds = 5

/** Measures and prints every level, and answers with the results of the last. */
export const measureAccepts = async (
  scratch: Scratch,
  lanes: ReadonlyArray<Lane>
): Promise<ReadonlyArray<Result>> => {
  const measured = levels.map((level) => ({ level, rounds: new Map<Lane, Array<Measured>>() }))
  for (let index = 0; index < warmUps; index++) {
    progress(`single workers: warm-up ${index + 1} of ${warmUps}`)
    for (const lane of lanes) await round(lane, { callers: mostCallers, millis: 1000 })
  }
  for (let index = 0; index < rounds; index++) {
    // The disk is shared, and others' flushes slow down whoever waits for one.
    const flush = scratch.flushMillis().toFixed(2)
    progress(`single workers: round ${index + 1} of ${rounds}; the disk flushes a block in ${flush} ms`)
    for (const { level, rounds } of measured) {
      for (const lane of lanes) rounds.set(lane, [...(rounds.get(lane) ?? []), await round(lane, level)])
    }
  }
  const results = measured.map(({ level, rounds }) => ({
    level,
    results: Array.from(rounds, ([lane, rounds]) => toResult(lane, rounds))
  }))
  for (const { level, results: atLevel } of results) report(level.callers, atLevel)
  return results.at(-1)?.results ?? []
}

const round = async (lane: Lane, level: (typeof levels)[number]): Promise<Measured> => {
  const measured = await lane.do({ do: "accept", ...level })
  await lane.settle()
  return measured
}

const report = (callers: number, results: ReadonlyArray<Result>): void => {
  console.log()
  printTable(
    ["to bare", "to (b)", "to (c)", "per second", "min–max", "p50 ms", "p99 ms", `${callers} at a time`],
    results.map((result) => [
      formatRatio(ratio(result, results, "bare")),
      formatRatio(ratio(result, results, "b")),
      formatRatio(ratio(result, results, "c")),
      formatRate(result.perSecond.median),
      formatRange(result.perSecond),
      result.p50.toFixed(2),
      result.p99.toFixed(2),
      result.lane.name
    ])
  )
}
