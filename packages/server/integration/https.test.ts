/**
 * `muster serve` over HTTPS: whom it lets in, how its certificates are replaced while it runs, what it refuses to
 * start with, and what the command line says of a service that it cannot trust.
 */
import { once } from "node:events"
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { Agent, createServer, request } from "node:https"
import { connect as connectPlain } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect, type ConnectionOptions, type PeerCertificate } from "node:tls"
import { ConfigProvider, Effect, Layer } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { ask, MusterClient } from "../src/client/MusterClient.ts"
import { serviceHttpClient } from "../src/client/ServiceHttpClient.ts"
import { resolveTls } from "../src/http/TlsSettings.ts"
import { Authority, hasOpenssl, type Pair, whyNoOpenssl } from "./Certificates.ts"
import { until } from "./SchedulerProcess.ts"
import { Muster, Service } from "./ServiceProcess.ts"

const folder = mkdtempSync(join(tmpdir(), "muster-https-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const environment = ({ cert, key }: Pair, more: Readonly<Record<string, string>> = {}) => ({
  MUSTER_TLS_CERT: cert,
  MUSTER_TLS_KEY: key,
  ...more
})

interface Seen {
  readonly status: number
  readonly text: string
}

/** One request, on a connection of its own unless an agent has one. */
const get = (service: Service, path: string, options: ConnectionOptions & { readonly agent?: Agent } = {}) =>
  new Promise<Seen>((resolve, reject) => {
    const { agent = false, ...tls } = options
    const sent = request(`${service.url}${path}`, { agent, ...tls }, (response) => {
      let text = ""
      response.on("data", (chunk: Buffer) => (text += chunk.toString()))
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }))
    })
    sent.on("error", reject)
    sent.end()
  })

/** The certificate that a new connection is shown. */
const shown = async (service: Service, ca: string): Promise<string> => {
  const socket = connect({ port: service.port, host: "127.0.0.1", ca })
  await once(socket, "secureConnect")
  const { fingerprint256 }: PeerCertificate = socket.getPeerCertificate()
  socket.destroy()
  return fingerprint256
}

/** What comes on a plain connection to the port until it is closed. */
const raw = async (service: Service, text: string | undefined): Promise<string> => {
  const socket = connectPlain(service.port, "127.0.0.1")
  let received = ""
  socket.on("data", (chunk: Buffer) => (received += chunk.toString("latin1")))
  socket.on("error", () => {}) // being reset is an end too
  if (text !== undefined) socket.write(text)
  await once(socket, "close")
  return received
}

