/**
 * Several servers over one PostgreSQL, as processes: what each of them takes in, shows and does, and what becomes of it
 * when one of them, or the database, is gone.
 */
import { partitions } from "@muster/core/fleet"
import { Effect, Exit, Scope } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type PostgresServer, startPostgres } from "./PostgresServer.ts"
import { Scheduler, until } from "./SchedulerProcess.ts"
import { Muster, Service, worker } from "./ServiceProcess.ts"
import { openTcpGate, type TcpGate } from "./TcpGate.ts"
import { freePort } from "./torture/FreePort.ts"

const scope = Scope.makeUnsafe()
let postgres: PostgresServer

beforeAll(async () => {
  postgres = await Effect.runPromise(Scope.provide(startPostgres, scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const waiting = { prefer: "wait=30" }

/** A server of the cluster over this store; after so many seconds of silence its partitions are given to others. */
const startServer = async (
  store: string,
  scheduler: string,
  seconds = 3,
  env: Readonly<Record<string, string>> = {}
): Promise<Service> =>
  Service.start({
    args: ["--cluster", "--scheduler", scheduler],
    env: {
      MUSTER_STORE: store,
      MUSTER_CLUSTER_PORT: String(await Effect.runPromise(freePort)),
      MUSTER_CLUSTER_LOCK_EXPIRATION: `${seconds} seconds`,
      MUSTER_DRIFT_INTERVAL: "off",
      MUSTER_CHECK_AFTER: "off",
      ...env
    }
  })

/** Makes names under `.test` lead to the address that a file names, as a name server would. */
const namedAddress = `data:text/javascript,${encodeURIComponent(`
  import dns from "node:dns"
  import { readFileSync } from "node:fs"
  const { lookup } = dns
  dns.lookup = (name, options, callback) =>
    name.endsWith(".test")
      ? lookup(readFileSync(process.env.NAMED_ADDRESS_FILE, "utf8"), options, callback)
      : lookup(name, options, callback)
`)}`

interface Server {
  readonly url: string
  readonly state: string
  readonly isThis: boolean
  readonly partitions: ReadonlyArray<number>
}

const serversOf = async (service: Service): Promise<ReadonlyArray<Server>> =>
  (await service.fetch("/v1/cluster")).json.servers

/** How many partitions each server has, by the word of one of them. */
const sharesOf = async (service: Service): Promise<ReadonlyArray<number>> =>
  (await serversOf(service))
    .map(({ partitions }) => partitions.length)
    .toSorted((left, right) => left - right)

const isShared = (shares: ReadonlyArray<number>, servers: number): boolean =>
  shares.length === servers &&
  shares.reduce((sum, share) => sum + share, 0) === partitions &&
  (shares[0] ?? 0) >= Math.floor(partitions / servers) - 1

describe("three servers over one PostgreSQL", () => {
  it("share the fleet, show the same, and take over from one that is killed or told to stop", async () => {
    const store = await Effect.runPromise(postgres.makePlace)
    await using scheduler = await Scheduler.start([])
    await using first = await startServer(store, scheduler.url)
    await using second = await startServer(store, scheduler.url)
    await using third = await startServer(store, scheduler.url)
    const servers = [first, second, third]
    await until(
      () => sharesOf(first),
      (shares) => isShared(shares, 3)
    )

    // Any server takes any worker in, whoever looks after it.
    const names = servers.flatMap((_, index) => Array.from({ length: 40 }, (_, i) => `w-${index}-${i}`))
    const answers = await Promise.all(
      names.map((name, index) =>
        (servers[index % 3] ?? first).send("POST", "/v1/workers", worker(name), waiting)
      )
    )
    assert.deepStrictEqual(Array.from(new Set(answers.map(({ json }) => json.phase))), ["registered"])
    for (const server of servers) {
      assert.strictEqual((await server.fetch("/v1/workers?phase=registered")).json.total, names.length)
      assert.strictEqual((await server.fetch("/v1/overview")).json.workers.total, names.length)
      assert.lengthOf(
        (await serversOf(server)).filter(({ isThis }) => isThis),
        1
      )
    }

    // Everybody who follows is told everything, whoever did it.
    const followed = await following(third, async () => {
      for (const name of names.slice(0, 30)) await first.send("DELETE", `/v1/workers/${name}`, "", waiting)
    })
    assert.includeMembers(Array.from(followed), names.slice(0, 30))

    second.signal("SIGKILL")
    await second.exit()
    const { json } = await first.send(
      "POST",
      "/v1/workers/batch",
      names.slice(0, 30).map((name) => worker(name)),
      {
        prefer: "wait=50"
      }
    )
    const results: ReadonlyArray<{ readonly phase: string }> = json.results
    assert.deepStrictEqual(Array.from(new Set(results.map(({ phase }) => phase))), ["registered"])
    const left = await until(
      () => serversOf(third),
      (found) =>
        found.filter(({ state }) => state === "up").every(({ partitions }) => partitions.length === 16)
    )
    assert.deepStrictEqual(left.map(({ state }) => state).toSorted(), ["lost", "up", "up"])

    third.signal("SIGTERM")
    assert.strictEqual(await third.exit(), 0)
    await until(
      () => serversOf(first),
      (found) => found.some(({ isThis, partitions: own }) => isThis && own.length === partitions)
    )
    assert.notInclude(
      (await serversOf(first)).map(({ url }) => url),
      third.url
    )
    assert.strictEqual(
      (await first.send("POST", "/v1/workers", worker("last"), waiting)).json.phase,
      "registered"
    )
  })

  it("hand over at once what they look after, however many calls hang", async () => {
    const store = await Effect.runPromise(postgres.makePlace)
    await using scheduler = await Scheduler.start(["--latency", "50s"])
    const env = { MUSTER_ATTEMPT_TIMEOUT: "50 seconds", MUSTER_SHUTDOWN_TIMEOUT: "50 seconds" }
    await using first = await startServer(store, scheduler.url, 3, env)
    await using second = await startServer(store, scheduler.url, 3, env)
    await until(
      () => sharesOf(first),
      (shares) => isShared(shares, 2)
    )
    const many = Array.from({ length: 200 }, (_, index) => worker(`w-${index}`))
    await first.send("POST", "/v1/workers/batch", many)
    await until(
      () => first.fetch("/v1/workers?phase=registering&limit=1"),
      ({ json }) => json.total > 0
    )
    second.signal("SIGTERM")
    const begun = Date.now()
    await until(
      () => serversOf(first),
      (found) => found.some(({ isThis, partitions: own }) => isThis && own.length === partitions)
    )
    // One after the other, the sixteen would take sixteen seconds and more.
    assert.isBelow(Date.now() - begun, 12_000)
  })

  it("does nothing for what is somebody else's after it was stopped for long", async () => {
    const store = await Effect.runPromise(postgres.makePlace)
    await using scheduler = await Scheduler.start([])
    await using first = await startServer(store, scheduler.url)
    await using second = await startServer(store, scheduler.url)
    await until(
      () => sharesOf(first),
      (shares) => isShared(shares, 2)
    )
    second.signal("SIGSTOP")
    await until(
      () => serversOf(first),
      (found) => found.some(({ isThis, partitions: own }) => isThis && own.length === partitions)
    )
    const names = Array.from({ length: 60 }, (_, index) => `w-${index}`)
    for (const name of names) await first.send("POST", "/v1/workers", worker(name), waiting)
    second.signal("SIGCONT")
    await until(
      () => sharesOf(first),
      (shares) => isShared(shares, 2)
    )
    const told = await Promise.all(names.map((name) => second.fetch(`/v1/workers/${name}/timeline`)))
    for (const { json } of told) {
      const items: ReadonlyArray<{ readonly type: string }> = json.items
      assert.lengthOf(
        items.filter(({ type }) => type === "call"),
        1
      )
    }
  })
})

/** What happens to a server whose way to PostgreSQL is a gate, from when it listens on; it joins the cluster next. */
const behindGate = async (happens: (service: Service, gate: TcpGate) => Promise<void>): Promise<void> => {
  const own = Scope.makeUnsafe()
  const gate = await Effect.runPromise(Scope.provide(openTcpGate(postgres.port), own))
  const store = await Effect.runPromise(postgres.makePlace)
  await using scheduler = await Scheduler.start([])
  await using service = await startServer(
    store.replace(String(postgres.port), String(gate.port)),
    scheduler.url
  )
  await happens(service, gate)
  await Effect.runPromise(Scope.close(own, Exit.void))
}

describe("a cluster whose PostgreSQL is gone", () => {
  it("takes nothing in and says when to come again, is not ready, and goes on by itself", () =>
    behindGate(async (service, gate) => {
      assert.strictEqual(
        (await service.send("POST", "/v1/workers", worker("a"), waiting)).json.phase,
        "registered"
      )
      await Effect.runPromise(Effect.andThen(gate.block, gate.reset))
      await until(
        () => service.fetch("/readyz"),
        ({ status }) => status === 503
      )
      const refused = await service.send("POST", "/v1/workers", worker("b"))
      assert.strictEqual(refused.status, 503)
      assert.match(refused.headers.get("retry-after") ?? "", /^\d+$/)
      await Effect.runPromise(gate.unblock)
      await until(
        () => service.fetch("/readyz"),
        ({ status }) => status === 200
      )
      const { json } = await service.send("POST", "/v1/workers", worker("b"), waiting)
      assert.strictEqual(json.phase, "registered")
    }))
})

describe("a cluster whose PostgreSQL goes away while a server joins", () => {
  it("has it when that is back", () =>
    behindGate(async (service, gate) => {
      await Effect.runPromise(gate.cut)
      await until(
        () => service.fetch("/readyz"),
        ({ status }) => status === 503
      )
      await new Promise((resolve) => setTimeout(resolve, 1500))
      await Effect.runPromise(gate.unblock)
      await until(
        () => sharesOf(service),
        (shares) => isShared(shares, 1)
      )
      const { json } = await service.send("POST", "/v1/workers", worker("a"), waiting)
      assert.strictEqual(json.phase, "registered")
    }))

  it("has one that ends when it is told to", () =>
    behindGate(async (service, gate) => {
      await Effect.runPromise(gate.cut)
      await new Promise((resolve) => setTimeout(resolve, 500))
      service.signal("SIGTERM")
      assert.strictEqual(await service.exit(), 0)
    }))
})

describe("a PostgreSQL that moves to another address", () => {
  it("is found there by its name, without a restart", async () => {
    const own = Scope.makeUnsafe()
    const open = (host: string, port?: number) =>
      Effect.runPromise(Scope.provide(openTcpGate(postgres.port, { host, port }), own))
    const [before, folder] = [await open("127.0.0.1"), mkdtempSync(join(tmpdir(), "muster-failover-"))]
    const after = await open("127.0.0.2", before.port)
    await Effect.runPromise(after.cut)
    const address = join(folder, "address")
    writeFileSync(address, "127.0.0.1")
    await using scheduler = await Scheduler.start([])
    await using service = await startServer(
      (await Effect.runPromise(postgres.makePlace)).replace(
        `127.0.0.1:${postgres.port}`,
        `postgres.test:${before.port}`
      ),
      scheduler.url,
      3,
      { NODE_OPTIONS: `--import=${namedAddress}`, NAMED_ADDRESS_FILE: address }
    )
    const first = await service.send("POST", "/v1/workers", worker("a"), waiting)
    assert.strictEqual(first.json.phase, "registered")
    await Effect.runPromise(Effect.andThen(before.cut, after.unblock))
    await until(
      () => service.fetch("/readyz"),
      ({ status }) => status === 503
    )
    writeFileSync(address, "127.0.0.2")
    await until(
      () => service.fetch("/readyz"),
      ({ status }) => status === 200
    )
    const second = await service.send("POST", "/v1/workers", worker("b"), waiting)
    assert.strictEqual(second.json.phase, "registered")
    await Effect.runPromise(Scope.close(own, Exit.void))
    rmSync(folder, { recursive: true })
  })
})

describe("muster serve --cluster", () => {
  it("is refused over a store that only one process can use", async () => {
    await using muster = new Muster(["serve", "--cluster", "--store", "memory"])
    assert.strictEqual(await muster.exit(), 2)
    assert.include(muster.errors, "--cluster (MUSTER_CLUSTER) needs a store that several servers can share")
  })

  it("does not share a database with a server that has it for itself, nor that one with it", async () => {
    const env = { MUSTER_STORE: await Effect.runPromise(postgres.makePlace) }
    {
      await using _ = await Service.start({ env })
      await using late = new Muster(["serve", "--cluster", "--port", "0"], { env })
      assert.strictEqual(await late.exit(), 1)
      assert.include(late.errors, "a server without --cluster works on it")
    }
    await using scheduler = await Scheduler.start([])
    await using _ = await startServer(env.MUSTER_STORE, scheduler.url)
    await using late = new Muster(["serve", "--port", "0"], { env })
    assert.strictEqual(await late.exit(), 1)
    assert.include(late.errors, "other servers work on it")
  })

  it("says which port is taken", async () => {
    await using scheduler = await Scheduler.start([])
    await using muster = new Muster(["serve", "--cluster", "--port", "0"], {
      env: {
        MUSTER_STORE: await Effect.runPromise(postgres.makePlace),
        MUSTER_CLUSTER_PORT: scheduler.port
      }
    })
    assert.strictEqual(await muster.exit(), 1)
    assert.include(
      muster.errors,
      `muster cannot listen on 127.0.0.1:${scheduler.port} for the other servers of its cluster: something else listens`
    )
  })
})

/** The workers whose phases a follower of this server is told while something happens, and five seconds after. */
const following = async (service: Service, happens: () => Promise<void>): Promise<ReadonlyArray<string>> => {
  const ends = new AbortController()
  const response = await fetch(`${service.url}/v1/events`, {
    signal: ends.signal,
    headers: { accept: "text/event-stream" }
  })
  let text = ""
  const reading = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true })
  })().catch(() => {})
  await happens()
  await new Promise((resolve) => setTimeout(resolve, 1500))
  ends.abort()
  await reading
  return Array.from(text.matchAll(/"workerId":"([^"]+)"/g), ([, id = ""]) => id)
}
