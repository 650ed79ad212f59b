/**
 * The service and the command line over a real etcd.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { fileURLToPath } from "node:url"
import { type EtcdServer, hasEtcd, startEtcd, whyNoEtcd } from "./EtcdServer.ts"
import { hasOpenb, openb, openbFlags, skippedForOpenb } from "./openbFleet.ts"
import { Muster, type RunOptions, Service, worker } from "./ServiceProcess.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))

const start = (options: RunOptions & { readonly args?: ReadonlyArray<string> }) =>
  Effect.acquireRelease(
    Effect.promise(() => Service.start(options)),
    (service) => Effect.promise(() => service[Symbol.asyncDispose]())
  )

/** A command from its start to its end. */
const run = (args: ReadonlyArray<string>, options: RunOptions = {}) =>
  Effect.promise(async () => {
    await using muster = new Muster(args, { cwd: root, ...options })
    return { code: await muster.exit(), output: muster.output, errors: muster.errors }
  })

const get = (service: Service, path: string) => Effect.promise(() => service.fetch(path))

const eventually = <A>(effect: Effect.Effect<A>, until: (value: A) => boolean, every: `${number} millis`) =>
  Effect.repeat(effect, { schedule: Schedule.spaced(every), until })

const countWorkers = (etcd: EtcdServer, prefix = "/muster") =>
  Effect.map(etcd.values(`${prefix}/workers/`), ({ size }) => size)

describe.skipIf(!hasEtcd)(`muster over a real etcd${whyNoEtcd}`, () => {
  it.live.skipIf(!hasOpenb)(
    `1,523 nodes are all there when etcd was killed among them and has lost its data${skippedForOpenb}`,
    () =>
      Effect.gen(function* () {
        const etcd = yield* startEtcd()
        const service = yield* start({
          args: ["--scheduler", `etcd://${etcd.address}`],
          // So few calls at the same time that etcd is still at it when it is killed.
          env: {
            MUSTER_CONCURRENCY: "2",
            MUSTER_DRIFT_INTERVAL: "1 second",
            MUSTER_MAX_RETRY_DELAY: "1 second"
          }
        })
        const { code, errors } = yield* run(["register", openb, ...openbFlags, "--server", service.url])
        assert.strictEqual(code, 0, errors)

        const before = yield* eventually(countWorkers(etcd), (count) => count >= 200, "5 millis")
        yield* etcd.kill
        assert.isBelow(before, 1523)
        yield* etcd.loseData
        yield* eventually(
          get(service, "/v1/scheduler"),
          ({ json }) => json.health.status === "unavailable",
          "50 millis"
        )
        yield* etcd.start
        assert.isBelow(yield* countWorkers(etcd), before)

        yield* eventually(countWorkers(etcd), (count) => count === 1523, "50 millis")
        const { json } = yield* eventually(
          get(service, "/v1/scheduler"),
          ({ json: { drift } }) => drift.held === 1523 && drift.lost + drift.ghosts + drift.unknown === 0,
          "100 millis"
        )
        assert.isNull(json.drift.error)
        assert.strictEqual(json.unfinished.count, 0)
        assert.strictEqual((yield* get(service, "/v1/workers?phase=registered&limit=1")).json.total, 1523)
        assert.strictEqual((yield* get(service, "/v1/dead-letters")).json.items.length, 0)
        assert.strictEqual(yield* countWorkers(etcd), 1523)
      }),
    120_000
  )

  it.live("registers again what has gone with an expired lease", () =>
    Effect.gen(function* () {
      const etcd = yield* startEtcd()
      const service = yield* start({
        args: ["--scheduler", `etcd://${etcd.address}/ci?lease=1h`],
        env: { MUSTER_DRIFT_INTERVAL: "500 millis" }
      })
      const ids = Array.from({ length: 20 }, (_, index) => `w${index}`)
      yield* Effect.promise(() =>
        service.send(
          "POST",
          "/v1/workers/batch",
          ids.map((id) => worker(id))
        )
      )
      yield* eventually(countWorkers(etcd, "/ci"), (count) => count === 20, "20 millis")
      const [lease] = yield* etcd.leases
      assert(lease !== undefined)
      yield* etcd.post("/lease/revoke", { ID: lease })
      yield* eventually(countWorkers(etcd, "/ci"), (count) => count === 20, "20 millis")
      const { text } = yield* get(service, "/v1/workers/w7/timeline")
      assert.include(text, "the scheduler had lost it")
      assert.deepStrictEqual(yield* etcd.leases, [lease])
    })
  )

  it.live("with TLS and a password, which nobody gets to see", () =>
    Effect.gen(function* () {
      const etcd = yield* startEtcd({}, { tls: true })
      yield* etcd.post("/auth/user/add", { name: "root", password: "hush-hush" })
      yield* etcd.post("/auth/user/grant", { user: "root", role: "root" })
      yield* etcd.post("/auth/enable", {})
      const env = {
        MUSTER_SCHEDULER: `etcds://${etcd.address}/tls`,
        MUSTER_SCHEDULER_CA: etcd.certificate,
        MUSTER_SCHEDULER_USER: "root",
        MUSTER_SCHEDULER_PASSWORD: "hush-hush"
      }
      const service = yield* start({ env, args: ["--log-level", "all"] })
      const answer = yield* Effect.promise(() =>
        service.send("POST", "/v1/workers", worker("w0"), { prefer: "wait=20" })
      )
      assert.strictEqual(answer.status, 200, answer.text)
      const scheduler = yield* get(service, "/v1/scheduler")
      assert.deepStrictEqual(scheduler.json.health, { status: "healthy" })
      assert.strictEqual(scheduler.json.adapter, `etcds://${etcd.address}/tls`)
      const wrong = yield* run(
        ["register", "examples/fleet/workers.ndjson", "--verbose", "--log-level", "all"],
        { env: { ...env, MUSTER_SCHEDULER_PASSWORD: "mistaken", MUSTER_BASE_BACKOFF: "1 millis" } }
      )
      assert.strictEqual(wrong.code, 1)
      assert.match(wrong.output, /authentication failed, .*check MUSTER_SCHEDULER_USER and its password/)
      for (const told of [service.output, service.errors, scheduler.text, wrong.output, wrong.errors]) {
        assert.notMatch(told, /hush-hush|mistaken/)
      }
    })
  )
})

