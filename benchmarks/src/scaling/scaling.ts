/**
 * `pnpm bench scaling`: what a worker costs in streams of a thousand to a million workers. Each size has a process of
 * its own, so that its memory is its own as well.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { progress } from "../durable/progress.ts"
import { summarize } from "../statistics.ts"
import { printTable } from "../table.ts"
import { drawScaling, type Size } from "./picture.ts"
import type { Scaled } from "./scalingProcess.ts"

const sizes = [1_000, 10_000, 100_000, 1_000_000]
const rounds = 3
const picture = fileURLToPath(new URL("../../../docs/images/scaling.svg", import.meta.url))

export const scaling = async (flags: ReadonlySet<string>): Promise<void> => {
  const measured: Array<Size> = []
  for (const count of sizes) {
    progress(`${count} workers`)
    const runs: Array<Scaled> = []
    for (let round = 0; round < rounds; round++) runs.push(await run(count))
    const median = (field: keyof Scaled) => summarize(runs.map((scaled) => scaled[field])).median
    measured.push({
      count,
      micros: (median("seconds") * 1e6) / count,
      megabytes: median("megabytes"),
      delay: median("delay")
    })
  }
  printTable(
    ["workers", "µs each", "MB at most", "loop delay p99, ms", "through registerStream, 100 in flight"],
    measured.map(({ count, delay, megabytes, micros }) => [
      String(count),
      micros.toFixed(1),
      megabytes.toFixed(0),
      delay.toFixed(1),
      ""
    ])
  )
  if (flags.has("--draw")) {
    await writeFile(picture, drawScaling(measured))
    progress(`drawn: ${picture}`)
  }
}

const run = async (count: number): Promise<Scaled> => {
  const child = fork(new URL("./scalingProcess.ts", import.meta.url), [String(count)])
  const said: Promise<ReadonlyArray<Scaled>> = once(child, "message")
  const ended = once(child, "exit").then(() => {
    throw new Error(`the process for ${count} workers ended without a result`)
  })
  const [scaled] = await Promise.race([said, ended])
  ended.catch(() => {})
  if (scaled === undefined) throw new Error("a process of the benchmark said nothing")
  return scaled
}
