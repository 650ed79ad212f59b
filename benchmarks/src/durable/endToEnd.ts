/**
 * From handed over to done. For Muster: workers per second from the first byte of a batch until all of it is
 * registered with the embedded scheduler. For the peers: jobs that do nothing, from the first one until all are
 * recorded as done; that they have to be added before is shown beside it and not counted.
 */
import { printTable } from "../table.ts"
import { formatRange, formatRate, formatRatio, type Lane, type Result, toResult } from "./lanes.ts"
import { progress } from "./progress.ts"
import { summarize } from "../statistics.ts"

const warmUpCount = 2_000
const count = 10_000
const rounds = 3

interface EndToEnd {
  readonly count: number
  /** What counts. */
  readonly seconds: number
  readonly acceptSeconds: number
}

/** Measures and prints. */
export const measureEndToEnd = async (lanes: ReadonlyArray<Lane>): Promise<ReadonlyArray<Result>> => {
  const measured = new Map<Lane, Array<EndToEnd>>(lanes.map((lane) => [lane, []]))
  for (let index = -1; index < rounds; index++) {
    progress(index < 0 ? "end to end: warm-up" : `end to end: round ${index + 1} of ${rounds}`)
    for (const lane of lanes) {
      const done = await run(lane, index < 0 ? warmUpCount : count)
      if (index >= 0) measured.get(lane)?.push(done)
    }
  }
  const results = Array.from(measured, ([lane, rounds]) =>
    toResult(
      lane,
      rounds.map((round) => ({ ...round, p50: NaN, p99: NaN }))
    )
  )
  const peers = results.filter(({ lane }) => lane.role === "b")
  console.log()
  printTable(
    [
      ...peers.map(({ lane }) => `to ${lane.name.split(" ", 1)[0]}`),
      "per second",
      "min–max",
      "accepted in s",
      `${formatRate(count)} workers or jobs done`
    ],
    results.map((result) => [
      ...peers.map((peer) => formatRatio(result.perSecond.median / peer.perSecond.median)),
      formatRate(result.perSecond.median),
      formatRange(result.perSecond),
      summarize((measured.get(result.lane) ?? []).map(({ acceptSeconds }) => acceptSeconds)).median.toFixed(
        2
      ),
      result.lane.name
    ])
  )
  return results
}

const run = async (lane: Lane, count: number): Promise<EndToEnd> => {
  const startedAt = performance.now()
  const accepted = await lane.do({ do: "acceptMany", count })
  if (lane.role === "muster") {
    await lane.settle()
    const seconds = (performance.now() - startedAt) / 1000
    return { count, seconds, acceptSeconds: accepted.seconds }
  }
  const { seconds } = await lane.do({ do: "workOff", count })
  return { count, seconds, acceptSeconds: accepted.seconds }
}
