/**
 * `pnpm bench storm`: a scheduler that takes 500 registrations a second holds 20,000 workers, is killed and comes back
 * empty. Everybody registers again: clients that know nothing of each other, and Muster, which is not told the rate.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { freePort, Program } from "../durable/processes.ts"
import { progress } from "../durable/progress.ts"
import { registerBy } from "../schedulers/grpc.ts"
import { bin } from "../schedulers/protoClient.ts"
import { printTable } from "../table.ts"
import { makeWorkers } from "../workers.ts"
import { registerAll } from "./naiveClients.ts"
import { drawStorm, type Storm } from "./picture.ts"
import { ReferenceScheduler, type Second } from "./referenceScheduler.ts"

const count = 20_000
const maxRate = 500
const ideal = count / maxRate
const picture = fileURLToPath(new URL("../../../docs/images/storm.svg", import.meta.url))

export const storm = async (flags: ReadonlySet<string>): Promise<void> => {
  const storms = [
    await clients("(a) clients, no jitter", "none"),
    await clients("(b) clients, full jitter", "full"),
    await muster("(c) Muster")
  ]
  printTable(
    [
      "to the ideal",
      "seconds",
      "attempts a worker",
      "refused",
      "worst second",
      `${count} workers, ${maxRate} a second`
    ],
    storms.map(({ name, seconds, timeline }) => {
      const accepted = sum(timeline, "accepted")
      const refused = sum(timeline, "refused")
      const worst = Math.max(...timeline.map((second) => second.accepted + second.refused))
      return [
        (seconds / ideal).toFixed(2),
        seconds.toFixed(1),
        ((accepted + refused) / count).toFixed(2),
        `${((100 * refused) / (accepted + refused)).toFixed(1)} %`,
        worst.toFixed(0),
        name
      ]
    })
  )
  if (flags.has("--draw")) {
    await writeFile(picture, drawStorm(storms, { count, maxRate }))
    progress(`drawn: ${picture}`)
  }
}

const sum = (timeline: ReadonlyArray<Second>, field: "accepted" | "refused") =>
  timeline.reduce((total, second) => total + second[field], 0)

const limited = (port: number) => ReferenceScheduler.start(port, "--max-rate", String(maxRate))

/** They find their scheduler gone, and begin the moment it is back. */
const clients = async (name: string, jitter: "none" | "full"): Promise<Storm> => {
  progress(name)
  const workers = makeWorkers(count)
  const port = await freePort()
  await using scheduler = await limited(port)
  const { close, register } = registerBy(`127.0.0.1:${port}`)
  const startedAt = performance.now()
  await registerAll(workers, { register, jitter })
  const seconds = (performance.now() - startedAt) / 1000
  close()
  await scheduler.until(() => (scheduler.seconds.at(-1)?.workers ?? 0) === count)
  return { name, seconds, timeline: scheduler.seconds }
}

const muster = async (name: string): Promise<Storm> => {
  progress(name)
  const folder = await mkdtemp(join(tmpdir(), "muster-storm-"))
  const [port, http] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${http}`
  // Without a limit, so that the fleet is there in a moment.
  const before = await ReferenceScheduler.start(port)
  await using _service = Program.run(
    process.execPath,
    [
      bin,
      "serve",
      "--port",
      String(http),
      "--scheduler",
      `grpc://127.0.0.1:${port}`,
      "--store",
      join(folder, "fleet.db")
    ],
    { MUSTER_LOG_LEVEL: "none" }
  )
  await _service.until(async () => (await fetch(`${url}/readyz`)).ok)
  const workers = makeWorkers(count)
  await fetch(`${url}/v1/workers/batch`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: workers.map((worker) => `${JSON.stringify(worker)}\n`).join("")
  }).then((answer) => answer.text())
  const unfinished = async () => {
    const { unfinished }: { unfinished: { count: number } } = await (
      await fetch(`${url}/v1/scheduler`)
    ).json()
    return unfinished.count
  }
  while ((await unfinished()) > 0) await sleep(100)
  // As a fleet that has been there for a while: Muster compares no more often than every ten seconds.
  await sleep(11_000)
  progress(`${name}: the scheduler is killed`)
  await before.kill()
  await using scheduler = await limited(port)
  const startedAt = performance.now()
  await scheduler.until(() => scheduler.seconds.length > 0)
  while ((await unfinished()) > 0) await sleep(20)
  const seconds = (performance.now() - startedAt) / 1000
  await scheduler.until(() => (scheduler.seconds.at(-1)?.workers ?? 0) === count)
  await rm(folder, { recursive: true })
  return { name, seconds, timeline: scheduler.seconds }
}
