/**
 * `muster serve` as a process: how it is configured, how it ends, and with which exit code.
 */
import { once } from "node:events"
import { request } from "node:http"
import { connect } from "node:net"
import { createInterface } from "node:readline"
import { assert, describe, it } from "vitest"
import { Muster, Service, worker } from "./ServiceProcess.ts"

/** The error that a new connection meets; `undefined` where it is accepted. */
const connectionError = (port: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code))
  })

/** A stream of workers whose first one is answered, and whose end is still to come. */
const streamInFlight = async (service: Service) => {
  const upload = request(`${service.url}/v1/workers/batch`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" }
  })
  upload.on("error", () => {}) // the response reports it
  upload.write(`${JSON.stringify(worker("before"))}\n`)
  const [response] = await once(upload, "response")
  response.on("error", () => {}) // the iteration reports it
  const answers = createInterface({ input: response })[Symbol.asyncIterator]()
  await answers.next()
  return { answers, upload }
}

describe("stopping", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("ends with 0 at %s when nothing is in flight", async (signal) => {
    await using service = await Service.start()
    // Keeps a connection alive, which must not keep the service alive.
    await service.fetch("/healthz")
    service.signal(signal)
    assert.strictEqual(await service.exit(), 0)
    assert.include(service.output, "everything that was accepted is done")
  })

  it("finishes a stream that is in flight, and accepts nothing new", async () => {
    await using service = await Service.start()
    const { answers, upload } = await streamInFlight(service)

    service.signal("SIGTERM")
    await service.printed(/stopping/)
    while ((await connectionError(service.port)) !== "ECONNREFUSED");

    upload.end(`${JSON.stringify(worker("after"))}\n`)
    assert.include((await answers.next()).value, `"id":"after"`)
    assert.isTrue((await answers.next()).done)
    assert.strictEqual(await service.exit(), 0)
    assert.include(service.output, "everything that was accepted is done")
  })

  it("does not wait longer than it is told to", async () => {
    await using service = await Service.start({ env: { MUSTER_SHUTDOWN_TIMEOUT: "200 millis" } })
    await streamInFlight(service)
    const before = performance.now()
    service.signal("SIGTERM")
    assert.strictEqual(await service.exit(), 0)
    assert.isBelow(performance.now() - before, 2000)
  })

  it("ends at once at a second signal that comes a second later", async () => {
    await using service = await Service.start()
    await streamInFlight(service)
    service.signal("SIGTERM")
    await service.printed(/stopping/)
    const again = setInterval(() => service.signal("SIGTERM"), 100)
    assert.strictEqual(await service.exit(), 143)
    clearInterval(again)
  })

  it("takes signals that come together as one, as a terminal, npx and pnpm send them", async () => {
    await using service = await Service.start()
    const { upload } = await streamInFlight(service)
    service.signal("SIGINT")
    service.signal("SIGTERM")
    await service.printed(/stopping/)
    service.signal("SIGINT")
    upload.end()
    assert.strictEqual(await service.exit(), 0)
  })

  it("is not ready while it stops, for those who are still connected", async () => {
    await using service = await Service.start()
    const socket = connect(service.port, "127.0.0.1")
    let answer = ""
    socket.on("data", (data) => (answer += data.toString()))
    // The first half of a request keeps the connection open.
    socket.write("GET /readyz HTTP/1.1\r\nhost: localhost\r\n")
    await service.fetch("/healthz")
    service.signal("SIGTERM")
    await service.printed(/stopping/)
    socket.write("\r\n")
    await once(socket, "close")
    assert.match(answer, /^HTTP\/1.1 503 /)
    assert.match(answer, /connection: close/i)
    assert.include(answer, "urn:muster:problem:not-ready")
    assert.strictEqual(await service.exit(), 0)
  })
})

