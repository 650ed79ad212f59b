import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { startPostgres } from "./PostgresServer.ts"
import { runMuster } from "./RunMuster.ts"
import { bin, Muster, Service, worker } from "./ServiceProcess.ts"

let directory = ""
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-export-"))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const path = (name: string) => join(directory, name)

const run = (...args: ReadonlyArray<string>) => runMuster(args)

// oxlint-disable-next-line typescript/no-explicit-any -- what a test expects is what it reads
const read = (text: string): ReadonlyArray<any> =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))

const exported = async (service: Service) => (await service.fetch("/v1/export")).text

/** A worker without what a new store gives it anew. */
// oxlint-disable-next-line typescript/no-explicit-any -- see above
const lasting = ({ generation: _, updatedAt: __, ...rest }: any) => rest

const settled = async (service: Service) => {
  for (;;) {
    const { json } = await service.fetch("/v1/workers?phase=pending&phase=registering&phase=unregistering")
    if (json.total === 0) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** One worker of each kind that there is. */
const populate = async (service: Service) => {
  await service.send("POST", "/v1/workers", {
    ...worker("urgent", { labels: { zone: "ä" }, tags: ["b", "a"] }),
    priority: "critical",
    leaseTtl: "1 hour"
  })
  await service.send("POST", "/v1/workers", worker("ready"))
  await service.send("POST", "/v1/workers", worker("gone"))
  await settled(service)
  await service.send("POST", "/v1/workers/ready/ready", {})
  await service.send("DELETE", "/v1/workers/gone", {})
  await service.fetch("/v1/events", {
    method: "POST",
    headers: { "content-type": "application/cloudevents+json" },
    body: JSON.stringify({
      specversion: "1.0",
      id: "1",
      source: "/cloud",
      type: "dev.muster.worker.provisioned",
      time: "2026-01-31T12:00:00Z",
      data: worker("told")
    })
  })
  await settled(service)
}

describe("muster export and import", () => {
  it("bring everything that is wanted to an empty service, above the generations that there were", async () => {
    await using source = await Service.start()
    await populate(source)
    const before = await exported(source)
    const [header, ...lines] = read(before)
    assert.deepInclude(header, { muster: "export", version: 1, workers: 4 })
    assert.deepEqual(lines.pop(), { muster: "end", workers: 4, forgottenGeneration: 0 })
    assert.deepEqual(
      lines.map(({ desired, id, phase, priority }) => [id, desired, phase, priority]),
      [
        ["urgent", "registered", "registered", "critical"],
        ["ready", "registered", "ready", "normal"],
        ["gone", "unregistered", "terminated", "normal"],
        ["told", "registered", "registered", "normal"]
      ]
    )
    assert.deepEqual(lines[3].lastEvent, { source: "/cloud", occurredAt: "2026-01-31T12:00:00.000Z" })

    const file = path("roundtrip.ndjson")
    const written = await run("export", "--server", source.url, "--output", file)
    assert.deepEqual(written, { code: 0, output: "", errors: `4 workers exported to ${file}\n` })

    await using target = await Service.start()
    const { code, output } = await run("import", file, "--server", target.url)
    assert.deepEqual({ code, output }, { code: 0, output: `4 workers imported into ${target.url}\n` })
    await settled(target)
    const after = read(await exported(target)).slice(1, -1)
    assert.deepEqual(after.map(lasting), lines.map(lasting))
    for (const [index, { generation }] of after.entries()) {
      assert.isAbove(generation, lines[index].generation)
    }

    const again = await run("import", file, "--server", target.url, "--json")
    assert.deepInclude(JSON.parse(again.output), { imported: 0, kept: 4, failed: 0, complete: true })
    assert.deepEqual(read(await exported(target)).slice(1, -1), after)
  })

  it("a dead letter comes back as one, with its reason", async () => {
    await using target = await Service.start()
    const failed = {
      ...line("a"),
      phase: "failed",
      lastError: {
        type: "invalid_worker",
        message: "no such pool",
        retryable: false,
        at: "2026-01-31T12:00:00.000Z"
      }
    }
    const answer = await send(target, header, failed)
    assert.deepEqual(
      answer.map(({ outcome }) => outcome),
      ["noted", "imported"]
    )
    const { json } = await target.fetch("/v1/dead-letters")
    assert.deepInclude(json.items[0], { id: "a", phase: "failed" })
    assert.deepEqual(json.items[0].lastError, failed.lastError)
  })

  it("never go below what was forgotten, restarts or not", async () => {
    const store = path("forgotten.db")
    const highest = (Date.now() + 86_400_000) * 4096
    {
      await using target = await Service.start({ args: ["--store", store] })
      await send(target, { ...header, forgottenGeneration: highest })
    }
    await using target = await Service.start({ args: ["--store", store] })
    const { json } = await target.send("POST", "/v1/workers", worker("a"))
    assert.isAbove(json.generation, highest)
    const end = read(await exported(target)).at(-1)
    assert.strictEqual(end.forgottenGeneration, highest)
  })

  it("a dry run changes nothing", async () => {
    await using target = await Service.start()
    await target.send("POST", "/v1/workers", worker("known"))
    const file = path("dry.ndjson")
    writeFileSync(file, text(header, line("new"), { ...line("known"), generation: 5 }, end(2)))
    const { code, output } = await run("import", file, "--server", target.url, "--dry-run")
    assert.strictEqual(code, 0)
    assert.include(output, "1 worker would be imported")
    assert.include(output, "1 worker kept: known there in the same or a newer state")
    assert.strictEqual((await target.fetch("/v1/workers")).json.total, 1)
  })

  it("bad lines are told with their number, keep nothing back, and can be imported when they are corrected", async () => {
    await using target = await Service.start()
    const secret = "hunter2"
    const file = path("bad.ndjson")
    writeFileSync(
      file,
      text(
        header,
        line("good"),
        { ...line("bad"), desired: secret },
        { ...line("future"), generation: Number.MAX_SAFE_INTEGER },
        { ...line("other"), worker: worker("another") }
      ) + `no json ${secret}\n${text(line("last"), end(6))}`
    )
    const report = path("bad-report.ndjson")
    const { code, errors, output } = await run("import", file, "--server", target.url, "--report", report)
    assert.strictEqual(code, 1)
    assert.include(output, "2 workers imported")
    assert.include(output, "4 workers failed")
    assert.include(output, "line 3: desired: expected one of registered, unregistered")
    assert.match(
      output,
      /line 4: generation: expected a whole number from 1 to \d+, which is that of a year from now/
    )
    assert.include(output, "line 5: worker.id: expected the same as id")
    assert.match(output, /line 6: .*JSON/)
    assert.notInclude(output + errors, secret)
    const { json } = await target.fetch("/v1/workers")
    assert.deepEqual(
      json.items.map(({ id }: { readonly id: string }) => id),
      ["good", "last"]
    )

    const lines = read(readFileSync(report, "utf8"))
    assert.deepInclude(lines[1], {
      id: "bad",
      error: { message: "desired: expected one of registered, unregistered" }
    })
    const corrected = path("corrected.ndjson")
    writeFileSync(corrected, text(lines[0], { ...lines[1], desired: "registered" }, end(1)))
    const again = await run("import", corrected, "--server", target.url)
    assert.deepInclude(again, { code: 0, output: `1 worker imported into ${target.url}\n` })
  })

  it.each([
    [
      "has no last line",
      text({ muster: "export", version: 1, workers: 2, forgottenGeneration: 0 }),
      "its last line is missing"
    ],
    [
      "lacks workers",
      text(
        { muster: "export", version: 1, workers: 2, forgottenGeneration: 0 },
        { muster: "end", workers: 2, forgottenGeneration: 0 }
      ),
      "it has 0 of 2 workers"
    ]
  ])("an export that %s is told, and imported as far as it goes", async (_, content, reason) => {
    await using target = await Service.start()
    const file = path("cut.ndjson")
    writeFileSync(file, content)
    const { code, errors } = await run("import", file, "--server", target.url)
    assert.strictEqual(code, 1)
    assert.include(errors, `${file} is not complete: ${reason}.`)
  })

  it.each([
    [
      "a file of workers",
      text(worker("a")),
      /is no export of muster: its first line is not that of an export/
    ],
    [
      "an export of a later format",
      text({ muster: "export", version: 2, workers: 0 }),
      /it has version 2 of the format/
    ]
  ])("%s is refused before anything is sent", async (_, content, reason) => {
    const file = path("other.ndjson")
    writeFileSync(file, content)
    const { code, errors } = await run("import", file, "--server", "http://127.0.0.1:1")
    assert.strictEqual(code, 2)
    assert.match(errors, reason)
  })

  it("a store whose service is stopped can be exported, and none is made", async () => {
    const store = path("stopped.db")
    const absent = await run("export", "--store", store)
    assert.strictEqual(absent.code, 1)
    assert.include(absent.errors, "there is no such file")
    assert.isFalse(existsSync(store))
    {
      await using service = await Service.start({ args: ["--store", store] })
      await service.send("POST", "/v1/workers", worker("a"))
      const held = await run("export", "--store", store)
      assert.strictEqual(held.code, 1)
      assert.include(held.errors, "another muster has it open")
    }
    const { code, output } = await run("export", "--store", store)
    assert.strictEqual(code, 0)
    assert.deepEqual(
      read(output).map(({ id }) => id),
      [undefined, "a", undefined]
    )
  })

  it.live("a fleet moves from PostgreSQL to a file, with a service and without", () =>
    Effect.gen(function* () {
      const url = yield* Effect.flatMap(startPostgres, (server) => server.makePlace)
      yield* Effect.promise(async () => {
        let expected: ReadonlyArray<unknown> = []
        {
          await using source = await Service.start({ env: { MUSTER_STORE: url } })
          await populate(source)
          expected = read(await exported(source)).slice(1, -1)
        }
        const file = path("postgres.ndjson")
        const refused = await run("export", "--store", url)
        assert.match(refused.errors, /--store takes no address with a password/)
        await using writing = new Muster(["export", "--store", "MUSTER_STORE", "--output", file], {
          env: { MUSTER_STORE: url }
        })
        const written = { code: await writing.exit(), errors: writing.errors }
        assert.strictEqual(written.code, 0, written.errors)
        assert.deepEqual(read(readFileSync(file, "utf8")).slice(1, -1), expected)
        await using target = await Service.start({ args: ["--store", path("from-postgres.db")] })
        assert.strictEqual((await run("import", file, "--server", target.url)).code, 0)
        await settled(target)
        assert.deepEqual(
          read(await exported(target))
            .slice(1, -1)
            .map(lasting),
          expected.map(lasting)
        )
      })
    }).pipe(Effect.scoped)
  )

  it("an export that breaks off leaves the file before it as it was", async () => {
    const file = path("kept.ndjson")
    writeFileSync(file, "yesterday")
    const { code, errors } = await run("export", "--server", "http://127.0.0.1:1", "--output", file)
    assert.strictEqual(code, 1)
    assert.include(errors, "No Muster service answers")
    assert.strictEqual(readFileSync(file, "utf8"), "yesterday")
    assert.isFalse(existsSync(`${file}.part`))
  })

  it("twenty thousand workers go from one service to another in a pipe, in bounded memory", async () => {
    const many = 20_000
    await using source = await Service.start()
    const workers = Array.from({ length: many }, (_, index) => `${JSON.stringify(line(`w${index}`))}\n`)
    await sendText(source, workers.join(""))
    await using target = await Service.start()
    // With a young generation as large as usual, a small heap is all garbage collection.
    const muster = `'${process.execPath}' --max-semi-space-size=4 --max-old-space-size=64 '${bin}'`
    const { code, errors } = await shell(
      `set -o pipefail; ${muster} export --server ${source.url} | ${muster} import - --server ${target.url}`
    )
    assert.strictEqual(code, 0, errors)
    assert.strictEqual((await target.fetch("/v1/workers?limit=1")).json.total, many)
  }, 180_000)

  const hasScript = spawnSync("script", ["--version"]).status === 0
  it.skipIf(!hasScript)(
    `show how far they are on a terminal${hasScript ? "" : " (skipped: there is no `script` of util-linux)"}`,
    async () => {
      const file = path("shown.ndjson")
      const many = 3000
      writeFileSync(
        file,
        text(header, ...Array.from({ length: many }, (_, index) => line(`w${index}`)), end(many))
      )
      await using target = await Service.start()
      const { output } = await shell(
        `script -qec "'${process.execPath}' ${bin} import '${file}' --server ${target.url}" /dev/null`,
        { TERM: "xterm" }
      )
      const frames = output.split("\r\u001b[2K")
      assert.isAbove(frames.length, 2)
      assert.match(frames.at(-1) ?? "", /^3,000 workers imported/)
    }
  )
})

describe("POST /v1/import", () => {
  it("takes nothing but NDJSON, and refuses a mistaken parameter", async () => {
    await using target = await Service.start()
    assert.strictEqual((await target.send("POST", "/v1/import", {})).status, 415)
    const wrong = await target.fetch("/v1/import?dryRun=perhaps", {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: ""
    })
    assert.deepInclude(wrong.json, { type: "urn:muster:problem:invalid-request" })
  })
})

const header = { muster: "export", version: 1, workers: 1, forgottenGeneration: 0 }

const end = (workers: number) => ({ muster: "end", workers, forgottenGeneration: 0 })

function line(id: string) {
  return { id, desired: "registered", phase: "registered", generation: 7, worker: worker(id) }
}

function text(...values: ReadonlyArray<unknown>): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join("")
}

const send = (service: Service, ...values: ReadonlyArray<unknown>) => sendText(service, text(...values))

const sendText = async (service: Service, body: string) => {
  const answer = await service.fetch("/v1/import", {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body
  })
  return read(answer.text)
}

const shell = (script: string, env: Readonly<Record<string, string>> = {}) =>
  new Promise<{ readonly code: number | null; readonly output: string; readonly errors: string }>(
    (resolve) => {
      const child = spawn("bash", ["-c", script], { env: { ...process.env, ...env } })
      let output = ""
      let errors = ""
      child.stdout.on("data", (data: Buffer) => (output += data.toString()))
      child.stderr.on("data", (data: Buffer) => (errors += data.toString()))
      child.on("close", (code) => resolve({ code, output, errors }))
    }
  )
