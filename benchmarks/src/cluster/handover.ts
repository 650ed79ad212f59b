/** How long a server's partitions are nobody's: after it was killed, and after it was told to stop. */
import { summarize, type Summary } from "../statistics.ts"
import { printTable } from "../table.ts"
import type { Muster } from "../durable/muster.ts"
import { progress } from "../durable/progress.ts"
import type { Place } from "./engine.ts"
import { askCluster, isEven, startCluster, startServer, untilCluster } from "./servers.ts"

const size = 3

/**
 * Measures and prints: milliseconds from the signal until every partition is held by a server that is up, and from the
 * moment that a new server is ready until each has its share. Nothing else is to be done meanwhile.
 */
export const measureHandover = async (place: Place, runs: number): Promise<void> => {
  const servers = [...(await startCluster(place, size))]
  try {
    const killed: Array<number> = []
    const stopped: Array<number> = []
    const joined: Array<number> = []
    for (let run = 0; run < runs; run++) {
      progress(`a server is killed, one is told to stop, each is replaced: ${run + 1} of ${runs}`)
      killed.push(await lose(servers, "SIGKILL"))
      joined.push(await replace(servers, place))
      stopped.push(await lose(servers, "SIGTERM"))
      joined.push(await replace(servers, place))
    }
    console.log()
    printTable(
      [
        "median s",
        "min–max",
        "runs",
        `until each partition is held by one of the others, of ${size} servers`
      ],
      [
        row("after SIGKILL", killed),
        row("after SIGTERM", stopped),
        row("until a new server has its share, from /readyz on", joined)
      ]
    )
  } finally {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()))
  }
}

const row = (name: string, seconds: ReadonlyArray<number>): ReadonlyArray<string> => {
  const { maximum, median, minimum }: Summary = summarize(seconds)
  return [median.toFixed(2), `${minimum.toFixed(2)}–${maximum.toFixed(2)}`, String(seconds.length), name]
}

/** Ends the last server; seconds until the others have what it had. */
const lose = async (servers: Array<Muster>, signal: "SIGKILL" | "SIGTERM"): Promise<number> => {
  const lost = servers.pop()
  const [asked] = servers
  if (lost === undefined || asked === undefined) throw new Error("there is no server left")
  const { servers: views } = await askCluster(lost)
  const itself = views.find(({ url }) => new URL(url).port === String(lost.port))
  const signalledAt = performance.now()
  const ended = lost.end(signal)
  await untilCluster(asked, (up) => up.every(({ id }) => id !== itself?.id))
  const seconds = (performance.now() - signalledAt) / 1000
  await ended
  await untilCluster(asked, isEven(servers.length))
  return seconds
}

/** Starts another server; seconds from when it is ready until each has its share. */
const replace = async (servers: Array<Muster>, place: Place): Promise<number> => {
  const server = await startServer(place)
  servers.push(server)
  const readyAt = performance.now()
  await untilCluster(server, isEven(servers.length))
  return (performance.now() - readyAt) / 1000
}
