/**
 * `muster register` as a process: what it prints, how it ends, and what it leaves behind.
 */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, describe, it, vi } from "vitest"
import { type Ended, runMuster } from "./RunMuster.ts"
import { Service, worker } from "./ServiceProcess.ts"

// Every test starts processes, and other tests may have the machine to themselves.
vi.setConfig({ testTimeout: 60_000 })

const root = fileURLToPath(new URL("../../..", import.meta.url))
const bin = "packages/server/src/bin.js"
const directory = mkdtempSync(join(tmpdir(), "muster-register-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const temporary = (name: string, content?: string): string => {
  const path = join(directory, name)
  if (content !== undefined) writeFileSync(path, content)
  return path
}

const environment = (variables: Readonly<Record<string, string>> = {}) => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MUSTER_"))),
  ...variables
})

const start = (args: ReadonlyArray<string>, input?: string, variables?: Readonly<Record<string, string>>) => {
  const child = spawn(process.execPath, [bin, ...args], { cwd: root, env: environment(variables) })
  let output = ""
  let errors = ""
  child.stdout.on("data", (data: Buffer) => (output += data.toString()))
  child.stderr.on("data", (data: Buffer) => (errors += data.toString()))
  child.stdin.on("error", () => {})
  child.stdin.end(input)
  const ended = once(child, "close").then((): Ended => ({ code: child.exitCode ?? -1, output, errors }))
  return { child, ended }
}

const register = (
  args: ReadonlyArray<string>,
  input?: string,
  variables?: Readonly<Record<string, string>>
) => runMuster(["register", ...args], { input, env: variables })

const lines = (...values: ReadonlyArray<unknown>) =>
  values.map((value) => `${JSON.stringify(value)}\n`).join("")
interface ReportLine {
  readonly id?: unknown
  readonly capabilities?: unknown
  readonly unreadable?: unknown
  readonly error: { readonly type: string }
}
const readLines = (path: string): ReadonlyArray<ReportLine> =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))

const csvColumns = {
  id: "host",
  "capabilities.cpuCores": "cores",
  "capabilities.memoryMb": "memory_mb",
  "capabilities.dockerEnabled": "docker",
  "capabilities.customResources.gpu": "gpus",
  "metadata.labels.gpuModel": "gpu_model",
  "metadata.labels.zone": "zone",
  "metadata.namespace": "pool",
  "metadata.tags": "tags",
  "metadata.provisionedAt": "booted"
}
const columns = Object.entries(csvColumns).flatMap(([field, column]) => ["--column", `${field}=${column}`])

describe("the formats", () => {
  const samples: ReadonlyArray<readonly [string, number, ReadonlyArray<string>]> = [
    ["workers.csv", 12, columns],
    ["workers.ndjson", 4, []],
    ["workers.json", 2, []],
    ["nodes.yaml", 3, []],
    ["nodes.json", 2, []]
  ]
  it.each(samples)(
    "%s: all %i workers are registered, from the file and from a pipe",
    async (name, amount, flags) => {
      const path = join(root, "examples/fleet", name)
      const fromFile = await register([path, "--json", ...flags])
      const fromPipe = await register(["-", "--json", ...flags], readFileSync(path, "utf8"))
      for (const { code, errors, output } of [fromFile, fromPipe]) {
        assert.strictEqual(errors, "")
        assert.strictEqual(code, 0)
        const { entries, failed, registered } = JSON.parse(output)
        assert.deepStrictEqual(
          { entries, failed, registered },
          { entries: amount, failed: 0, registered: amount }
        )
      }
    }
  )

  const openb = join(root, "../shared/data/openb-nodes.csv")
  it.skipIf(!existsSync(openb))(
    `a production cluster of 1,523 nodes${existsSync(openb) ? "" : ` (skipped: there is no ${openb})`}`,
    async () => {
      const { code, errors, output } = await register([
        "../shared/data/openb-nodes.csv",
        ..."--column id=sn --column capabilities.cpuMillis=cpu_milli --column capabilities.memoryMb=memory_mib --column capabilities.customResources.gpu=gpu --column metadata.labels.gpuModel=model".split(
          " "
        )
      ])
      assert.strictEqual(errors, "")
      assert.match(output, /^1,523 workers registered in /)
      assert.match(output, /\n {2}failed +0\n/)
      assert.strictEqual(code, 0)
    }
  )
})

