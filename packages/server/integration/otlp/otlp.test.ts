/**
 * What a collector receives of the service: a real process, and a receiver that decodes what it is sent.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { Muster, Service, worker } from "../ServiceProcess.ts"
import { OtlpReceiver } from "./OtlpReceiver.ts"
import { TracedScheduler } from "./TracedScheduler.ts"

const caller = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }

const calledBy = (flags = "01") => ({ traceparent: `00-${caller.traceId}-${caller.spanId}-${flags}` })

/** Exports as soon as there is something. */
const exportingTo = (url: string): Record<string, string> => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_BSP_SCHEDULE_DELAY: "50",
  OTEL_BLRP_SCHEDULE_DELAY: "50",
  OTEL_METRIC_EXPORT_INTERVAL: "200"
})

const register = (service: Service, id: string, headers: Record<string, string> = {}) =>
  service.send("POST", "/v1/workers", worker(id), { prefer: "wait=30", ...headers })

/** Registers so many workers, and waits until all of them are. */
const registerMany = async (service: Service, count: number) => {
  const workers = Array.from({ length: count }, (_, index) => worker(`many-${index}`))
  const { json } = await service.send("POST", "/v1/workers/batch", workers, { prefer: "wait=30" })
  assert.lengthOf(json.results, count)
  const listed = await service.fetch("/v1/workers?phase=registered&limit=1")
  assert.strictEqual(listed.json.total, count)
}

const ofWorker = (receiver: OtlpReceiver, id: string) =>
  receiver.spans.filter(({ attributes }) => attributes["muster.worker.id"] === id)

