/**
 * `muster scheduler` as a process, and the service in front of it.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { hasOpenb, openb, openbFlags, skippedForOpenb } from "./openbFleet.ts"
import { folder, Scheduler, until } from "./SchedulerProcess.ts"
import { Muster, type RunOptions, Service, worker } from "./ServiceProcess.ts"

const register = async (scheduler: Scheduler, args: ReadonlyArray<string>, env: RunOptions["env"] = {}) => {
  await using muster = new Muster(["register", ...args, "--scheduler", scheduler.url, "--json"], { env })
  await muster.exit()
  return JSON.parse(muster.output)
}

const fleet = join(import.meta.dirname, "../../../examples/fleet/workers.ndjson")

const serve = (scheduler: Scheduler, env: RunOptions["env"] = {}) =>
  Service.start({ args: ["--scheduler", scheduler.url], env })

const held = async (service: Service): Promise<number> =>
  (await service.fetch("/v1/scheduler/workers?limit=1")).json?.total

describe("muster scheduler", () => {
  it("keeps what it holds, even when it is killed", async () => {
    const state = ["--state", join(folder, "kept/state.ndjson")]
    await using first = await Scheduler.start(state)
    assert.deepInclude(await register(first, [fleet]), { registered: 4, failed: 0 })
    await first.kill()
    await using second = await Scheduler.start(state)
    await second.printed(/"workers":4/)
    await using service = await serve(second)
    assert.strictEqual(await held(service), 4)
  })

  it("forgets with --amnesia, and writes nothing", async () => {
    await using first = await Scheduler.start(["--amnesia"])
    assert.deepInclude(await register(first, [fleet]), { registered: 4 })
    await first.kill()
    await using second = await Scheduler.start(["--amnesia", "--port", first.port])
    await second.printed(/"workers":0/)
    assert.isFalse(existsSync(join(folder, ".muster")))
  })

  it("does not start beside another, and leaves its memory alone", async () => {
    await using first = await Scheduler.start(["--state", "one.ndjson"])
    await using second = new Muster(["scheduler", "--port", first.port, "--state", "one.ndjson"], {
      cwd: folder
    })
    assert.strictEqual(await second.exit(), 1)
    assert.match(
      second.errors,
      /^muster cannot listen on 127\.0\.0\.1:\d+: something else listens there already/
    )
    assert.deepInclude(await register(first, [fleet]), { registered: 4 })
    await first.kill()
    await using third = await Scheduler.start(["--state", "one.ndjson"])
    await third.printed(/"workers":4/)
  })

  it.each([
    ["--latency", "20x", /--latency: "20x"\. Expected a duration such as 20ms/],
    ["--fail-rate", "1.5", /a share from 0 to 1/],
    ["--max-rate", "0", /a whole number, 1 or more/]
  ])("refuses %s %s", async (flag, value, message) => {
    await using muster = new Muster(["scheduler", flag, value])
    assert.strictEqual(await muster.exit(), 2)
    assert.match(muster.errors, message)
  })

  it("is slow, fails and refuses as it is told", async () => {
    await using slow = await Scheduler.start(["--amnesia", "--latency", "200ms"])
    const { durationMs } = await register(slow, [fleet, "--concurrency", "4"])
    assert.isAtLeast(durationMs.p50, 200)

    await using failing = await Scheduler.start(["--amnesia", "--fail-rate", "1"])
    const unavailable = await register(failing, [fleet], {
      MUSTER_MAX_RETRIES: "1",
      MUSTER_BASE_BACKOFF: "1 millis"
    })
    assert.deepInclude(unavailable, { registered: 0, failed: 4, retries: 4 })

    await using refusing = await Scheduler.start(["--amnesia", "--reject-rate", "1"])
    assert.deepInclude(await register(refusing, [fleet]), { registered: 0, failed: 4, retries: 0 })
  })

  it("takes no more than --max-rate a second, and says when to come again", async () => {
    await using scheduler = await Scheduler.start(["--amnesia", "--max-rate", "2"])
    const { elapsedMs, failed, registered, retries } = await register(scheduler, [fleet])
    assert.deepStrictEqual({ registered, failed }, { registered: 4, failed: 0 })
    assert.isAtLeast(retries, 2)
    assert.isAtLeast(elapsedMs, 990)
  })

  it("ends with 0 when it is asked to, though clients are connected", async () => {
    await using scheduler = await Scheduler.start(["--amnesia"])
    await using service = await serve(scheduler)
    assert.strictEqual(await held(service), 0)
    scheduler.signal("SIGTERM")
    assert.strictEqual(await scheduler.exit(), 0)
  })
})

describe("the service before it", () => {
  it("makes dead letters of what is refused, which are retried as docs/schedulers/grpc.md shows", async () => {
    const page = readFileSync(new URL("../../../docs/schedulers/grpc.md", import.meta.url), "utf8")
    const scripts = Array.from(page.matchAll(/^```sh\n(curl.*?)^```/gms), ([, script = ""]) => script)
    assert.lengthOf(scripts, 2)
    const [refused = "", retried = ""] = scripts
    await using refusing = await Scheduler.start(["--amnesia", "--reject-rate", "1"])
    await using service = await serve(refusing)
    const run = async (script: string) => {
      const here = script.replaceAll("http://127.0.0.1:7070", service.url)
      return (await promisify(execFile)("sh", ["-ec", here])).stdout
    }
    const letters = await run(refused)
    assert.match(letters, /urn:muster:problem:worker-rejected/)
    assert.match(letters, /"phase":"failed".*INVALID_ARGUMENT: not a worker for this scheduler.*"total":1\}$/)
    await refusing.kill()
    await using accepting = await Scheduler.start(["--amnesia", "--port", refusing.port])
    assert.match(
      await run(retried),
      /"total":1\}.*"result":"failure".*"change":"retried".*"phase":"registered"/
    )
    assert.strictEqual(accepting.errors, "")
  })

  it("opens the circuit when it is away, closes it when it is back, and shows both", async () => {
    await using first = await Scheduler.start(["--amnesia"])
    await using service = await serve(first)
    const treatment = async () => {
      const { calls, circuit, rate } = (await service.fetch("/v1/scheduler")).json
      return { circuit, limit: calls.limit, rate }
    }
    assert.deepStrictEqual(await treatment(), {
      circuit: { state: "closed" },
      limit: 16,
      rate: { limit: null, waiting: 0 }
    })
    await first.kill()
    const workers = Array.from({ length: 100 }, (_, index) => worker(`ci-${index}`))
    await service.send("POST", "/v1/workers/batch", workers)
    await until(treatment, ({ circuit }) => circuit.state === "open")
    assert.match((await service.fetch("/metrics")).text, /^scheduler_circuit_state 2$/m)
    await using second = await Scheduler.start(["--amnesia", "--port", first.port])
    await until(
      () => held(service),
      (total) => total === 100
    )
    const { circuit, rate } = await treatment()
    assert.strictEqual(circuit.state, "closed")
    assert.isAtLeast(rate.limit, 50)
    assert.strictEqual(second.errors, "")
  })

  it("makes no more of its scheduler than it is told to", async () => {
    await using scheduler = await Scheduler.start(["--amnesia"])
    await using service = await serve(scheduler, {
      MUSTER_MAX_RATE: "off",
      MUSTER_RETRY_RATIO: "off",
      MUSTER_BATCH_MEMBERS: "1",
      MUSTER_ADAPTIVE_CONCURRENCY: "off",
      MUSTER_CIRCUIT_FAILURE_RATE: "off"
    })
    const { calls, circuit, rate } = (await service.fetch("/v1/scheduler")).json
    assert.deepStrictEqual({ calls, circuit, rate }, { calls: null, circuit: null, rate: null })
    await service.send("POST", "/v1/workers", worker("ci-1"), { prefer: "wait=10" })
    assert.strictEqual(await held(service), 1)
  })

  it("shows which scheduler it is, and what that can do", async () => {
    await using scheduler = await Scheduler.start(["--amnesia"])
    await using service = await serve(scheduler)
    const { json } = await service.fetch("/v1/scheduler")
    assert.deepInclude(json, {
      adapter: scheduler.url,
      capabilities: ["registerBatch", "list", "get", "health"],
      health: { status: "healthy" }
    })
    await scheduler.kill()
    const after = await service.fetch("/v1/scheduler")
    assert.strictEqual(after.json.health.status, "unavailable")
  })

  const nodes = 1523
  it.skipIf(!hasOpenb)(
    `brings back ${nodes} nodes that a scheduler lost which was killed while they came${skippedForOpenb}`,
    async () => {
      await using first = await Scheduler.start(["--amnesia", "--latency", "20ms"])
      await using service = await serve(first, { MUSTER_DRIFT_INTERVAL: "1 second", MUSTER_CONCURRENCY: "4" })
      await using register = new Muster(["register", openb, "--server", service.url, "--json", ...openbFlags])
      await until(
        () => held(service),
        (total) => total > 100
      )
      const before = await held(service)
      await first.kill()
      assert.isBelow(before, nodes)
      await using second = await Scheduler.start(["--amnesia", "--port", first.port])
      assert.strictEqual(await register.exit(), 0)
      await until(
        () => service.fetch("/v1/scheduler"),
        ({ json: { drift, unfinished } }) =>
          unfinished.count === 0 && drift?.held === nodes && drift.lost + drift.ghosts + drift.unknown === 0
      )
      assert.strictEqual(await held(service), nodes)
      assert.strictEqual(second.errors, "")
    }
  )
})
