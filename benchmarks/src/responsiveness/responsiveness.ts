/**
 * `pnpm bench responsiveness`: how long `GET /healthz` takes while a batch of 100,000 workers arrives and is
 * registered, from a process of its own that asks every ten milliseconds, whatever became of the question before.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Muster } from "../durable/muster.ts"
import { workerLines } from "../durable/payload.ts"
import { printTable } from "../table.ts"
import type { Asked } from "./askerProcess.ts"

const workers = 100_000
const rounds = 3
const goalMillis = 20

export const responsiveness = async (): Promise<void> => {
  console.log(
    `\nA batch of ${workers} workers as NDJSON, stored and registered with the embedded scheduler; the median of ${rounds}.\n`
  )
  const rows: Array<ReadonlyArray<string>> = []
  const body = workerLines(0, workers)
  for (const store of ["memory", "file"]) {
    const asked: Array<Asked & { readonly seconds: number; readonly megabytes: number }> = []
    for (let round = 0; round < rounds; round++) {
      const folder = await mkdtemp(join(tmpdir(), "muster-bench-"))
      try {
        asked.push(await measure(store === "memory" ? store : join(folder, "fleet.db"), body))
      } finally {
        await rm(folder, { recursive: true })
      }
    }
    const [median] = asked.toSorted((left, right) => left.p99 - right.p99).slice(Math.floor(rounds / 2))
    if (median === undefined) continue
    rows.push([
      median.p99 < goalMillis ? "yes" : "no",
      median.p50.toFixed(1),
      median.p99.toFixed(1),
      median.longest.toFixed(1),
      String(median.answers),
      median.seconds.toFixed(1),
      median.megabytes.toFixed(0),
      `${store} store`
    ])
  }
  printTable(
    [`p99 < ${goalMillis} ms`, "p50, ms", "p99, ms", "max, ms", "answers", "s until registered", "MB", ""],
    rows
  )
}

const measure = async (store: string, body: string) => {
  await using muster = await Muster.start(store)
  const asker = fork(new URL("./askerProcess.ts", import.meta.url), [String(muster.port)])
  await once(asker, "message")
  const startedAt = performance.now()
  const answer = await fetch(`http://127.0.0.1:${muster.port}/v1/workers/batch`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body
  })
  await answer.text()
  await muster.registered(workers)
  const seconds = (performance.now() - startedAt) / 1000
  asker.send("stop")
  const [asked]: [Asked] = await once(asker, "message").then(([asked]) => [asked])
  return { ...asked, seconds, megabytes: muster.megabytes }
}
