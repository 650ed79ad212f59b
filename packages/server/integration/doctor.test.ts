import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, beforeAll } from "vitest"
import { lost } from "../src/cluster/TestCluster.ts"
import { answering } from "./ClusterAnswer.ts"
import { startPostgres } from "./PostgresServer.ts"
import { bin, Muster, Service, worker } from "./ServiceProcess.ts"

let directory = ""
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-doctor-"))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const path = (name: string) => join(directory, name)

const doctorWith = async (env: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) => {
  const muster = new Muster(["doctor", "--json", ...args], { cwd: directory, env })
  const code = await muster.exit()
  const { checks } = JSON.parse(muster.output)
  const of = (name: string): ReadonlyArray<{ severity: string; message: string; fix?: string }> =>
    checks.filter(({ check }: { readonly check: string }) => check === name)
  return { code, of, errors: muster.errors, output: muster.output }
}

const doctor = (...args: ReadonlyArray<string>) => doctorWith({}, ...args)

/** Any port that is free: nobody listens on it. */
const nobody = ["--port", "0"]

const listening = async (answer: string) => {
  const server = createServer((_, response) => response.end(answer))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  return {
    port: String(typeof address === "object" && address !== null ? address.port : 0),
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve()))
  }
}

describe("muster doctor", () => {
  it("is content where nothing runs yet and nothing is in the way, and leaves nothing behind", async () => {
    const { code, of } = await doctor("--port", "0", "--store", path("new/fleet.db"))
    assert.strictEqual(code, 0)
    assert.match(of("store")[0]?.message ?? "", /is not there yet: the service makes it$/)
    assert.match(of("folder")[0]?.message ?? "", /will be made$/)
    assert.match(of("service")[0]?.message ?? "", /^a service here takes any port that is free/)
    assert.isFalse(existsSync(path("new")))
  })

  it("looks at a service that runs, and does not disturb it", async () => {
    const store = path("running/fleet.db")
    await using service = await Service.start({ args: ["--store", store] })
    await service.send("POST", "/v1/workers", worker("a"), { prefer: "wait=10" })
    const before = readdirSync(path("running"))
    const { code, of, output } = await doctor("--port", String(service.port), "--store", store)
    assert.strictEqual(code, 0, output)
    assert.match(of("service")[0]?.message ?? "", /^muster \S+ answers at/)
    assert.strictEqual(of("service")[1]?.message, "it takes changes")
    assert.strictEqual(of("service")[2]?.severity, "ok")
    assert.match(of("store")[0]?.message ?? "", /holds 1 workers and is sound; a service has it open$/)
    assert.match(of("scheduler")[0]?.message ?? "", /^embedded is healthy/)
    assert.lengthOf(of("port"), 0)
    assert.deepEqual(readdirSync(path("running")), before)
    assert.strictEqual((await service.send("POST", "/v1/workers", worker("b"))).status, 202)
    assert.strictEqual((await service.fetch("/v1/workers")).json.total, 2)

    const elsewhere = await doctor("--server", service.url)
    assert.lengthOf(elsewhere.of("store"), 0)
    assert.strictEqual(elsewhere.code, 0)
  })

  it("leaves a store that nobody has open as it is", async () => {
    const store = path("stopped/fleet.db")
    {
      await using service = await Service.start({ args: ["--store", store] })
      await service.send("POST", "/v1/workers", worker("a"))
      service.signal("SIGTERM")
      await service.exit()
    }
    const before = readdirSync(path("stopped"))
    const { of } = await doctor(...nobody, "--store", store)
    assert.match(of("store")[0]?.message ?? "", /holds 1 workers and is sound$/)
    assert.deepEqual(readdirSync(path("stopped")), before)
  })

  const stores: ReadonlyArray<readonly [string, (file: string) => void, RegExp]> = [
    [
      "is no database",
      (file) => writeFileSync(file, "a letter to a friend".repeat(100)),
      /is not an SQLite database/
    ],
    [
      "is somebody else's",
      (file) => {
        const database = new DatabaseSync(file)
        database.exec("CREATE TABLE theirs (a)")
        database.close()
      },
      /somebody else's SQLite database/
    ],
    [
      "a newer version has written",
      (file) => {
        const database = new DatabaseSync(file)
        database.exec(
          "PRAGMA application_id = 1836413812; CREATE TABLE muster_migration (migration_id INTEGER)"
        )
        database.exec("INSERT INTO muster_migration VALUES (99)")
        database.close()
      },
      /its tables are of version 99, and this one knows \d+/
    ],
    ["is a directory", (file) => mkdirSync(file), /is a directory/]
  ]
  it.each(stores)("says so of a store that %s", async (_, make, message) => {
    const file = path(`store-${Math.random()}`)
    make(file)
    const { code, of } = await doctor(...nobody, "--store", file)
    assert.strictEqual(code, 1)
    assert.strictEqual(of("store")[0]?.severity, "problem")
    assert.match(of("store")[0]?.message ?? "", message)
    assert.isNotEmpty(of("store")[0]?.fix)
  })

  it("warns of a folder that others may write to", async () => {
    mkdirSync(path("open"))
    chmodSync(path("open"), 0o777)
    const { of } = await doctor(...nobody, "--store", path("open/fleet.db"))
    assert.deepInclude(of("folder")[0], { severity: "warning", fix: `chmod go-w ${path("open")}` })
  })

  it("says what answers in the place of a service", async () => {
    await using other = await listening("hello")
    const { code, of } = await doctor("--port", other.port)
    assert.strictEqual(code, 1)
    assert.match(of("service")[0]?.message ?? "", /is no Muster service$/)
    assert.match(of("port")[0]?.message ?? "", /something else listens there already/)
  })

  it("says that nothing answers, and that the port is free", async () => {
    let port = ""
    {
      await using other = await listening("")
      port = other.port
    }
    const { code, of } = await doctor("--port", port)
    assert.strictEqual(code, 0)
    assert.strictEqual(
      of("service")[0]?.message,
      `no service answers at http://127.0.0.1:${port}: start it with muster serve`
    )
    assert.strictEqual(of("port")[0]?.message, `127.0.0.1:${port} is free`)
    assert.strictEqual((await doctor("--server", `http://127.0.0.1:${port}`)).code, 1)
  })

  it("warns of a service of another version", async () => {
    await using old = await listening(`{"status":"ok","version":"0.0.0-old"}`)
    const { of } = await doctor("--port", old.port)
    assert.strictEqual(of("service")[0]?.severity, "warning")
    assert.match(of("service")[0]?.message ?? "", /is muster 0\.0\.0-old, and this command is/)
  })

  it("looks at the servers of a cluster", async () => {
    await using service = await answering(lost)
    const { of } = await doctor("--server", service.url)
    assert.deepStrictEqual(
      of("cluster").map(({ fix, message, severity }) => ({ severity, message, fix })),
      [
        {
          severity: "problem",
          message:
            "partitions 23, 25-31 have no server: changes of their workers are accepted, and carried out once a server looks after them",
          fix: "muster cluster shows when that is over: after some seconds, as long as a server is up."
        },
        {
          severity: "warning",
          message: "10.0.0.3:34431 is lost: it ended without a word, or cannot reach the store",
          fix: "Look at its log, and start it again if it is needed."
        }
      ]
    )
  })

  it("says that a scheduler does not answer, and that values are wrong", async () => {
    const muster = new Muster(["doctor", ...nobody, "--scheduler", "grpc://127.0.0.1:1"], {
      cwd: directory,
      env: { MUSTER_LOG_LEVEL: "loud", MUSTER_CONCURRENCY: "none" }
    })
    assert.strictEqual(await muster.exit(), 1)
    assert.match(muster.output, /^problem {2}scheduler {6}grpc:\/\/127\.0\.0\.1:1.*ECONNREFUSED/m)
    assert.match(muster.output, /^problem {2}configuration {2}MUSTER_LOG_LEVEL must be one of/m)
    assert.match(muster.output, /^problem {2}configuration {2}MUSTER_CONCURRENCY must be/m)
    assert.match(muster.errors, /^\d problems found\.\n$/)
    assert.notInclude(muster.output, "\u001b")
  })

  it.live("looks at PostgreSQL, its clock and its tables, and makes none; a password is not shown", () =>
    Effect.gen(function* () {
      const server = yield* startPostgres
      const url = yield* server.makePlace
      const { code, of, output } = yield* Effect.promise(() => doctorWith({ MUSTER_STORE: url }, ...nobody))
      assert.strictEqual(code, 0)
      assert.match(of("store")[0]?.message ?? "", /^PostgreSQL \d+.* answers; the service makes its tables$/)
      assert.strictEqual(of("store")[1]?.message, "this machine's clock agrees with PostgreSQL's")
      assert.notMatch(output, /p%40ss|p@ss/)
      const nowhere = url.replace(`:${server.port}/`, ":1/")
      const gone = yield* Effect.promise(() => doctorWith({ MUSTER_STORE: nowhere }, ...nobody))
      assert.strictEqual(gone.code, 1)
      assert.strictEqual(gone.of("store")[0]?.severity, "problem")
      assert.notMatch(gone.output + gone.errors, /p%40ss|p@ss/)
    }).pipe(Effect.scoped)
  )

  const hasScript = spawnSync("script", ["--version"]).status === 0
  it.skipIf(!hasScript)(
    `shows on a terminal what it looks at${hasScript ? "" : " (skipped: there is no `script` of util-linux)"}`,
    () => {
      const { stdout } = spawnSync(
        "script",
        ["-qec", `stty cols 60; '${process.execPath}' ${bin} doctor --port 0`, "/dev/null"],
        { encoding: "utf8", cwd: directory, env: { PATH: process.env["PATH"], TERM: "xterm" } }
      )
      assert.include(stdout, "Looking at the scheduler …")
      assert.match(stdout, /\u001b\[32mok/)
    }
  )
})
