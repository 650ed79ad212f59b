/**
 * Text from outside, wherever it goes: it stays text. What SQL makes of it is in the contract of the stores.
 */
import { status } from "@grpc/grpc-js"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { TracedScheduler } from "./otlp/TracedScheduler.ts"
import { hasScript, PseudoTerminal } from "./PseudoTerminal.ts"
import { until } from "./SchedulerProcess.ts"
import { Muster, Service, worker } from "./ServiceProcess.ts"

/** In each there is something for a terminal, a log, a browser, a spreadsheet or a shell, and the word to find it by. */
const hostile =
  'inj3cted\r\n{"level":"INFO"}\u001b[2J\u001b]0;owned\u0007\u009b31m\u202e\u2028<script>alert(1)</script>=1+1;$(id)'

// oxlint-disable-next-line no-control-regex -- these are what must not be there
const controls = /[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f\u202e\u2028\u2029]/

const folder = mkdtempSync(join(tmpdir(), "muster-injection-"))
let scheduler: TracedScheduler
let service: Service
/** A dead letter, with hostile labels, whose error is hostile too. */
const rejected = "Rejected:1._-x"

beforeAll(async () => {
  scheduler = await TracedScheduler.start()
  scheduler.failure = { code: status.INVALID_ARGUMENT, details: hostile }
  service = await Service.start({ args: ["--scheduler", scheduler.spec] })
  const labels = {
    [`a${hostile.replaceAll(/\p{C}|[\u2028]/gu, "")}`.slice(0, 100)]: hostile,
    formula: "=HYPERLINK(1)"
  }
  const { status: answered } = await service.send(
    "POST",
    "/v1/workers",
    worker(rejected, { labels, namespace: "inj3cted <b>", tags: ["@SUM(1)", "-x"] })
  )
  assert.strictEqual(answered, 202)
  await until(
    async () => (await service.fetch(`/v1/workers/${rejected}`)).json.phase,
    (phase) => phase === "failed"
  )
  scheduler.failure = undefined
})
afterAll(async () => {
  await service[Symbol.asyncDispose]()
  scheduler[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

describe("a scheduler's words and a worker's labels, in the log", () => {
  it("begin no line and tell a terminal nothing, as JSON", () => {
    const lines = service.output.split("\n").slice(0, -1)
    assert.isTrue(lines.some((line) => line.includes("inj3cted")))
    for (const line of lines) {
      assert.isObject(JSON.parse(line))
      assert.notMatch(line, controls)
    }
  })

  it.skipIf(!hasScript)(
    `begin no line and tell a terminal nothing, for people${hasScript ? "" : " (skipped: there is no `script` of util-linux)"}`,
    async () => {
      using scheduler = await TracedScheduler.start()
      scheduler.failure = { code: status.INVALID_ARGUMENT, details: hostile }
      await using terminal = new PseudoTerminal(["serve", "--port", "0", "--scheduler", scheduler.spec], {
        env: { NO_COLOR: "1", MUSTER_STORE: "memory" }
      })
      await terminal.until(({ output }) => output.includes("listens on"))
      const [, url = ""] = /listens on (http:\S+)/.exec(terminal.output) ?? []
      await fetch(`${url}/v1/workers`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(worker("ci-1", { labels: { a: hostile } }))
      })
      await terminal.until(({ output }) => output.includes("inj3cted"))
      assert.notMatch(terminal.output, controls)
      for (const line of terminal.output.split("\r\n").slice(0, -1))
        assert.match(line, /^(?:\d\d:\d\d:\d\d| )/)
    }
  )
})

describe("a scheduler's words and a worker's labels, on the terminal of who asks", () => {
  const commands: ReadonlyArray<ReadonlyArray<string>> = [
    ["workers", rejected],
    ["why", rejected],
    ["dead-letters"],
    ["dead-letters", "retry", hostile],
    ["scheduler", "status"],
    ["doctor"]
  ]
  it.skipIf(!hasScript)(
    `do nothing to it${hasScript ? "" : " (skipped: there is no `script` of util-linux)"}`,
    { timeout: 120_000 },
    async () => {
      const printed = await Promise.all(
        commands.map(async (args) => {
          await using terminal = new PseudoTerminal([...args, "--server", service.url], {
            env: { NO_COLOR: "1", MUSTER_STORE: "memory" }
          })
          await terminal.exit()
          // Muster's own progress line draws in place.
          return terminal.output.replaceAll("\r\u001b[2K", "")
        })
      )
      for (const [index, output] of printed.entries()) {
        assert.notMatch(output, controls, commands[index]?.join(" "))
        assert.notStrictEqual(output, "")
      }
      assert.isTrue(printed.some((output) => output.includes("inj3cted")))
    }
  )
})

describe("the Prometheus text", () => {
  it("has no value from outside in it, and is well-formed whatever came", async () => {
    const { text } = await service.fetch("/metrics")
    for (const word of ["inj3cted", "Rejected", "script"]) assert.notInclude(text, word)
    const sample = /^[a-z_:]+(?:\{(?:[a-z_]+="[^"\\\n]*",?)*\})? (?:[-+]?[\d.]+(?:e[-+]?\d+)?|NaN|[-+]Inf)$/
    for (const line of text.split("\n").slice(0, -1)) {
      if (!line.startsWith("# ")) assert.match(line, sample)
    }
  })
})

describe("the headers of an answer", () => {
  it("name a worker by its id alone, encoded", async () => {
    const { headers } = await service.send("POST", "/v1/workers", worker("a:b.c_d-1"))
    assert.strictEqual(headers.get("location"), "/v1/workers/a%3Ab.c_d-1")
    for (const id of ["a\r\nx-injected: 1", "a b", "/a", "a/../b", "a%0d%0a"]) {
      const answer = await service.send("POST", "/v1/workers", worker(id))
      assert.strictEqual(answer.status, 400)
      assert.isNull(answer.headers.get("location"))
      assert.isNull(answer.headers.get("x-injected"))
    }
  })

  it("repeat of a preference the seconds, and nothing else", async () => {
    const body = JSON.stringify(worker("preferred"))
    for (const [prefer, applied] of [
      ["wait=1; x-injected=1, y", "wait=1"],
      ["wait=1\tx-injected:1", undefined],
      ['wait="1"', undefined],
      ["wait=1\\r\\nx-injected: 1", undefined]
    ] as const) {
      const answer = await raw(
        `POST /v1/workers HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n` +
          `prefer: ${prefer}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
      )
      const [head = ""] = answer.split("\r\n\r\n")
      assert.match(head, /^HTTP\/1.1 20[02] /)
      assert.notMatch(head, /^x-injected/m)
      const given = /^preference-applied: (.*)$/im.exec(head)?.[1]
      if (given !== undefined) assert.match(given, /^wait=\d+$/)
      if (applied !== undefined) assert.strictEqual(given, applied)
    }
  })
})

describe("what goes along to the scheduler", () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c"
  const spanId = "b7ad6b7169203331"

  it.each([
    ["traceparent", `00-${traceId}-${spanId}-01`, true],
    ["b3", `${traceId}-${spanId}-1`, true],
    ["traceparent", `00-${traceId}-${spanId}-01\tgrpc-timeout: 1n`, false],
    ["b3", "\u00e9\u00ff-\u00e9-1", false],
    ["b3", "a b\t-c,d-1", false],
    ["b3", `${"x".repeat(3000)}-${"y".repeat(3000)}-1`, false],
    ["x-b3-traceid", "\u00e9", false]
  ])("is a trace where the header is one: %s, case %#", async (name, value, isTrace) => {
    const id = `traced-${traces++}`
    const headers = `${name}: ${value}\r\n${name === "x-b3-traceid" ? "x-b3-spanid: \u00e9\r\n" : ""}`
    const body = JSON.stringify(worker(id))
    const registered = await raw(
      `POST /v1/workers HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n` +
        `prefer: wait=10\r\n${headers}content-length: ${body.length}\r\n\r\n${body}`
    )
    assert.match(registered, /^HTTP\/1.1 200 /)
    const trace = scheduler.traces.get(id)
    if (isTrace) assert.strictEqual(trace, `00-${traceId}-${spanId}-01`)
    else assert.isTrue(trace === undefined || /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/.test(trace), trace)
    // These ask the scheduler within the request itself.
    for (const path of ["/v1/scheduler", "/v1/scheduler/workers"]) {
      const asked = await raw(
        `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${headers}\r\n`
      )
      assert.match(asked, /^HTTP\/1.1 (?:200|501) /)
    }
  })
  let traces = 0
})

describe("a file that Muster writes", () => {
  it("is NDJSON, one object a line, which is no spreadsheet and can be fed back: the report of muster register", async () => {
    const report = join(folder, "failed.ndjson")
    const rows = [
      { id: "=1+1", capabilities: { cpuCores: 1, memoryMb: 1 } },
      {
        id: "bad",
        capabilities: { cpuCores: -1, memoryMb: 1 },
        metadata: { labels: { a: `@SUM(1)\t\r\n${hostile}` } }
      },
      { id: "-x", "__proto__ ": hostile }
    ]
    const input = join(folder, "workers.ndjson")
    writeFileSync(input, rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
    await using muster = new Muster(["register", input, "--report", report])
    assert.strictEqual(await muster.exit(), 1)
    assert.notMatch(muster.output + muster.errors, controls)
    const lines = readFileSync(report, "utf8").split("\n").slice(0, -1)
    assert.lengthOf(lines, rows.length)
    for (const line of lines) assert.match(line, /^\{"/)
    assert.deepStrictEqual(
      lines.map((line) => JSON.parse(line).id),
      rows.map(({ id }) => id)
    )
  })

  it("is NDJSON: an export of the fleet, and a page of muster workers is tabs between words of its own", async () => {
    const { text } = await service.fetch("/v1/export")
    const lines = text.split("\n").slice(0, -1)
    for (const line of lines) assert.isObject(JSON.parse(line))
    assert.isTrue(lines.some((line) => JSON.parse(line).worker?.metadata.labels.formula === "=HYPERLINK(1)"))
    await using muster = new Muster(["workers", "--server", service.url])
    assert.strictEqual(await muster.exit(), 0)
    // An id begins with a letter or a digit, so that no line begins a formula.
    for (const line of muster.output.split("\n").slice(0, -1)) assert.match(line, /^[A-Za-z0-9]/)
  })
})

/** What the service answers to bytes, each character one, that no HTTP client would send. */
const raw = (text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = ""
    const socket = connect(service.port, "127.0.0.1", () => socket.write(Buffer.from(text, "latin1")))
    socket.on("data", (data) => (answer += data.toString()))
    socket.on("close", () => resolve(answer))
    socket.on("error", reject)
  })