describe("configuration", () => {
  it("comes from variables, and flags come before them", async () => {
    await using service = await Service.start({
      env: { MUSTER_HOST: "127.0.0.1", MUSTER_PORT: "1", MUSTER_MAX_RETRIES: "7", MUSTER_CONCURRENCY: "3" }
    })
    const { json } = await service.fetch("/v1/scheduler")
    assert.strictEqual(json.configuration.maxRetries, 7)
    assert.strictEqual(json.concurrency.limit, 3)
  })

  it("is printed once at the start, as one JSON object where nobody looks", async () => {
    await using service = await Service.start()
    const first = JSON.parse(service.output.split("\n", 1)[0] ?? "")
    assert.deepInclude(first.annotations, { url: service.url, scheduler: "embedded", store: "memory" })
  })

  it("can silence the log", async () => {
    await using service = await Service.start({ env: { MUSTER_LOG_LEVEL: "info" } })
    assert.include(service.output, "listens")
  })

  it.each([
    [["--port", "x"], {}, /port/],
    [["--port", "65536"], {}, /a port, a whole number from 0 to 65535/],
    [["--nope"], {}, /--nope/],
    [["extra"], {}, /extra/],
    [["--scheduler", "nomad://localhost:1"], {}, /--scheduler \(MUSTER_SCHEDULER\).*embedded/],
    [["--scheduler", "grpc://localhost"], {}, /--scheduler \(MUSTER_SCHEDULER\).*comes HOST:PORT/],
    [["--scheduler", "grpc://localhost:1,localhost:65536"], {}, /comes HOST:PORT/],
    [
      ["--scheduler", "grpcs://localhost:1"],
      { MUSTER_SCHEDULER_CA: "/nowhere" },
      /^MUSTER_SCHEDULER_CA: \/nowhere cannot be read/
    ],
    [
      ["--scheduler", "grpcs://localhost:1"],
      { MUSTER_SCHEDULER_CERT: import.meta.filename },
      /MUSTER_SCHEDULER_CERT and MUSTER_SCHEDULER_KEY go together/
    ],
    [[], { MUSTER_PORT: "http" }, /^MUSTER_PORT must be a port, a whole number from 0 to 65535\n$/],
    [[], { MUSTER_SCHEDULER: "nomad" }, /MUSTER_SCHEDULER/],
    [[], { MUSTER_LOG_LEVEL: "loud" }, /^MUSTER_LOG_LEVEL must be one of/],
    [[], { MUSTER_BATCH_CONCURRENCY: "0" }, /MUSTER_BATCH_CONCURRENCY/],
    [[], { MUSTER_MAX_RETRIES: "many" }, /MUSTER_MAX_RETRIES/],
    [[], { MUSTER_BASE_BACKOFF: "1 minute", MUSTER_MAX_BACKOFF: "1 second" }, /MUSTER_MAX_BACKOFF/]
  ])("is refused with 2 and a word on what is wrong: %j %j", async (args, env, message) => {
    await using muster = new Muster(["serve", ...args], { env: { MUSTER_PORT: "0", ...env } })
    assert.strictEqual(await muster.exit(), 2)
    assert.match(muster.errors, message)
    assert.notMatch(muster.errors, /^ +at /m)
  })

  it("ends with 1 where the port is taken, and says so", async () => {
    await using service = await Service.start()
    await using second = new Muster(["serve", "--port", String(service.port)])
    assert.strictEqual(await second.exit(), 1)
    assert.match(
      second.errors,
      /^muster cannot listen on 127\.0\.0\.1:\d+: something else listens there already/
    )
    assert.notMatch(second.errors, /^ +at /m)
  })
})

describe("the command line", () => {
  it.each([
    [["--help"]],
    [["serve", "--help"]],
    [["register", "--help"]],
    [["unregister", "--help"]],
    [["--version"]]
  ])("ends with 0 for %j", async (args) => {
    await using muster = new Muster(args)
    assert.strictEqual(await muster.exit(), 0)
    assert.isNotEmpty(muster.output)
  })

  it.each([[["nope"]], [["--nope"]], [["register"]], [["unregister"]], [["serve", "--nope"]]])(
    "ends with 2 for %j",
    async (args) => {
      await using muster = new Muster(args)
      assert.strictEqual(await muster.exit(), 2)
    }
  )
})