describe("--scheduler etcd://", () => {
  const file = ["register", "examples/fleet/workers.ndjson"]
  const cases: ReadonlyArray<readonly [string, Record<string, string>, RegExp]> = [
    ["etcd://127.0.0.1", {}, /comes HOST:PORT/],
    ["etcd://me:hush@127.0.0.1:2379", {}, /"etcd:\/\/…@127\.0\.0\.1:2379": after :\/\/ comes HOST:PORT/],
    ["etcd://127.0.0.1:2379/a/", {}, /prefix of the keys/],
    ["etcd://127.0.0.1:2379?lease=1s", {}, /lease of etcd must be from 5 seconds/],
    ["etcd://127.0.0.1:2379?user=me", {}, /after the \? come lease=/],
    ["etcd://127.0.0.1:2379", { MUSTER_SCHEDULER_USER: "me" }, /MUSTER_SCHEDULER_USER goes together with/],
    [
      "etcd://127.0.0.1:2379",
      { MUSTER_SCHEDULER_PASSWORD: "hush" },
      /MUSTER_SCHEDULER_USER goes together with/
    ],
    [
      "etcd://127.0.0.1:2379",
      { MUSTER_SCHEDULER_USER: "me", MUSTER_SCHEDULER_PASSWORD_FILE: "/no/such/file" },
      /MUSTER_SCHEDULER_PASSWORD_FILE: \/no\/such\/file cannot be read/
    ],
    [
      "etcds://127.0.0.1:2379",
      { MUSTER_SCHEDULER_CA: "/no/such/file" },
      /MUSTER_SCHEDULER_CA: \/no\/such\/file/
    ]
  ]
  it.live.each(cases)("%s with %o is wrong usage, and says why", ([scheduler, env, message]) =>
    Effect.gen(function* () {
      const { code, errors } = yield* run([...file, "--scheduler", scheduler], { env })
      assert.match(errors, message)
      assert.notInclude(errors, "hush")
      assert.strictEqual(code, 2)
    })
  )
})