describe("a collector", () => {
  it.each([
    ["http/protobuf", "none"],
    ["http/json", "gzip"]
  ])(
    "receives traces, metrics and logs as %s, with the standard variables honoured",
    async (protocol, compression) => {
      await using receiver = await OtlpReceiver.start()
      await using service = await Service.start({
        env: {
          ...exportingTo(receiver.url),
          OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
          OTEL_EXPORTER_OTLP_COMPRESSION: compression,
          OTEL_EXPORTER_OTLP_HEADERS: "authorization=Basic%20Z2VoZWlt",
          OTEL_SERVICE_NAME: "ci-muster",
          OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test"
        }
      })
      assert.strictEqual((await register(service, "ci-1", calledBy())).status, 200)
      const isRegistered = ({ body }: { readonly body: unknown }) => body === "Worker registered"
      const isCounted = (receiver: OtlpReceiver) =>
        receiver.points.some(
          ({ name, value }) => name === "worker_registration_operations_total" && value === 1
        )
      await receiver.until(
        (receiver) =>
          ofWorker(receiver, "ci-1").length === 2 && receiver.logs.some(isRegistered) && isCounted(receiver)
      )

      const [server] = receiver.spansNamed("POST /v1/workers")
      assert(server !== undefined)
      assert.deepInclude(server, { traceId: caller.traceId, parentSpanId: caller.spanId, kind: 2 })
      assert.deepInclude(server.attributes, { "http.route": "/v1/workers", "http.response.status_code": 200 })
      const [call] = receiver.spansNamed("WorkerRegistration.register")
      const [attempt] = receiver.spansNamed("WorkerRegistration.register.attempt")
      assert(call !== undefined && attempt !== undefined)
      assert.deepInclude(attempt, { traceId: call.traceId, parentSpanId: call.spanId, kind: 3 })
      for (const span of [call, attempt]) {
        assert.deepStrictEqual(span.links, [{ traceId: caller.traceId, spanId: server.spanId }])
      }

      const log = receiver.logs.find(isRegistered)
      assert.deepInclude(log, { level: "Info", traceId: call.traceId })
      assert.deepInclude(log?.attributes, {
        workerId: "ci-1",
        workerType: "dynamic",
        namespace: "default",
        attempts: 1
      })

      const points = receiver.points.filter(({ name }) => name.startsWith("worker_registration"))
      const operations = points.find(({ name }) => name === "worker_registration_operations_total")
      assert.deepInclude(operations, {
        kind: "sum",
        temporality: 2,
        attributes: { result: "success", worker_type: "dynamic" }
      })
      assert.deepInclude(
        points.find(({ name }) => name === "worker_registration_duration_seconds"),
        { kind: "histogram", value: 1 }
      )

      for (const resource of receiver.resources) {
        assert.deepInclude(resource, { "service.name": "ci-muster", "deployment.environment.name": "test" })
      }
      for (const headers of receiver.headers) {
        assert.strictEqual(headers.authorization, "Basic Z2VoZWlt")
        assert.strictEqual(headers["content-encoding"], compression === "gzip" ? "gzip" : undefined)
      }
      assert.deepStrictEqual(receiver.unreadable, [])
    }
  )

  it("is told the route of a worker that comes without further wishes, too", async () => {
    await using receiver = await OtlpReceiver.start()
    await using service = await Service.start({ env: exportingTo(receiver.url) })
    assert.strictEqual((await service.send("POST", "/v1/workers", worker("ci-1"))).status, 202)
    await receiver.until((receiver) => receiver.spansNamed("POST /v1/workers").length === 1)
    const [server] = receiver.spansNamed("POST /v1/workers")
    assert.strictEqual(server?.attributes["http.route"], "/v1/workers")
  })

  it("receives what is left when the service stops", async () => {
    await using receiver = await OtlpReceiver.start()
    const never = "3600000"
    await using service = await Service.start({
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_BSP_SCHEDULE_DELAY: never,
        OTEL_BLRP_SCHEDULE_DELAY: never,
        OTEL_METRIC_EXPORT_INTERVAL: never
      }
    })
    await register(service, "ci-1")
    service.signal("SIGTERM")
    assert.strictEqual(await service.exit(), 0)
    assert.lengthOf(ofWorker(receiver, "ci-1"), 2)
    assert.isTrue(receiver.logs.some(({ body }) => String(body).startsWith("Stopped; everything")))
    assert.isTrue(receiver.points.some(({ name }) => name === "worker_registration_operations_total"))
  })

  it("receives the signals that it was asked for, where each has an address of its own", async () => {
    await using receiver = await OtlpReceiver.start()
    await using service = await Service.start({
      env: {
        ...exportingTo("http://127.0.0.1:1"),
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${receiver.url}/v1/logs`,
        OTEL_TRACES_EXPORTER: "none",
        OTEL_METRICS_EXPORTER: "none"
      }
    })
    await register(service, "ci-1")
    await receiver.until(({ logs }) => logs.some(({ body }) => body === "Worker registered"))
    service.signal("SIGTERM")
    assert.strictEqual(await service.exit(), 0)
    assert.isEmpty(receiver.spans)
    assert.isEmpty(receiver.points)
    assert.notInclude(service.output, "cannot be delivered")
  })

  it("receives nothing when the SDK is disabled", async () => {
    await using receiver = await OtlpReceiver.start()
    await using service = await Service.start({
      env: { ...exportingTo(receiver.url), OTEL_SDK_DISABLED: "true" }
    })
    await register(service, "ci-1")
    service.signal("SIGTERM")
    await service.exit()
    assert.strictEqual(receiver.requests, 0)
  })

  it("receives few names of spans: a route each, and none for probes", async () => {
    await using receiver = await OtlpReceiver.start()
    await using service = await Service.start({ env: exportingTo(receiver.url) })
    for (const path of [
      "/healthz",
      "/readyz",
      "/metrics",
      "/v1/workers/a?x=1",
      "/v1/workers/b/timeline",
      "/wp-admin"
    ]) {
      await service.fetch(path)
    }
    await receiver.until(({ spans }) => spans.length === 3)
    assert.deepStrictEqual(
      receiver.spans.map(({ name }) => name),
      ["GET /v1/workers/:id", "GET /v1/workers/:id/timeline", "GET"]
    )
  })
})

describe("the trace of a caller", () => {
  it("is linked to by the attempt that is made later, after a restart, and the attempt's goes on to the scheduler", async () => {
    const folder = mkdtempSync(join(tmpdir(), "muster-otlp-"))
    try {
      await using receiver = await OtlpReceiver.start()
      const away = await TracedScheduler.start()
      away[Symbol.dispose]()
      const options = {
        args: ["--scheduler", away.spec],
        env: {
          ...exportingTo(receiver.url),
          MUSTER_STORE: join(folder, "fleet.db"),
          MUSTER_MAX_RETRIES: "0",
          MUSTER_RETRY_DELAY: "100 millis"
        }
      }
      {
        await using service = await Service.start(options)
        const { status } = await service.send("POST", "/v1/workers", worker("ci-1"), calledBy())
        assert.strictEqual(status, 202)
        await receiver.until((receiver) => ofWorker(receiver, "ci-1").some(({ status }) => status === 2))
        service.signal("SIGTERM")
        assert.strictEqual(await service.exit(), 0)
      }
      const [server] = receiver.spansNamed("POST /v1/workers")
      assert.deepInclude(server, { traceId: caller.traceId, parentSpanId: caller.spanId })

      using scheduler = await TracedScheduler.start(away.port)
      await using _ = await Service.start(options)
      await receiver.until(() => scheduler.traces.has("ci-1"))
      const told = scheduler.traces.get("ci-1")
      const isTold = ({ spanId, traceId }: { readonly spanId: string; readonly traceId: string }) =>
        told === `00-${traceId}-${spanId}-01`
      await receiver.until(({ spans }) => spans.some(isTold))
      const attempt = receiver.spans.find(isTold)
      assert(attempt !== undefined && server !== undefined)
      assert.strictEqual(attempt.name, "WorkerRegistration.register.attempt")
      assert.notStrictEqual(attempt.traceId, caller.traceId)
      assert.deepStrictEqual(attempt.links, [{ traceId: caller.traceId, spanId: server.spanId }])
      assert.deepInclude(attempt.attributes, {
        "rpc.system.name": "grpc",
        "rpc.method": "muster.scheduler.v1.SchedulerService/Register",
        "server.port": scheduler.port
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("goes on to the scheduler as it came, where nothing is exported, by whichever way a worker comes", async () => {
    using scheduler = await TracedScheduler.start()
    await using service = await Service.start({ args: ["--scheduler", scheduler.spec] })
    await register(service, "alone", calledBy())
    await service.send("POST", "/v1/workers/batch", [worker("first"), worker("second")], {
      prefer: "wait=30",
      ...calledBy()
    })
    await service.send("POST", "/v1/workers/batch", JSON.stringify(worker("streamed")), {
      prefer: "wait=30",
      "content-type": "application/x-ndjson",
      ...calledBy("00")
    })
    await service.send("POST", "/v1/events", worker("event"), {
      "ce-specversion": "1.0",
      "ce-id": "1",
      "ce-source": "test",
      "ce-type": "dev.muster.worker.provisioned",
      ...calledBy()
    })
    await register(service, "untraced")
    while (scheduler.traces.size < 6) await service.fetch("/v1/workers/event")
    const { traceparent } = calledBy()
    assert.deepStrictEqual(Object.fromEntries(scheduler.traces), {
      alone: traceparent,
      first: traceparent,
      second: traceparent,
      streamed: calledBy("00").traceparent,
      event: traceparent,
      untraced: undefined
    })
  })

  it("is linked to by the registrations of a stream of lines, too", async () => {
    await using receiver = await OtlpReceiver.start()
    await using service = await Service.start({ env: exportingTo(receiver.url) })
    await service.send("POST", "/v1/workers/batch", JSON.stringify(worker("streamed")), {
      "content-type": "application/x-ndjson",
      ...calledBy()
    })
    await receiver.until((receiver) => ofWorker(receiver, "streamed").length === 2)
    for (const { links } of ofWorker(receiver, "streamed")) {
      assert.deepStrictEqual(
        links.map(({ traceId }) => traceId),
        [caller.traceId]
      )
    }
  })

  it("is left alone if its caller does not want it sampled, and so is what comes of it", async () => {
    await using receiver = await OtlpReceiver.start()
    using scheduler = await TracedScheduler.start()
    await using service = await Service.start({
      args: ["--scheduler", scheduler.spec],
      env: exportingTo(receiver.url)
    })
    await register(service, "unseen", calledBy("00"))
    await register(service, "seen", calledBy("01"))
    await receiver.until((receiver) => ofWorker(receiver, "seen").length === 2)
    assert.isEmpty(ofWorker(receiver, "unseen"))
    assert.lengthOf(receiver.spansNamed("POST /v1/workers"), 1)
    assert.match(scheduler.traces.get("unseen") ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  })

  it.each([
    [{ OTEL_TRACES_SAMPLER: "always_off" }, 0],
    [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" }, 0],
    // The caller has decided for its own trace and what comes of it.
    [{ OTEL_TRACES_SAMPLER: "parentbased_always_off" }, 3]
  ])("is sampled as %j says", async (sampler, spans) => {
    await using receiver = await OtlpReceiver.start()
    await using service = await Service.start({ env: { ...exportingTo(receiver.url), ...sampler } })
    await register(service, "traced", calledBy())
    await register(service, "untraced")
    service.signal("SIGTERM")
    await service.exit()
    assert.lengthOf(receiver.spans, spans)
    assert.isNotEmpty(receiver.logs)
  })

  it("is none where the headers make no sense, however long they are", async () => {
    await using receiver = await OtlpReceiver.start()
    await using service = await Service.start({ env: exportingTo(receiver.url) })
    const { spanId, traceId } = caller
    const hostile = [
      "",
      "00",
      "x".repeat(7000),
      `00-${traceId}-${spanId}-01-${"x".repeat(7000)}`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
      `00-${"0".repeat(32)}-${spanId}-01`,
      `00-${traceId}-${"0".repeat(16)}-01`,
      `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
      `ff-${traceId}-${spanId}-01`,
      `00-${traceId}-${spanId}-zz`,
      `00-__proto__-constructor-01`
    ]
    for (const [index, traceparent] of hostile.entries()) {
      const headers = {
        traceparent,
        tracestate: "=,;".repeat(1000),
        baggage: "a=b,".repeat(1000),
        b3: "x-y-z"
      }
      assert.strictEqual((await register(service, `hostile-${index}`, headers)).status, 200)
    }
    await receiver.until((receiver) => receiver.spansNamed("POST /v1/workers").length === hostile.length)
    for (const span of receiver.spansNamed("POST /v1/workers")) {
      assert.strictEqual(span.parentSpanId, "")
      assert.notStrictEqual(span.traceId, caller.traceId)
    }
  })
})

describe("a collector that is down", () => {
  it.each(["refuses", "fails", "hangs"] as const)(
    "and %s keeps no worker from being registered, and is told once",
    async (manner) => {
      await using receiver = await OtlpReceiver.start(manner === "refuses" ? "answers" : manner)
      const { url } = receiver
      if (manner === "refuses") await receiver[Symbol.asyncDispose]()
      await using service = await Service.start({
        env: { ...exportingTo(url), OTEL_EXPORTER_OTLP_TIMEOUT: "200" }
      })
      await registerMany(service, 500)
      for (const what of ["Traces", "Metrics", "Logs"]) {
        const warning = new RegExp(`${what} cannot be delivered to ${url} and are lost meanwhile`, "g")
        await service.printed(warning)
      }
      service.signal("SIGTERM")
      assert.strictEqual(await service.exit(), 0)
      assert.include(service.output, "everything that was accepted is done")
      assert.lengthOf(service.output.match(/cannot be delivered/g) ?? [], 3)
    }
  )

  it("does not keep the service from stopping, however long it may hang", async () => {
    await using receiver = await OtlpReceiver.start("hangs")
    const hour = "3600000"
    await using service = await Service.start({
      env: {
        ...exportingTo(receiver.url),
        OTEL_EXPORTER_OTLP_TIMEOUT: hour,
        OTEL_BSP_EXPORT_TIMEOUT: hour,
        OTEL_BLRP_EXPORT_TIMEOUT: hour,
        OTEL_METRIC_EXPORT_TIMEOUT: hour
      }
    })
    await registerMany(service, 500)
    await receiver.until(({ requests }) => requests >= 3)
    service.signal("SIGTERM")
    assert.strictEqual(await service.exit(), 0)
  })

  it("costs a bounded number of spans in memory; the rest is dropped, and those after it arrive", async () => {
    await using receiver = await OtlpReceiver.start("hangs")
    await using service = await Service.start({
      env: {
        ...exportingTo(receiver.url),
        OTEL_BSP_MAX_QUEUE_SIZE: "100",
        OTEL_EXPORTER_OTLP_TIMEOUT: "200"
      }
    })
    await registerMany(service, 500)
    await service.printed(/Traces cannot be delivered/)
    receiver.manner = "answers"
    await service.printed(/Traces are delivered to .* again/)
    await register(service, "after")
    await receiver.until((receiver) => ofWorker(receiver, "after").length === 2)
    // A thousand spans and more were ended meanwhile.
    assert.isBelow(receiver.spans.length, 300)
  })
})

describe("OpenTelemetry's variables", () => {
  it.each([
    [
      { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
      /^OTEL_EXPORTER_OTLP_PROTOCOL must be http\/protobuf or http\/json.*4318/
    ],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4318" }, /^OTEL_EXPORTER_OTLP_ENDPOINT must be an address/],
    [
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://me:geheim@c/" },
      /^OTEL_EXPORTER_OTLP_TRACES_ENDPOINT.*without a user/
    ],
    [
      { OTEL_TRACES_SAMPLER: "half" },
      /^OTEL_TRACES_SAMPLER must be always_on, .* or parentbased_traceidratio/
    ],
    [
      { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "2" },
      /^OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1/
    ],
    [
      { OTEL_EXPORTER_OTLP_HEADERS: "authorization: geheim" },
      /^OTEL_EXPORTER_OTLP_HEADERS must be headers as/
    ],
    [{ OTEL_EXPORTER_OTLP_TIMEOUT: "soon" }, /^OTEL_EXPORTER_OTLP_TIMEOUT must be a whole number/],
    [{ OTEL_EXPORTER_OTLP_COMPRESSION: "zstd" }, /^OTEL_EXPORTER_OTLP_COMPRESSION must be gzip or none/],
    [
      { OTEL_EXPORTER_OTLP_CERTIFICATE: "/nowhere" },
      /^OTEL_EXPORTER_OTLP_CERTIFICATE must be .* file that can be read/
    ],
    [{ OTEL_LOGS_EXPORTER: "console" }, /^OTEL_LOGS_EXPORTER must be otlp or none/],
    [{ OTEL_METRIC_EXPORT_INTERVAL: "0" }, /^OTEL_METRIC_EXPORT_INTERVAL must be a whole number from 1/]
  ])("that make no sense are refused: %j", async (variables, message) => {
    await using muster = new Muster(["serve", "--port", "0"], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", ...variables }
    })
    assert.strictEqual(await muster.exit(), 2)
    assert.match(muster.errors, message)
    assert.notInclude(muster.errors, "geheim")
  })
})