describe("docs/register.md", () => {
  const page = readFileSync(join(root, "docs/register.md"), "utf8")
  const examples = Array.from(page.matchAll(/```sh\n([\s\S]*?)```/g), ([, example = ""]) => example)
  it.each(examples)("runs as written: %s", (example) => {
    const script = example.replaceAll("pnpm muster", `'${process.execPath}' ${bin}`)
    const { status, stderr, stdout } = spawnSync("sh", ["-ec", script], {
      cwd: root,
      env: environment(),
      encoding: "utf8"
    })
    assert.strictEqual(stderr, "")
    assert.strictEqual(status, 0)
    assert.match(stdout, /^\d+ workers? registered in /)
  })
})

describe("exit codes", () => {
  const some = lines(worker("a"))
  const cases: ReadonlyArray<readonly [string, number, ReadonlyArray<string>, string, RegExp]> = [
    ["no file", 2, [], "", /Missing required argument: file/],
    ["an unknown flag", 2, ["-", "--nope"], some, /--nope/],
    ["a --column that is none", 2, ["-", "--column", "id"], "id\n", /not FIELD=COLUMN/],
    ["a --column with an unknown field", 2, ["-", "--column", "ram=x"], "x\n", /capabilities\.memoryMb/],
    [
      "a --column that is not there",
      2,
      ["-", "--column", "id=name"],
      "sn,cpu\n",
      /Columns of the file: sn, cpu/
    ],
    ["a CSV with semicolons", 2, ["-", "--format", "csv"], "id;cores\na;1\n", /separated by ";"/],
    ["--column for what is no CSV", 2, ["-", "--column", "id=id"], some, /--column is for CSV/],
    ["an unknown format", 2, ["-", "--format", "xml"], some, /format/],
    ["a content of no format", 2, ["-"], "hello world\n", /--format csv\|ndjson\|json\|yaml/],
    ["an unknown scheduler", 2, ["-", "--scheduler", "nope"], some, /--scheduler/],
    ["no concurrency", 2, ["-", "--concurrency", "0"], some, /--concurrency must be 1 or more/],
    ["--server that is no address", 2, ["-", "--server", "localhost"], some, /not the address/],
    ["--server with a password", 2, ["-", "--server", "http://me:secret@h"], some, /without user, password/],
    [
      "--server with a query",
      2,
      ["-", "--server", "http://h/?a=b"],
      some,
      /without user, password, \? and #/
    ],
    [
      "--server and --scheduler",
      2,
      ["-", "--server", "http://h", "--scheduler", "embedded"],
      some,
      /exclude/
    ],
    ["--wait without --server", 2, ["-", "--wait", "1s"], some, /--wait is for --server/],
    ["a file that is not there", 1, ["/no/such/file.csv"], "", /there is no such file/],
    ["a directory", 1, ["/"], "", /is a directory/],
    [
      "a report that cannot be written",
      1,
      ["-", "--report", "/no/such/report"],
      some,
      /its directory does not exist/
    ],
    ["a report without a name", 2, ["-", "--report", ""], some, /not the name of a file/],
    ["a worker that is invalid", 1, ["-"], lines(worker("a"), { id: "b" }), /1 of 2 rows failed/],
    ["JSON that breaks off", 1, ["-"], `[${JSON.stringify(worker("a"))},`, /breaks off at line 1/],
    ["nothing to register", 0, ["-"], "", /^$/],
    ["one worker", 0, ["-"], some, /^$/]
  ]
  it.each(cases)("%s: %i", async (_, expected, args, input, message) => {
    const { code, errors } = await register(args, input)
    assert.match(errors, message)
    assert.strictEqual(code, expected)
  })

  it("an environment that makes no sense: 2", async () => {
    const { code, errors } = await register(["-"], some, { MUSTER_MAX_RETRIES: "-1" })
    assert.match(errors, /MUSTER_MAX_RETRIES .* must be a whole number/)
    assert.strictEqual(code, 2)
  })
})

