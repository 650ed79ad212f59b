/**
 * What a restart leaves: everything. The service over a store in a file, killed and told to stop.
 */
import { SchedulerPort, SchedulerUnavailable } from "@muster/core"
import { TestScheduler } from "@muster/testing"
import { Effect, Fiber, Latch, Layer, Logger, Option } from "effect"
import { execFile } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, describe, it } from "vitest"
import { resolveSettings } from "../src/ServeSettings.ts"
import { runService } from "../src/Service.ts"
import { storeLayer } from "../src/store/Stores.ts"
import { Termination } from "../src/Termination.ts"
import { Muster, Service, worker } from "./ServiceProcess.ts"

const directory = mkdtempSync(join(tmpdir(), "muster-durable-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

let stores = 0
const newStore = () => join(directory, `${stores++}`, "fleet.db")

const waiting = { prefer: "wait=10" }
const cloudEvents = { "content-type": "application/cloudevents+json" }

describe("a service that is killed", () => {
  it("goes on with the same fleet, and knows what it was told before", async () => {
    const env = { MUSTER_STORE: newStore() }
    const event = {
      specversion: "1.0",
      id: "1",
      source: "/tests",
      type: "dev.muster.worker.provisioned",
      data: worker("by-event")
    }
    const key = { "idempotency-key": "k" }
    const ids = Array.from({ length: 100 }, (_, i) => `w${i}`)
    const before = await Service.start({ env })
    const { json: keyed } = await before.send("POST", "/v1/workers", worker("keyed"), key)
    await before.send("POST", "/v1/events", event, cloudEvents)
    const leased = { ...worker("leased"), leaseTtl: "1 hour", priority: "high" }
    await before.send("POST", "/v1/workers", leased, waiting)
    const { json: batch } = await before.send(
      "POST",
      "/v1/workers/batch",
      ids.map((id) => worker(id))
    )
    assert.lengthOf(batch.results, 100)
    before.signal("SIGKILL")
    await before.exit()

    await using after = await Service.start({ env })
    assert.strictEqual((await after.fetch("/v1/workers")).json.total, 103)
    while ((await after.fetch("/v1/workers?phase=registered")).json.total < 103);
    assert.deepInclude((await after.fetch("/v1/workers/leased")).json, {
      leaseTtl: "3600000 millis",
      priority: "high"
    })
    const repeated = await after.send("POST", "/v1/workers", worker("keyed"), key)
    assert.deepStrictEqual(repeated.json, keyed)
    const duplicate = await after.send("POST", "/v1/events", event, cloudEvents)
    assert.strictEqual(duplicate.json.outcome, "duplicate")
    const changed = await after.send("DELETE", "/v1/workers/keyed", undefined)
    assert.isAbove(changed.json.generation, keyed.generation)
  })

  it("is followed by an EventSource, and after the restart from where that was", async () => {
    const env = { MUSTER_STORE: newStore() }
    const first = await Service.start({ env })
    const script = `
      const source = new EventSource(process.argv[1] + "/v1/events")
      source.addEventListener("open", () => console.log("open"))
      source.addEventListener("phase", ({ data, lastEventId }) => {
        const { workerId, phase } = JSON.parse(data)
        console.log(lastEventId, workerId, phase)
        if (phase === "registered") source.close()
      })`
    const following = promisify(execFile)(process.execPath, [
      "--no-warnings",
      "--experimental-eventsource",
      "-e",
      script,
      first.url
    ])
    // Before it has opened, it has no id to go on from.
    assert.isNotNull(following.child.stdout)
    await once(following.child.stdout, "data")
    await first.send("POST", "/v1/workers", worker("a"), waiting)
    const { stdout } = await following
    const seen = stdout.split("\n").filter((line) => /^\d+\.\d+ /.test(line))
    assert.deepStrictEqual(
      seen.map((line) => line.slice(line.indexOf(" ") + 1)),
      ["a pending", "a registering", "a registered"]
    )
    first.signal("SIGKILL")
    await first.exit()

    await using again = await Service.start({ env })
    await again.send("POST", "/v1/workers", worker("last"), waiting)
    const lastEventId = seen.at(-1)?.split(" ")[0] ?? ""
    const { body } = await fetch(`${again.url}/v1/events`, { headers: { "last-event-id": lastEventId } })
    let text = ""
    for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk
      if (/"last","phase":"registered"/.test(text)) break
    }
    const phases = Array.from(
      text.matchAll(/"workerId":"(\w+)","phase":"(\w+)"/g),
      ([, id, phase]) => `${id} ${phase}`
    )
    assert.deepStrictEqual(
      phases.filter((phase) => phase.startsWith("last")),
      ["last pending", "last registering", "last registered"]
    )
  })
})

describe("a service that is told to stop", () => {
  /** The service in this process, until the effect inside it has ended. */
  const running = <A>(store: string, scheduler: TestScheduler["Service"], use: (url: string) => Promise<A>) =>
    Effect.gen(function* () {
      const none = Option.none()
      const settings = yield* resolveSettings({
        host: none,
        port: Option.some(0),
        scheduler: none,
        store: Option.some(store)
      })
      const told = Latch.makeUnsafe(false)
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => {
        lines.push(String(message))
      })
      const layer = Layer.mergeAll(
        Layer.succeed(Termination, { requested: Effect.as(told.await, "SIGTERM" as const) }),
        Logger.layer([logger])
      )
      const foundation = {
        scheduler: Layer.succeed(SchedulerPort, scheduler.port),
        store: storeLayer(store)
      }
      const service = yield* Effect.forkChild(Effect.provide(runService(settings, foundation), layer))
      const listens = Effect.sync(() => /listens on (.*)/.exec(lines[0] ?? "")?.[1] ?? "")
      const url = yield* Effect.repeat(Effect.andThen(Effect.yieldNow, listens), {
        until: (url) => url !== ""
      })
      const result = yield* Effect.promise(() => use(url))
      yield* told.open
      yield* Fiber.join(service)
      return { result, last: lines.at(-1) }
    })

  const register = async (url: string) => {
    const headers = { "content-type": "application/json" }
    const body = JSON.stringify(worker("a"))
    const response = await fetch(`${url}/v1/workers`, { method: "POST", headers, body })
    return response.status
  }

  const registered = async (url: string) => {
    for (;;) {
      const response = await fetch(`${url}/v1/workers/a`)
      if ((await response.text()).includes(`"phase":"registered"`)) return
    }
  }

  it("leaves what is unfinished to the next start, and does not wait for it", async () => {
    const store = newStore()
    const scheduler = TestScheduler.make()
    const program = Effect.gen(function* () {
      const away = TestScheduler.fail(new SchedulerUnavailable({ message: "away" }))
      yield* scheduler.onRegister("a", [TestScheduler.always(away)])
      const first = yield* running(store, scheduler, register)
      assert.strictEqual(first.result, 202)
      assert.strictEqual(first.last, "Stopped with 1 unfinished change, which the next start goes on with")
      yield* scheduler.onRegister("a", [])
      const second = yield* running(store, scheduler, registered)
      assert.strictEqual(second.last, "Stopped; everything that was accepted is done")
    })
    await Effect.runPromise(program)
  })

  it("says what the store in memory forgets", async () => {
    const scheduler = TestScheduler.make()
    const away = TestScheduler.fail(new SchedulerUnavailable({ message: "away" }))
    const program = Effect.gen(function* () {
      yield* scheduler.onRegister("a", [TestScheduler.always(away)])
      const { last } = yield* running("memory", scheduler, register)
      assert.strictEqual(last, "Stopped with 1 unfinished change, which the memory store forgets")
    })
    await Effect.runPromise(program)
  })
})

describe("--store", () => {
  it("is a file in the directory that the service is started in, unless something else is said", async () => {
    const cwd = join(directory, "data")
    mkdirSync(cwd)
    await using service = await Service.start({ cwd, env: { MUSTER_STORE: "" } })
    await service.send("POST", "/v1/workers", worker("a"))
    assert.isTrue(existsSync(join(cwd, ".muster/fleet.db")))
    assert.strictEqual(
      readFileSync(join(cwd, ".muster/fleet.db")).subarray(0, 15).toString(),
      "SQLite format 3"
    )
  })

  it("cannot be a file that another service has open: the second ends with 1 and says so", async () => {
    const env = { MUSTER_STORE: newStore() }
    await using _ = await Service.start({ env })
    await using second = new Muster(["serve", "--port", "0"], { env })
    assert.strictEqual(await second.exit(), 1)
    assert.match(second.errors, /^cannot open the store \S+: another muster has it open/)
    assert.notMatch(second.errors, /^ +at /m)
  })
})