describe.skipIf(!hasOpenssl)(`HTTPS${whyNoOpenssl}`, { concurrent: true, timeout: 120_000 }, () => {
  let authority: Authority
  let stranger: Authority
  let own: Pair
  beforeAll(() => {
    authority = new Authority()
    stranger = new Authority("somebody else")
    own = authority.issue()
  })

  it("serves everything by TLS 1.2 and newer, and answers what is no HTTP as ever", async () => {
    await using service = await Service.start({ env: environment(own) })
    assert.match(service.url, /^https:/)
    const ca = authority.pem
    assert.strictEqual((await get(service, "/readyz", { ca, maxVersion: "TLSv1.2" })).status, 200)
    assert.include((await get(service, "/metrics", { ca, minVersion: "TLSv1.3" })).text, "muster_workers")
    const older = get(service, "/healthz", { ca, maxVersion: "TLSv1.1", minVersion: "TLSv1.1" })
    assert.isFalse(
      await older.then(
        () => true,
        () => false
      )
    )

    const socket = connect({ port: service.port, host: "127.0.0.1", ca })
    let answer = ""
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()))
    socket.write("this is no HTTP\r\n\r\n")
    await once(socket, "close")
    assert.match(answer, /^HTTP\/1.1 400 /)
    assert.include(answer, "urn:muster:problem:malformed-request")

    const before = service.output
    assert.notInclude(await raw(service, "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"), "HTTP")
    // The beginning of a handshake that promises more than it sends, and then a client that has gone.
    const half = connectPlain(service.port, "127.0.0.1", () => half.end(Buffer.from("160301020001", "hex")))
    half.on("error", () => {})
    await once(half.resume(), "close")
    assert.strictEqual((await get(service, "/healthz", { ca })).status, 200)
    assert.strictEqual(service.output, before)
    assert.strictEqual(service.errors, "")
  })

  it("gives a handshake ten seconds, and does not wait for one when it stops", async () => {
    await using service = await Service.start({ env: environment(own) })
    const began = performance.now()
    assert.strictEqual(await raw(service, undefined), "")
    const took = performance.now() - began
    assert.isAbove(took, 9000)
    assert.isBelow(took, 60_000)

    // The ten seconds of this one would end after the service has.
    const connected = performance.now()
    const silent = connectPlain(service.port, "127.0.0.1")
    silent.on("error", () => {})
    await once(silent, "connect")
    await get(service, "/healthz", { ca: authority.pem })
    service.signal("SIGTERM")
    assert.strictEqual(await service.exit(), 0)
    assert.isBelow(performance.now() - connected, 9500)
    silent.destroy()
  })

  it("with a CA for clients lets in only those that it has signed", async () => {
    await using service = await Service.start({
      env: environment(own, { MUSTER_TLS_CLIENT_CA: authority.ca })
    })
    const ca = authority.pem
    assert.strictEqual((await get(service, "/healthz", { ca, ...authority.issue().pem })).status, 200)
    const others = [{}, stranger.issue().pem, authority.issue({ isExpired: true }).pem]
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      for (const pair of others) {
        const answer = get(service, "/healthz", { ca, minVersion: version, maxVersion: version, ...pair })
        assert.isFalse(
          await answer.then(
            () => true,
            () => false
          ),
          version
        )
      }
    }
    assert.notMatch(service.output, /"level":"(?:WARN|ERROR)"/)
  })

  it("takes new files while it runs, and keeps the old ones where the new cannot be used", async () => {
    const [cert, key] = [join(folder, "tls.crt"), join(folder, "tls.key")]
    // As Kubernetes has it: the files are links through a link to a folder, and that link is turned.
    const place = (name: string, pair: { readonly cert: string; readonly key: string }) => {
      mkdirSync(join(folder, name))
      copyFileSync(pair.cert, join(folder, name, "tls.crt"))
      copyFileSync(pair.key, join(folder, name, "tls.key"))
      symlinkSync(name, join(folder, "..data.new"))
      renameSync(join(folder, "..data.new"), join(folder, "..data"))
    }
    place("first", own)
    symlinkSync("..data/tls.crt", cert)
    symlinkSync("..data/tls.key", key)
    await using service = await Service.start({ env: { MUSTER_TLS_CERT: cert, MUSTER_TLS_KEY: key } })
    const ca = authority.pem
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca })
    await get(service, "/healthz", { agent })
    const [kept] = Object.values(agent.freeSockets).flat()
    const first = await shown(service, ca)

    place("second", authority.issue())
    await until(
      () => shown(service, ca),
      (fingerprint) => fingerprint !== first
    )
    const second = await shown(service, ca)
    await get(service, "/healthz", { agent })
    assert.strictEqual(Object.values(agent.freeSockets).flat()[0], kept, "the old connection goes on")

    // Half of a file, then a whole one with another key, and at last what belongs together.
    const third = authority.issue()
    writeFileSync(cert, third.pem.cert.slice(0, 300))
    await service.printed(/MUSTER_TLS_CERT: [^"]* ends within a certificate/)
    writeFileSync(cert, third.pem.cert)
    await service.printed(/MUSTER_TLS_KEY: [^"]* is not the key of the certificate/)
    assert.strictEqual(await shown(service, ca), second)
    writeFileSync(`${key}.new`, third.pem.key)
    renameSync(`${key}.new`, key)
    await until(
      () => shown(service, ca),
      (fingerprint) => fingerprint !== second
    )
    agent.destroy()
    assert.strictEqual(service.output.match(/"level":"ERROR"/g)?.length, 2)
  })

  it("does not start with files that make no sense, and says which", async () => {
    await using muster = new Muster(["serve", "--port", "0"], {
      env: environment(authority.issue({ isExpired: true }))
    })
    assert.strictEqual(await muster.exit(), 2)
    assert.match(muster.errors, /^MUSTER_TLS_CERT: \S+\.pem has expired, at 20\S+Z\n$/)
  })

  it.each<readonly [string, () => Record<string, string>, RegExp]>([
    ["half a pair", () => ({ MUSTER_TLS_CERT: own.cert }), /MUSTER_TLS_CERT and MUSTER_TLS_KEY go together/],
    [
      "a CA of clients alone",
      () => ({ MUSTER_TLS_CLIENT_CA: authority.ca }),
      /MUSTER_TLS_CLIENT_CA needs MUSTER_TLS_CERT and MUSTER_TLS_KEY/
    ],
    [
      "a file that is not there",
      () => environment(own, { MUSTER_TLS_KEY: "/no/such.key" }),
      /MUSTER_TLS_KEY: \/no\/such\.key cannot be read: NotFound/
    ],
    [
      "the key of another",
      () => environment(own, { MUSTER_TLS_KEY: authority.issue().key }),
      /MUSTER_TLS_KEY: \S+\.key is not the key of the certificate in \S+\.pem \(MUSTER_TLS_CERT\)/
    ],
    [
      "a certificate for a key",
      () => environment(own, { MUSTER_TLS_KEY: own.cert }),
      /MUSTER_TLS_KEY: \S+\.pem holds no private key in PEM/
    ],
    [
      "a key for a CA",
      () => environment(own, { MUSTER_TLS_CLIENT_CA: own.key }),
      /MUSTER_TLS_CLIENT_CA: \S+\.key holds no certificate in PEM/
    ]
  ])("%s is wrong usage", async (_, env, message) => {
    const variables = ConfigProvider.layer(ConfigProvider.fromUnknown(env()))
    const error = await Effect.runPromise(Effect.flip(Effect.provide(resolveTls, variables)))
    assert.match(error.message, message)
    assert.notInclude(error.message, "PRIVATE")
  })

  /** What a command gets from a service, or the sentence that says why it gets nothing. */
  const told = (url: string, env: Readonly<Record<string, string>>) =>
    ask((api) => api.system.health()).pipe(
      Effect.match({ onSuccess: ({ status }) => status, onFailure: ({ message }) => message }),
      Effect.provide(MusterClient.layer(url).pipe(Layer.provide(serviceHttpClient))),
      Effect.catchTag("WrongUsage", ({ message }) => Effect.succeed(message)),
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env))),
      Effect.runPromise
    )

  it("the command line says whom it does not trust, and what to do", async () => {
    const mutual = environment(own, { MUSTER_TLS_CLIENT_CA: authority.ca })
    await using service = await Service.start({ env: mutual })
    await using elsewhere = await Service.start({
      env: environment(authority.issue({ names: "DNS:muster.internal", days: 3 }))
    })
    const identity = ({ cert, key }: Pair) => ({ MUSTER_CLIENT_CERT: cert, MUSTER_CLIENT_KEY: key })
    const mine = { MUSTER_CA: authority.ca, ...identity(authority.issue()) }
    assert.strictEqual(await told(service.url, mine), "ok")
    const cases: ReadonlyArray<readonly [string, Record<string, string>, RegExp]> = [
      [service.url, {}, /not signed by a CA that is known here.* MUSTER_CA/],
      [service.url, { ...mine, MUSTER_CA: stranger.ca }, /not signed by a CA that is known here/],
      [elsewhere.url, mine, /not for this name, but for DNS:muster\.internal/],
      [service.url, { MUSTER_CA: authority.ca }, /asks who is calling.* MUSTER_CLIENT_CERT/],
      [
        service.url,
        { ...mine, ...identity(stranger.issue()) },
        /MUSTER_CLIENT_CERT has to be signed by a CA/
      ],
      [elsewhere.url.replace("https", "http"), {}, /No Muster service answers/],
      [
        service.url,
        { ...mine, MUSTER_CLIENT_KEY: "/no/such" },
        /MUSTER_CLIENT_KEY: \/no\/such cannot be read/
      ]
    ]
    for (const [url, env, sentence] of cases) assert.match(await told(url, env), sentence)
    await elsewhere.printed(/MUSTER_TLS_CERT: the certificate in use ends at/)

    await using expired = await serving(authority.issue({ isExpired: true }))
    assert.match(await told(expired.url, mine), /its certificate has expired/)

    const args = ["doctor", "--json", "--port", String(service.port), "--store", "memory"]
    await using doctor = new Muster(args, { env: { ...mutual, ...mine } })
    await doctor.exit()
    assert.match(doctor.output, /muster \S+ answers at https:/)
  })
})

/** Muster starts with no such certificate; a server that goes on with one has it all the same. */
const serving = async (pair: Pair) => {
  const server = createServer(pair.pem, (_, response) => response.end("{}"))
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  return {
    url: `https://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve()))
  }
}