describe("what is printed", () => {
  it("is a summary with the failures, their lines and what to do, and no log", async () => {
    const { errors, output } = await register(["examples/fleet/broken.csv"])
    assert.match(output, /^2 workers registered, 2 failed in /)
    assert.match(output, /\n {4}InvalidWorker +2\n/)
    assert.match(output, /\n {2}line 3 {2}no-number {2}InvalidWorker: .*capabilities\.cpuCores/)
    assert.match(output, /\n {2}line 4 {2}unknown {2}InvalidWorker: .*expected 3 cells/)
    assert.match(output, /p50 .*, p95 /)
    assert.strictEqual(errors, "2 of 4 rows failed.\n")
  })

  it("names the rows that are not UTF-8 instead of registering them with letters replaced", async () => {
    const path = temporary("latin1.csv")
    const header = "id,capabilities.cpuCores,capabilities.memoryMb,note,metadata.labels.place\n"
    const rows = "a,1,1,,Zürich\nb,1,1,Füße,Bern\nc,1,1,,Genf\n"
    writeFileSync(path, header + rows, "latin1")
    const { code, output } = await register([path])
    assert.match(output, /^2 workers registered, 1 failed in /)
    assert.match(output, /line 2 .*expected UTF-8 text, received bytes that are none/)
    assert.strictEqual(code, 1)
    writeFileSync(path, `${header}d,1,1,,caf\u00e9`, "latin1")
    assert.strictEqual((await register([path])).code, 1)
    writeFileSync(path, `${header}${rows}d,1,1,,\ufffd\n`)
    assert.strictEqual((await register([path])).code, 0)
  })

  it("says so when the file is empty", async () => {
    assert.match((await register(["-"], "\n")).output, /The file has no workers: nothing to do\./)
  })

  it("counts the failures beyond the first twenty", async () => {
    const bad = Array.from({ length: 30 }, (_, index) => ({ id: `w${index}` }))
    assert.match((await register(["-"], lines(...bad))).output, /… and 10 more/)
  })

  it("keeps control characters of the data away from the terminal", async () => {
    const escape = "\u001b]0;title\u0007\u009b31m\u202e"
    const header = await register(["-", "--format", "csv"], `id,${escape}\n`)
    assert.match(header.errors, /Columns of the file: id, \?\]0;title\?\?31m\?\n$/)
    const kind = await register(["-"], lines({ apiVersion: "v1", kind: `${escape}\nPod` }))
    assert.match(kind.output, /received a \?\]0;title\?\?31m\? Pod \(v1\)/)
  })

  const hasScript = spawnSync("script", ["--version"]).status === 0
  it.skipIf(!hasScript)("has no bar on a terminal that cannot redraw a line", () => {
    const command = `'${process.execPath}' ${bin} register examples/fleet/workers.ndjson`
    const { stdout } = spawnSync("script", ["-qec", command, "/dev/null"], {
      cwd: root,
      env: environment({ TERM: "dumb" }),
      encoding: "utf8"
    })
    assert.notInclude(stdout, "\u001b")
  })

  it.skipIf(!hasScript)(
    `shows a progress bar on a terminal, and clears it${hasScript ? "" : " (skipped: there is no `script` of util-linux)"}`,
    async () => {
      const path = temporary(
        "many.ndjson",
        lines(...Array.from({ length: 20_000 }, (_, index) => worker(`w${index}`)))
      )
      const command = `'${process.execPath}' ${bin} register '${path}'`
      const { status, stdout } = spawnSync("script", ["-qec", command, "/dev/null"], {
        cwd: root,
        env: environment({ TERM: "xterm" }),
        encoding: "utf8"
      })
      assert.strictEqual(status, 0)
      const frames = stdout.split("\r\u001b[2K")
      assert.isAbove(frames.length, 3)
      assert.match(
        frames.at(-2) ?? "",
        /^[█░]+ +\d+% {2}[\d,]+\/~?[\d,]+ {2}[\d,]+\/s {2}\d+s left {2}0 failed$/
      )
      assert.match(frames.at(-1) ?? "", /^20,000 workers registered/)
    }
  )
})

