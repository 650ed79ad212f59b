/**
 * The log of the service, as those read it who run it: real processes, and everything that they print.
 */
import { status } from "@grpc/grpc-js"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { TracedScheduler } from "./otlp/TracedScheduler.ts"
import { Muster, Service, worker } from "./ServiceProcess.ts"

const secret = "geheim-5ecret"

interface LogLine {
  readonly level: string
  readonly message: string
  readonly timestamp: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** Every line, each of which must be a JSON object. */
const linesOf = ({ output }: Muster): ReadonlyArray<LogLine> =>
  output
    .split(/[\n\u0085\u2028\u2029]/)
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))

const assertNoSecret = (muster: Muster) => assert.notInclude(muster.output + muster.errors, secret)

describe("the log of the service", () => {
  it("tells of every attempt, retry and outcome with the fields of the contract, one JSON object a line", async () => {
    using scheduler = await TracedScheduler.start()
    scheduler.failure = {
      code: status.UNAVAILABLE,
      details: 'away\n{"level":"INFO","message":"forged"}\u2028\u0085\u001b[2J'
    }
    await using service = await Service.start({
      args: ["--scheduler", scheduler.spec],
      env: {
        MUSTER_LOG_LEVEL: "debug",
        MUSTER_MAX_RETRIES: "1",
        MUSTER_BASE_BACKOFF: "1 milli",
        MUSTER_RETRY_DELAY: "100 millis"
      }
    })
    await service.send("POST", "/v1/workers", worker("ci-1", { namespace: "blue" }))
    await service.printed(/"errorType":"max_retries"/)
    scheduler.failure = undefined
    await service.printed(/"Worker registered"/)
    service.signal("SIGTERM")
    await service.exit()

    const lines = linesOf(service)
    for (const { timestamp } of lines) assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.isFalse(lines.some(({ message }) => message === "forged"))
    const ofWorker = lines.filter(({ annotations }) => annotations["workerId"] === "ci-1")
    const fieldsOf = (line: LogLine | undefined) => [
      line?.level,
      ...Object.keys(line?.annotations ?? {}).toSorted()
    ]
    const described = ["namespace", "workerId", "workerType"]
    const [attempt] = ofWorker.filter(({ message }) => message === "Calling the scheduler")
    assert.deepStrictEqual(fieldsOf(attempt), ["DEBUG", "attempt", ...described])
    const [retry] = ofWorker.filter(({ message }) =>
      message.startsWith("Registration attempt failed, will retry")
    )
    assert.deepStrictEqual(fieldsOf(retry), ["WARN", "attempt", "backoffMs", "errorType", ...described])
    assert.deepInclude(retry?.annotations, {
      attempt: 1,
      namespace: "blue",
      errorType: "scheduler_unavailable"
    })
    const [exhausted] = ofWorker.filter(({ annotations }) => annotations["errorType"] === "max_retries")
    assert.deepStrictEqual(fieldsOf(exhausted), [
      "ERROR",
      "attempts",
      "durationMs",
      "errorType",
      ...described
    ])
    const [registered] = ofWorker.filter(({ message }) => message === "Worker registered")
    assert.deepStrictEqual(fieldsOf(registered), ["INFO", "attempts", "durationMs", ...described])
  })

  it("shows no header of a collector, whatever the collector says of it", async () => {
    const collector = createServer((request, response) => {
      const echoed = request.headers.authorization
      response.writeHead(401, `who is ${echoed}`).end(echoed)
    }).listen(0, "127.0.0.1")
    await once(collector, "listening")
    const address = collector.address()
    assert(address !== null && typeof address === "object")
    await using service = await Service.start({
      env: {
        MUSTER_LOG_LEVEL: "all",
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${address.port}/?key=${secret}`,
        OTEL_EXPORTER_OTLP_HEADERS: `authorization=${secret}`,
        OTEL_BSP_SCHEDULE_DELAY: "50",
        OTEL_BLRP_SCHEDULE_DELAY: "50"
      }
    })
    await service.printed(/Logs cannot be delivered/)
    service.signal("SIGTERM")
    await service.exit()
    collector.close()
    assertNoSecret(service)
  })

  it("shows no password or token of a scheduler", async () => {
    const folder = mkdtempSync(join(tmpdir(), "muster-logs-"))
    try {
      const token = join(folder, "token")
      writeFileSync(token, secret)
      for (const [scheduler, env] of [
        ["etcd://127.0.0.1:1", { MUSTER_SCHEDULER_USER: "muster", MUSTER_SCHEDULER_PASSWORD: secret }],
        ["hodei://127.0.0.1:1", { MUSTER_HODEI_TOKEN_FILE: token }]
      ] as const) {
        await using service = await Service.start({
          args: ["--scheduler", scheduler],
          env: { MUSTER_LOG_LEVEL: "all", ...env }
        })
        await service.send("POST", "/v1/workers", worker("ci-1"))
        await service.printed(/will retry/)
        service.signal("SIGTERM")
        await service.exit()
        assertNoSecret(service)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it.each([
    ["--store", `postgres://muster:${secret}@127.0.0.1:1/muster`],
    ["--store", `postgres://127.0.0.1:1/muster?user=muster&password=${secret}`],
    ["--scheduler", `etcd://muster:${secret}@127.0.0.1:1`],
    ["--scheduler", `grpc://${secret}@127.0.0.1:1`]
  ])("shows no password of an address that cannot be used: %s %s", async (flag, value) => {
    await using muster = new Muster(["serve", "--port", "0", flag, value], {
      env: { MUSTER_LOG_LEVEL: "all" }
    })
    assert.notStrictEqual(await muster.exit(), 0)
    assert.notStrictEqual(muster.errors, "")
    assertNoSecret(muster)
  })
})
