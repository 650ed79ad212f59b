/**
 * One of the servers of the cluster under torture, and the network around it.
 */
import { Duration, Effect } from "effect"
import { openTcpGate, type TcpGate } from "../TcpGate.ts"
import { freePort } from "../torture/FreePort.ts"
import { makeManagedProcess, type ManagedProcess, nodeProgram } from "../torture/ManagedProcess.ts"
import { serviceEnvironment } from "../torture/ServiceEnvironment.ts"

export interface TorturedServer {
  readonly name: string
  /** Of its HTTP API. */
  readonly url: string
  readonly process: ManagedProcess
  /** The way from it to PostgreSQL. */
  readonly toDatabase: TcpGate
  /** The ways from it to the other servers, by their names. */
  readonly toServers: ReadonlyMap<string, TcpGate>
  /** What the test does to it at present, so that it cannot look after anything. */
  trouble: "down" | "stopped" | "cut off" | undefined
}

export interface ClusterSettings {
  readonly names: ReadonlyArray<string>
  readonly lockExpiration: Duration.Duration
  /** The value of `--store`, where PostgreSQL itself is reached, and its port. */
  readonly store: string
  readonly databasePort: number
  /** For `serviceProcess.ts`. */
  readonly serviceArguments: ReadonlyArray<string>
  /** Is told what happens to a server that nobody does to it. */
  readonly complain: (name: string, line: string) => void
}

/** Makes the servers, and starts none of them. */
export const makeServers = Effect.fnUntraced(function* (settings: ClusterSettings) {
  const places = yield* Effect.forEach(settings.names, (name) =>
    Effect.all({ name: Effect.succeed(name), httpPort: freePort, clusterPort: freePort })
  )
  return yield* Effect.forEach(places, ({ clusterPort, httpPort, name }) =>
    Effect.gen(function* () {
      const toDatabase = yield* openTcpGate(settings.databasePort)
      const others = places.filter((place) => place.name !== name)
      const ways = yield* Effect.forEach(others, (other) =>
        Effect.map(openTcpGate(other.clusterPort), (gate) => ({ other, gate }))
      )
      const routes = Object.fromEntries(ways.map(({ gate, other }) => [other.clusterPort, gate.port]))
      const store = settings.store.replace(`:${settings.databasePort}/`, `:${toDatabase.port}/`)
      const process = yield* makeManagedProcess({
        ...nodeProgram("serviceProcess.ts", [...settings.serviceArguments, JSON.stringify(routes)], {
          ...serviceEnvironment(httpPort, store),
          // All servers together as much as one alone, and as much time as they then need on a busy machine.
          MUSTER_CONCURRENCY: "8",
          MUSTER_ATTEMPT_TIMEOUT: "1 second",
          MUSTER_CLUSTER: "on",
          MUSTER_CLUSTER_HOST: "127.0.0.1",
          MUSTER_CLUSTER_PORT: String(clusterPort),
          MUSTER_CLUSTER_LOCK_EXPIRATION: `${Duration.toMillis(settings.lockExpiration)} millis`
        }),
        tell: (line) => settings.complain(name, line)
      })
      const server: TorturedServer = {
        name,
        url: `http://127.0.0.1:${httpPort}`,
        process,
        toDatabase,
        toServers: new Map(ways.map(({ gate, other }) => [other.name, gate])),
        trouble: undefined
      }
      return server
    })
  )
})

/** Puts right whatever was done to its process and to the network around it. */
export const heal = ({ process, toDatabase, toServers }: TorturedServer): Effect.Effect<void> =>
  Effect.all(
    [
      toDatabase.unblock,
      ...Array.from(toServers.values(), (way) => way.unblock),
      process.resume,
      process.start
    ],
    { discard: true }
  )
