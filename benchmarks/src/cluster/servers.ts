/** `muster serve`, alone or several over one store, and a client that hands over to all of them. */
import { setTimeout as sleep } from "node:timers/promises"
import { HttpConnection, post } from "../durable/httpConnection.ts"
import { Muster } from "../durable/muster.ts"
import { workerJson } from "../durable/payload.ts"
import { freePort } from "../durable/processes.ts"
import type { Contender, Engine, Place } from "./engine.ts"

/** Workers in one request. */
export const batch = 64
/** Requests that are under way at the same time, each on a connection of its own; shared among the servers. */
export const connections = 16

/** Starts one server of a cluster. */
export const startServer = async ({ scheduler, store }: Place): Promise<Muster> =>
  Muster.start(store, {
    args: ["--cluster", "--scheduler", `grpc://${scheduler}`],
    env: { MUSTER_CLUSTER_PORT: String(await freePort()) }
  })

export interface ServerView {
  readonly id: string
  readonly url: string
  readonly state: "up" | "silent" | "lost" | "stopping"
  readonly partitions: ReadonlyArray<number>
}

export interface ClusterAnswer {
  readonly partitions: number
  readonly servers: ReadonlyArray<ServerView>
  readonly unowned: ReadonlyArray<number>
}

export const askCluster = async ({ port }: Muster): Promise<ClusterAnswer> =>
  (await fetch(`http://127.0.0.1:${port}/v1/cluster`)).json()

/** Asks a server every 20 ms until all partitions are somebody's and what is said holds. Fails after two minutes. */
export const untilCluster = async (
  server: Muster,
  isSo: (up: ReadonlyArray<ServerView>) => boolean
): Promise<void> => {
  const deadline = performance.now() + 120_000
  for (;;) {
    const { partitions, servers, unowned } = await askCluster(server)
    const up = servers.filter(({ state }) => state === "up")
    const held = up.reduce((sum, one) => sum + one.partitions.length, 0)
    if (unowned.length === 0 && held === partitions && isSo(up)) return
    if (performance.now() > deadline)
      throw new Error(`the partitions are not held: ${JSON.stringify(servers)}`)
    await sleep(20)
  }
}

/** Whether so many servers are up, each with an even share of the partitions, or at most two more or fewer. */
export const isEven =
  (servers: number) =>
  (up: ReadonlyArray<ServerView>): boolean => {
    const share = up.reduce((sum, { partitions }) => sum + partitions.length, 0) / servers
    return up.length === servers && up.every(({ partitions }) => Math.abs(partitions.length - share) <= 2)
  }

/** Starts so many servers of one cluster, and waits until each has its share. */
export const startCluster = async (place: Place, count: number): Promise<ReadonlyArray<Muster>> => {
  // One after the other: the first makes the tables.
  const first = await startServer(place)
  const others = await Promise.all(Array.from({ length: count - 1 }, () => startServer(place)))
  const servers = [first, ...others]
  await untilCluster(first, isEven(count))
  return servers
}

export const alone: Contender = {
  name: "Muster, 1 server, no --cluster",
  start: async (place) => {
    const server = await Muster.start(place.store, { args: ["--scheduler", `grpc://${place.scheduler}`] })
    return over([server])
  }
}

export const clusterOf = (count: number): Contender => ({
  name: `Muster, ${count} ${count === 1 ? "server" : "servers"} with --cluster`,
  start: async (place) => over(await startCluster(place, count))
})

const over = async (servers: ReadonlyArray<Muster>): Promise<Engine> => {
  const [first] = servers
  if (first === undefined) throw new Error("there is no server")
  const open = await Promise.all(
    Array.from({ length: connections }, (_, index) =>
      HttpConnection.open((servers[index % servers.length] ?? first).port)
    )
  )
  let accepted = 0
  const startedAt = process.cpuUsage()
  return {
    pids: servers.map(({ pid }) => pid),
    clientSeconds: () => {
      const { system, user } = process.cpuUsage(startedAt)
      return (system + user) / 1e6
    },
    accept: async (count) => {
      const batches = batchesOf(accepted, count).values()
      accepted += count
      await Promise.all(
        open.map(async (connection) => {
          for (const { body, size } of batches) {
            const answer = await connection.send(post("/v1/workers/batch", body))
            const taken = answer.body.split(`"status":202`).length - 1
            if (taken !== size)
              throw new Error(`${taken} of ${size} were accepted: ${answer.body.slice(0, 1000)}`)
          }
        })
      )
    },
    done: () => first.registered(accepted),
    [Symbol.asyncDispose]: async () => {
      for (const connection of open) connection.close()
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()))
    }
  }
}

const batchesOf = (first: number, count: number) =>
  Array.from({ length: Math.ceil(count / batch) }, (_, index) => {
    const size = Math.min(batch, count - index * batch)
    const workers = Array.from({ length: size }, (_, member) => workerJson(first + index * batch + member))
    return { size, body: `[${workers.join(",")}]` }
  })
