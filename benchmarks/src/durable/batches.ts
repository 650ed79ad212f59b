/** Workers that are accepted per second, handed over in bulk. */
import { printTable } from "../table.ts"
import type { Measured } from "./callers.ts"
import { formatRange, formatRate, formatRatio, type Lane, ratio, type Result, toResult } from "./lanes.ts"
import { progress } from "./progress.ts"

const warmUpCount = 10_000
const count = 50_000
const rounds = 3

/** Measures and prints. */
export const measureBatches = async (lanes: ReadonlyArray<Lane>): Promise<ReadonlyArray<Result>> => {
  const measured = new Map<Lane, Array<Measured>>(lanes.map((lane) => [lane, []]))
  for (let index = -1; index < rounds; index++) {
    progress(index < 0 ? "batches: warm-up" : `batches: round ${index + 1} of ${rounds}`)
    for (const lane of lanes) {
      const batch = await lane.do({ do: "acceptMany", count: index < 0 ? warmUpCount : count })
      await lane.settle()
      if (index >= 0) measured.get(lane)?.push(batch)
    }
  }
  const results = Array.from(measured, ([lane, rounds]) => toResult(lane, rounds))
  console.log()
  printTable(
    ["to (b)", "per second", "min–max", `${formatRate(count)} in bulk`],
    results.map((result) => [
      formatRatio(ratio(result, results, "b")),
      formatRate(result.perSecond.median),
      formatRange(result.perSecond),
      result.lane.name
    ])
  )
  return results
}
