/**
 * `muster workers`, piped and on a terminal, against a real service.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { hasScript, PseudoTerminal, withoutEscapes } from "./PseudoTerminal.ts"
import { runMuster } from "./RunMuster.ts"
import { Muster, Service, worker } from "./ServiceProcess.ts"

const bin = fileURLToPath(new URL("../src/bin.js", import.meta.url))

const run = async (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) => {
  const { code: status, errors, output } = await runMuster(args, { env })
  return { status, output, errors, lines: output.split("\n").slice(0, -1) }
}

const register = (service: Service, ...workers: ReadonlyArray<ReturnType<typeof worker>>) =>
  Promise.all(workers.map((one) => service.send("POST", "/v1/workers", one, { prefer: "wait=10" })))

const start = async () => {
  const service = await Service.start()
  await register(service, worker("b", { namespace: "gpu", labels: { zone: "a" } }))
  await register(service, worker("a", { workerType: "static" }))
  await register(service, worker("c", { namespace: "gpu" }))
  return service
}

const onTerminal = hasScript ? it : it.skip

describe("muster workers in a pipe", () => {
  it("prints a line of tabs for each worker, in the order in which they became known", async () => {
    await using service = await start()
    const { errors, lines, status } = await run(["workers", "--server", service.url])
    assert.strictEqual(status, 0)
    assert.strictEqual(errors, "")
    assert.deepStrictEqual(
      lines.map((line) => line.split("\t").slice(0, 5)),
      [
        ["b", "registered", "dynamic", "gpu", "1"],
        ["a", "registered", "static", "default", "1"],
        ["c", "registered", "dynamic", "gpu", "1"]
      ]
    )
  })

  it("narrows, sorts, cuts, and takes the address from MUSTER_SERVER", async () => {
    await using service = await start()
    const env = { MUSTER_SERVER: service.url }
    const idsOf = async (...flags: ReadonlyArray<string>) =>
      (await run(["workers", ...flags], env)).lines.map((line) => line.split("\t")[0])
    assert.deepStrictEqual(await idsOf("--sort", "id"), ["a", "b", "c"])
    assert.deepStrictEqual(await idsOf("--namespace", "gpu", "--label", "zone=a"), ["b"])
    assert.deepStrictEqual(await idsOf("--type", "static"), ["a"])
    assert.deepStrictEqual(await idsOf("--phase", "failed", "--phase", "pending"), [])
    assert.deepStrictEqual(await idsOf("--sort", "id", "--limit", "2"), ["a", "b"])
  })

  it("prints one JSON document, also of nothing", async () => {
    await using service = await start()
    const all = JSON.parse((await run(["workers", "--json", "--server", service.url])).output)
    assert.strictEqual(all.total, 3)
    assert.deepInclude(all.items[0], { id: "b", phase: "registered" })
    assert.deepStrictEqual(all.items[0], (await service.fetch("/v1/workers/b")).json)
    const none = await run(["workers", "--json", "--phase", "failed", "--server", service.url])
    assert.deepStrictEqual(JSON.parse(none.output), { items: [], total: 0 })
  })

  it("reads page after page, and stops when its reader has had enough", async () => {
    await using service = await Service.start()
    const fleet = Array.from({ length: 2500 }, (_, index) => worker(`w-${index}`))
    await service.send("POST", "/v1/workers/batch", fleet)
    const { lines } = await run(["workers", "--server", service.url])
    assert.lengthOf(new Set(lines.map((line) => line.split("\t")[0])), 2500)
    const muster = `'${process.execPath}' '${bin}' workers --server ${service.url}`
    const { stderr, stdout } = await promisify(execFile)("bash", [
      "-ec",
      `set -o pipefail; ${muster} | head -1`
    ])
    assert.match(stdout, /^w-0\tregistered\t|^w-0\tpending\t|^w-0\tregistering\t/)
    assert.strictEqual(stderr, "")
  })

  it("shows one worker whole, and says where it is not known", async () => {
    await using service = await start()
    const { output, status } = await run(["workers", "b", "--server", service.url])
    assert.strictEqual(status, 0)
    assert.match(output, /^b is registered\n\n {2}capabilities {2}8 cores, 16,384 MiB\n/)
    assert.include(output, "labels        zone=a")
    const json = await run(["workers", "b", "--json", "--server", service.url])
    assert.deepStrictEqual(JSON.parse(json.output), (await service.fetch("/v1/workers/b")).json)
    const unknown = await run(["workers", "nobody", "--server", service.url])
    assert.strictEqual(unknown.status, 1)
    assert.strictEqual(unknown.output, "")
    assert.include(unknown.errors, `${service.url} knows no worker nobody.`)
  })

  it.each([
    [["workers", "b", "--watch"], 2, "With an ID there is one worker"],
    [["workers", "../../metrics"], 2, "cannot be the id of a worker"],
    [["workers", "--label", "zone"], 2, "Expected KEY=VALUE"],
    [["workers", "--limit", "0"], 2, "Expected a whole number, 1 or more"],
    [["workers", "--server", "ftp://x"], 2, 'ftp://x" is not the address of a service'],
    [
      ["workers"],
      1,
      'No Muster service answers at http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1. Start one with "muster serve"'
    ],
    [["workers", "--watch"], 1, "No Muster service answers at http://127.0.0.1:1"]
  ])("ends %j with %d and says why", async (args, code, words) => {
    const { errors, output, status } = await run(args, { MUSTER_SERVER: "http://127.0.0.1:1" })
    assert.strictEqual(status, code)
    assert.include(output + errors, words)
  })

  it("tells what is no Muster service, and lets none of its text onto the terminal raw", async () => {
    const answers = [
      { status: 200, body: "<html>" },
      { status: 404, body: "not here" },
      {
        status: 500,
        body: '{"type":"urn:muster:problem:internal-error","title":"\u001b[2Jboom","status":500}'
      }
    ]
    for (const { body, status: code } of answers) {
      const server = createServer((_, response) => {
        response.writeHead(code, { "content-type": "application/json" }).end(body)
      })
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      const address = server.address()
      const port = typeof address === "object" ? address?.port : undefined
      const { errors, status } = await run(["workers", "--server", `http://127.0.0.1:${port}`])
      server.close()
      assert.strictEqual(status, 1)
      assert.match(errors, /Is it a Muster service|is it a Muster service|\?\[2Jboom/)
      assert.notInclude(errors, "\u001b")
    }
  })
})

describe("muster workers --watch in a pipe", () => {
  it("prints a line for each change of what is asked for, across a restart of the service", async () => {
    await using first = await Service.start({ args: ["--port", "0"] })
    await using watch = new Muster(["workers", "--watch", "--namespace", "gpu", "--server", first.url])
    await using json = new Muster([
      "workers",
      "--watch",
      "--json",
      "--phase",
      "registered",
      "--server",
      first.url
    ])
    // Who follows is asked for nothing before: changes are made until both have seen one.
    let last = 0
    const seen = () => watch.output.includes("\tregistered\t") && json.output.includes('"registered"')
    while (!seen()) {
      await register(first, worker(`early-${last++}`, { namespace: "gpu" }), worker(`other-${last}`))
    }
    const port = first.port
    first.signal("SIGTERM")
    await first.exit()
    await using second = await Service.start({ args: ["--port", String(port)] })
    await register(second, worker("late", { namespace: "gpu" }))
    await watch.printed(/\tlate\tregistered\t/)
    await json.printed(/"workerId":"late"/)
    assert.match(watch.errors, /^Disconnected, trying again: .*\n(.*\n)*Connected again\.\n/)
    assert.notInclude(watch.output, "other-")
    for (const line of watch.output.split("\n").slice(0, -1)) assert.lengthOf(line.split("\t"), 4)
    const changes = json.output
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line))
    assert.deepStrictEqual(new Set(changes.map(({ phase }) => phase)), new Set(["registered"]))
    watch.signal("SIGINT")
    assert.strictEqual(await watch.exit(), 130)
  })
})

describe(`muster workers on a terminal${hasScript ? "" : " (skipped: there is no `script` of util-linux)"}`, () => {
  const show = async (service: Service, columns: number, env: Readonly<Record<string, string>> = {}) => {
    await using terminal = new PseudoTerminal(["workers", "--server", service.url], { columns, env })
    assert.strictEqual(await terminal.exit(), 0)
    return terminal.output
  }

  onTerminal("prints a table that is as wide as the terminal, in colours", async () => {
    await using service = await start()
    const wide = await show(service, 100)
    assert.include(wide, "\u001b[32mregistered\u001b[39m")
    assert.deepStrictEqual(
      withoutEscapes(wide)
        .split("\n")
        .slice(0, 2)
        .map((line) => line.slice(0, 46)),
      ["ID  PHASE       TYPE     NAMESPACE  ATTEMPTS  ", "b   registered  dynamic  gpu        1         "]
    )
    assert.match(withoutEscapes(wide), /\n3 workers\n$/)
    const narrow = withoutEscapes(await show(service, 30)).split("\n")
    assert.strictEqual(narrow[0], "ID  PHASE       UPDATED")
    assert.isTrue(narrow.every((line) => line.length <= 30))
  })

  onTerminal("has no colours with NO_COLOR, nor on a dumb terminal", async () => {
    await using service = await start()
    assert.notInclude(await show(service, 100, { NO_COLOR: "1" }), "\u001b")
    assert.notInclude(await show(service, 100, { TERM: "dumb" }), "\u001b")
  })

  onTerminal("with --watch redraws in place, survives a restart, and gives the screen back", async () => {
    await using first = await start()
    await using terminal = new PseudoTerminal(["workers", "--watch", "--server", first.url], {
      columns: 120,
      rows: 6
    })
    await terminal.until(({ screen }) => /^live {2}3 workers {2}registered 3\n/.test(screen))
    assert.strictEqual(terminal.output.split("\u001b[?1049h\u001b[?25l").length, 2)
    await first.send("DELETE", "/v1/workers/a", undefined)
    await terminal.until(({ screen }) => /\na +terminated +static/.test(screen))
    await register(first, worker("new", { namespace: "fresh" }))
    await terminal.until(({ screen }) => /LAST ERROR\nnew +registered +dynamic +fresh/.test(screen))
    assert.isAtMost(terminal.screen.split("\n").length, 6)
    const port = first.port
    first.signal("SIGTERM")
    await first.exit()
    await terminal.until(({ screen }) => screen.startsWith("disconnected, trying again: "))
    await using second = await Service.start({ args: ["--port", String(port)] })
    await terminal.until(({ screen }) => screen.startsWith("live  0 workers"))
    await register(second, worker("after"))
    await terminal.until(({ screen }) => /\nafter +registered/.test(screen))
    terminal.type("\u0003")
    assert.strictEqual(await terminal.exit(), 130)
    assert.isTrue(terminal.output.endsWith("\u001b[?25h\u001b[?1049l"))
  })
})