describe("--report", () => {
  it("holds the rows that failed, and can be registered when they are corrected", async () => {
    const report = temporary("report.ndjson")
    await register(["examples/fleet/broken.csv", "--report", report])
    const [noNumber, tooShort, ...others] = readLines(report)
    assert.deepStrictEqual(others, [])
    assert.strictEqual(noNumber?.id, "no-number")
    assert.deepStrictEqual(noNumber?.capabilities, {
      cpuCores: "eight",
      memoryMb: 16_384,
      customResources: {}
    })
    assert.strictEqual(noNumber?.error.type, "InvalidWorker")
    assert.strictEqual(tooShort?.unreadable, "too-short,8")

    // Unchanged, they fail again; and a report may take the place of the file that it was made of.
    const again = await register([report, "--report", report])
    assert.strictEqual(again.code, 1)
    assert.strictEqual(readLines(report).length, 2)

    writeFileSync(report, lines({ ...noNumber, capabilities: { cpuCores: 8, memoryMb: 16_384 } }))
    const corrected = await register([report, "--report", report])
    assert.strictEqual(corrected.code, 0)
    assert.strictEqual(readFileSync(report, "utf8"), "")
    assert.isFalse(existsSync(`${report}.part`))
  })

  it("leaves what was there alone when nothing was tried", async () => {
    const report = temporary("kept.ndjson", "kept\n")
    await register(["-", "--column", "id=name", "--report", report], "sn,cpu\n")
    assert.strictEqual(readFileSync(report, "utf8"), "kept\n")
    assert.isFalse(existsSync(`${report}.part`))
  })

  it("never takes the place of the file that is registered", async () => {
    const path = temporary("again.ndjson.part", lines({ id: "b" }))
    const { code, errors } = await register([
      path,
      "--format",
      "ndjson",
      "--report",
      temporary("again.ndjson")
    ])
    assert.match(errors, /which is the file to be registered/)
    assert.strictEqual(code, 2)
    assert.strictEqual(readFileSync(path, "utf8"), lines({ id: "b" }))
  })

  it("goes to standard output before the summary, also when that is a file", () => {
    const path = temporary("output.txt")
    const command = `echo '{"id":"b"}' | '${process.execPath}' ${bin} register - --json --report /dev/stdout > '${path}'`
    spawnSync("sh", ["-c", command], { cwd: root, env: environment() })
    const [row, summary] = readFileSync(path, "utf8").split("\n")
    assert.match(row ?? "", /^\{"id":"b","error":/)
    assert.match(summary ?? "", /"failed":1,.*"report":"\/dev\/stdout"/)
  })

  it.skipIf(!existsSync("/dev/full"))(
    "that could not be written is not spoken of as if it were there",
    async () => {
      const { code, errors, output } = await register(["-", "--report", "/dev/full"], lines({ id: "b" }))
      assert.match(errors, /Cannot write the report \/dev\/full: ENOSPC/)
      assert.notInclude(output, "/dev/full")
      assert.strictEqual(code, 1)
    }
  )

  it("holds everything that is left when the command is interrupted", async () => {
    const amount = 50_000
    const path = temporary(
      "long.ndjson",
      lines(...Array.from({ length: amount }, (_, index) => worker(`w${index}`)))
    )
    const report = temporary("rest.ndjson")
    const { child, ended } = start(["register", path, "--report", report, "--json"])
    while (!existsSync(`${report}.part`)) await new Promise((resolve) => setTimeout(resolve, 5))
    child.kill("SIGINT")
    const { code, output } = await ended
    assert.strictEqual(code, 130)
    const { registered, stopped } = JSON.parse(output)
    assert.strictEqual(stopped, "interrupted")
    const rest = readLines(report)
    assert.strictEqual(registered + rest.length, amount)
    assert.strictEqual(rest.at(-1)?.id, `w${amount - 1}`)
    assert.strictEqual((await register([report])).code, 0)
  })
})

describe("--server", () => {
  it("hands the workers to the service, which registers them", async () => {
    await using service = await Service.start()
    const accepted = await register(
      ["-", "--server", service.url],
      lines(worker("a"), worker("b"), { id: "c" })
    )
    assert.strictEqual(accepted.code, 1)
    assert.match(accepted.output, /^2 workers accepted, 1 failed in /)
    const waited = await register(["-", "--server", `${service.url}/`, "--wait", "20s"], lines(worker("d")))
    assert.strictEqual(waited.code, 0)
    assert.match(waited.output, /^1 worker registered in /)
    assert.strictEqual((await service.fetch("/v1/workers/d")).json.phase, "registered")
    assert.strictEqual((await service.fetch("/v1/workers")).json.total, 3)
  })

  it("that is not there loses nothing: every row is in the report", async () => {
    const report = temporary("unsent.ndjson")
    const workers = Array.from({ length: 1200 }, (_, index) => worker(`w${index}`))
    const variables = { MUSTER_BASE_BACKOFF: "1 millis" }
    const args = ["-", "--server", "http://127.0.0.1:1", "--report", report]
    const { code, output } = await register(args, lines(...workers), variables)
    assert.strictEqual(code, 1)
    assert.match(
      output,
      /ServiceUnavailable: No Muster service answers at http:\/\/127\.0\.0\.1:1: connect ECONNREFUSED/
    )
    assert.deepStrictEqual(
      readLines(report).map(({ id }) => id),
      workers.map(({ id }) => id)
    )
  })

  /** A server of our own in place of the service. */
  const serve = async (listener: RequestListener) => {
    const server = createServer(listener).listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    const url = typeof address === "object" && address !== null ? `http://127.0.0.1:${address.port}` : ""
    return { url, [Symbol.asyncDispose]: async () => void server.close() }
  }

  it("that breaks off its answer is asked again, for what is not answered", async () => {
    const requests: Array<ReadonlyArray<string>> = []
    await using server = await serve(async (request, response) => {
      let body = ""
      for await (const chunk of request) body += String(chunk)
      const ids = body
        .trim()
        .split("\n")
        .map((line) => String(JSON.parse(line).id))
      requests.push(ids)
      if (requests.length === 1) {
        response.writeHead(503, { "retry-after": "0", "content-type": "application/problem+json" })
        response.end('{"type":"urn:muster:problem:overloaded","title":"busy"}')
        return
      }
      response.writeHead(200, { "content-type": "application/x-ndjson" })
      const answered = requests.length === 2 ? ids.slice(0, 2) : ids
      response.write(answered.map((_, index) => `{"line":${index + 1},"status":200}\n`).join(""))
      if (requests.length === 2) setTimeout(() => response.destroy(), 50)
      else response.end()
    })
    const { code, output } = await register(
      ["-", "--server", server.url, "--json"],
      lines(worker("a"), worker("b"), worker("c")),
      { MUSTER_BASE_BACKOFF: "1 millis" }
    )
    assert.deepStrictEqual(requests, [["a", "b", "c"], ["a", "b", "c"], ["c"]])
    assert.strictEqual(JSON.parse(output).registered, 3)
    assert.strictEqual(code, 0)
  })

  it("that is no Muster service is told from one", async () => {
    await using server = await serve((_, response) => response.writeHead(404).end("nothing here"))
    const { code, output } = await register(["-", "--server", server.url], lines(worker("a")))
    assert.match(output, /answered with status 404: is it a Muster service\?/)
    assert.strictEqual(code, 1)
  })

  it.each([200, 500])("that answers %d without an end is no Muster service", async (status) => {
    await using server = await serve((_, response) => {
      response.writeHead(status)
      const junk = Buffer.alloc(2 ** 20, "x")
      const more = () => {
        while (!response.destroyed && response.write(junk));
      }
      response.on("drain", more)
      more()
    })
    const { code, output } = await register(["-", "--server", server.url], lines(worker("a")), {
      MUSTER_MAX_RETRIES: "0"
    })
    assert.match(output, /is it a Muster service\?/)
    assert.strictEqual(code, 1)
  })

  it("that says nothing is given up after the attempt time-out, and the retries are counted", async () => {
    await using server = await serve(() => {})
    const { code, output } = await register(["-", "--server", server.url], lines(worker("a")), {
      MUSTER_ATTEMPT_TIMEOUT: "100 millis",
      MUSTER_BASE_BACKOFF: "1 millis",
      MUSTER_MAX_RETRIES: "2"
    })
    assert.match(output, /has not answered for 100ms \(MUSTER_ATTEMPT_TIMEOUT\)/)
    assert.match(output, /\n {2}retries +2\n/)
    assert.strictEqual(code, 1)
  })

  it("that accepts without waiting is asked again at a measured pace", async () => {
    let requests = 0
    await using server = await serve((_, response) => {
      requests++
      response.end('{"line":1,"status":202}\n')
    })
    const { code, output } = await register(["-", "--server", server.url, "--wait", "1s"], lines(worker("a")))
    assert.match(output, /\n {2}accepted +1\n/)
    assert.isAtMost(requests, 4)
    assert.strictEqual(code, 1)
  })

  it("that answers a line twice is believed once", async () => {
    await using server = await serve((_, response) =>
      response.end('{"line":1,"status":200}\n{"line":1,"status":200}\n{"line":9,"status":200}\n')
    )
    const { output } = await register(["-", "--server", server.url, "--json"], lines(worker("a")))
    assert.strictEqual(JSON.parse(output).registered, 1)
  })

  it("that redirects says where to, and one that is away for long is not waited for", async () => {
    await using moved = await serve((_, response) =>
      response.writeHead(308, { location: "https://muster.example/v1/workers/batch" }).end()
    )
    assert.match(
      (await register(["-", "--server", moved.url], lines(worker("a")))).output,
      /redirects to https:\/\/muster\.example\/v1\/workers\/batch\. If that is the service, give its address/
    )
    await using closed = await serve((_, response) =>
      response.writeHead(503, { "retry-after": "Fri, 31 Dec 9999 23:59:59 GMT" }).end()
    )
    assert.match(
      (await register(["-", "--server", closed.url], lines(worker("a")))).output,
      /status 503: .* It asks to come back in \d+ seconds\./
    )
    const tls = await register(["-", "--server", moved.url.replace("http:", "https:")], lines(worker("a")), {
      MUSTER_MAX_RETRIES: "0"
    })
    assert.match(
      tls.output,
      /The service at https:\S+ cannot be spoken to: it does not speak TLS, so its address begins with http:/
    )
  })
})
