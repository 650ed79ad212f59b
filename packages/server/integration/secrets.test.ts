/**
 * Searches everything that Muster tells, wherever it tells it and whatever goes wrong, for each secret that it was
 * given: variables and files, the key of its certificate, and what callers send to prove who they are.
 */
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buffer } from "node:stream/consumers"
import { connect } from "node:tls"
import { afterAll, assert, describe, it } from "vitest"
import { groups } from "../src/configuration/Groups.ts"
import { Authority, hasOpenssl, whyNoOpenssl } from "./Certificates.ts"
import { hasScript, PseudoTerminal } from "./PseudoTerminal.ts"
import { Muster, Service, worker } from "./ServiceProcess.ts"

const folder = mkdtempSync(join(tmpdir(), "muster-secrets-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** By variable. Each is like nothing else, in whatever it is found. */
const given = {
  MUSTER_SCHEDULER_PASSWORD: "zealous-walrus-of-the-scheduler",
  MUSTER_HODEI_TOKEN_COMMAND: "print-urbane-walrus",
  MUSTER_OPERATOR_TOKEN: "muster_operator_tremendous-walrus-for-all",
  MUSTER_TOKEN: "muster_command_serene-walrus-for-commands",
  MUSTER_JOIN_TOKEN: "muster_join_radiant-walrus-for-machines"
}

const secrets = {
  ...given,
  store: "yonder-walrus",
  token: "xenial-walrus",
  stranger: "muster_stranger_willing-walrus-of-nobody",
  cookie: "vivid-walrus"
}

const headersOf = (token: string) => ({
  authorization: `Bearer ${token}`,
  cookie: `session=${secrets.cookie}`
})
const headers = headersOf(given.MUSTER_OPERATOR_TOKEN)

/** Everything that was told, by where. */
const told = new Map<string, string>()

const tell = (where: string, text: string) => told.set(where, (told.get(where) ?? "") + text)

const run = async (where: string, args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) => {
  await using muster = new Muster(args, { env: { MUSTER_LOG_LEVEL: "all", ...env }, cwd: folder })
  await muster.exit()
  tell(where, muster.output + muster.errors)
}

/** Keeps what it is sent, and is rude about it. */
const collector = async () => {
  const server = createServer(async (request, response) => {
    tell("telemetry", (await buffer(request)).toString("latin1"))
    response.end("{}")
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    [Symbol.asyncDispose]: async () => void server.close()
  }
}

describe.skipIf(!hasOpenssl || !hasScript)(
  `secrets${whyNoOpenssl}${hasScript ? "" : " (skipped: there is no `script` of util-linux)"}`,
  { concurrent: true, timeout: 120_000 },
  () => {
    const authority = hasOpenssl ? new Authority() : undefined
    const own = authority?.issue()
    const keyLines = () =>
      (own?.pem.key ?? "").split("\n").filter((line) => line.length > 20 && !line.startsWith("-----"))

    const assertTold = (...places: ReadonlyArray<string>) => {
      for (const where of places) {
        const text = told.get(where) ?? ""
        assert.isNotEmpty(text, where)
        for (const secret of [...Object.values(secrets), ...keyLines()])
          assert.notInclude(text, secret, where)
      }
    }

    const tls = () => ({ MUSTER_TLS_CERT: own?.cert ?? "", MUSTER_TLS_KEY: own?.key ?? "" })

    it("are all of those that there are", () => {
      const declared = groups.flatMap(({ variables }) => variables).filter(({ isSecret }) => isSecret)
      assert.sameMembers(
        declared.map(({ name }) => name),
        Object.keys(given)
      )
    })

    it("are in no answer, metric, log or trace of a service in trouble, nor in what is left when it crashes", async () => {
      await using otlp = await collector()
      await using service = await Service.start({
        cwd: folder,
        env: {
          ...tls(),
          MUSTER_LOG_LEVEL: "all",
          MUSTER_SCHEDULER: "etcd://127.0.0.1:1",
          MUSTER_SCHEDULER_USER: "muster",
          MUSTER_SCHEDULER_PASSWORD: given.MUSTER_SCHEDULER_PASSWORD,
          MUSTER_AUTH: "on",
          MUSTER_OPERATOR_TOKEN: given.MUSTER_OPERATOR_TOKEN,
          MUSTER_MAX_RETRIES: "0",
          NODE_EXTRA_CA_CERTS: authority?.ca ?? "",
          NODE_OPTIONS: `--import "data:text/javascript,process.on('SIGUSR2', () => { throw new Error('crashed') })"`,
          OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url,
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
          OTEL_BSP_SCHEDULE_DELAY: "50",
          OTEL_BLRP_SCHEDULE_DELAY: "50",
          OTEL_METRIC_EXPORT_INTERVAL: "200"
        }
      })
      /** A request as it is written, so that it may be as wrong as it likes. */
      const send = async (text: string, body = "", token = given.MUSTER_OPERATOR_TOKEN) => {
        const lines = [
          ...text.split("\n"),
          "host: localhost",
          "connection: close",
          `content-length: ${body.length}`,
          `x-auth-token: ${secrets.stranger}`,
          ...Object.entries(headersOf(token)).map(([name, value]) => `${name}: ${value}`)
        ]
        const socket = connect({ port: service.port, host: "127.0.0.1", ca: authority?.pem })
        socket.on("error", () => {}) // a connection that is broken off is an answer too
        socket.on("data", (chunk: Buffer) => tell("answers", chunk.toString()))
        socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`)
        await once(socket, "close")
      }
      const json = "content-type: application/json"
      await send(`POST /v1/workers HTTP/1.1\n${json}\nprefer: wait=1`, JSON.stringify(worker("a")))
      await send(`POST /v1/workers HTTP/1.1\n${json}`, "{ no JSON")
      await send(`POST /v1/workers HTTP/1.1\n${json}`, `{"id":"","capabilities":{"cpuCores":-1}}`)
      await send(`POST /v1/events HTTP/1.1\n${json}`, "[]")
      for (const path of ["/nowhere", "/v1/workers/a", "/v1/workers/a/timeline", "/v1/scheduler"]) {
        await send(`GET ${path} HTTP/1.1`)
      }
      for (const path of ["/v1/scheduler/workers", "/metrics", "/openapi.json", "/readyz", "/v1/overview"]) {
        await send(`GET ${path} HTTP/1.1`)
      }
      await send("PATCH /v1/workers HTTP/1.1")
      await send("GET /v1/workers HTTP/1.1", "", secrets.stranger)
      await send(`POST /v1/workers HTTP/1.1\n${json}`, JSON.stringify(worker("b")), secrets.stranger)
      await send(`GET /v1/workers?token=${secrets.stranger} HTTP/1.1`, "", "")
      await send("this is no HTTP")
      await send(`GET / HTTP/1.1\nx-long: ${"x".repeat(20_000)}`)
      // A plain request on the port of the encrypted ones.
      await fetch(service.url.replace("https", "http"), { headers }).catch(() => undefined)
      assert.include(told.get("answers"), "urn:muster:problem:")
      while (!told.get("telemetry")?.includes("/v1/workers")) await service.printed(/./)
      service.signal("SIGUSR2")
      await service.exit()
      assert.include(service.errors, "Error: crashed")
      tell("log as JSON", service.output + service.errors)
      for (const file of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        if (file.isFile()) tell("files", readFileSync(join(file.parentPath, file.name), "latin1"))
      }
      assertTold("answers", "telemetry", "log as JSON")
    })

    it("are not in a log on a terminal, whose process is aborted", async () => {
      const token = join(mkdtempSync(join(tmpdir(), "muster-secrets-")), "token")
      writeFileSync(token, secrets.token)
      await using terminal = new PseudoTerminal(["serve", "--port", "0"], {
        env: {
          MUSTER_STORE: "memory",
          MUSTER_LOG_LEVEL: "all",
          MUSTER_SCHEDULER: "hodei://127.0.0.1:1",
          MUSTER_HODEI_TOKEN_FILE: token
        }
      })
      const address = /listens on (http:\/\/[\d.:]+)/
      await terminal.until(({ output }) => address.test(output))
      const [, url = ""] = address.exec(terminal.output) ?? []
      await fetch(`${url}/v1/workers`, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body: JSON.stringify(worker("a"))
      })
      await terminal.until(({ output }) => output.includes("will retry"))
      // Ctrl-\, which aborts.
      terminal.type("\u001c")
      await terminal.exit()
      rmSync(join(token, ".."), { recursive: true })
      tell("log on a terminal", terminal.output)
      assertTold("log on a terminal")
    })

    it("are not in what commands say of a configuration, whether it works or not", async () => {
      const address = `postgres://muster:${secrets.store}@127.0.0.1:1/muster`
      const all = {
        ...given,
        ...tls(),
        MUSTER_STORE: address,
        MUSTER_SCHEDULER: "hodei://127.0.0.1:1"
      }
      const inFile = join(folder, "..", `muster-secrets-${process.pid}`)
      writeFileSync(inFile, address, { mode: 0o600 })
      await Promise.all([
        run("config", ["config", "--json"], all),
        run("doctor", ["doctor", "--port", "0"], { ...all, MUSTER_STORE: "", MUSTER_STORE_FILE: inFile }),
        run("a command", ["workers", "--server", "http://127.0.0.1:1"], all),
        run("no store", ["serve", "--port", "0"], all),
        run("a password as an argument", ["serve", "--port", "0", "--store", address], all)
      ])
      rmSync(inFile)
      assert.include(told.get("no store"), "127.0.0.1:1")
      assertTold("config", "doctor", "a command", "no store", "a password as an argument")
    })
  }
)
