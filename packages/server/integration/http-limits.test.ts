/**
 * What one client may take, and requests that are refused for what they are: hostile bytes against a real service. The
 * limits of one client do not hold on the loopback address, so the clients here come through a proxy that is trusted.
 */
import { connect } from "node:net"
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { Service, worker } from "./ServiceProcess.ts"

let service: Service
beforeAll(async () => {
  service = await Service.start({
    env: {
      MUSTER_TRUSTED_PROXIES: "127.0.0.1",
      MUSTER_RATE_LIMIT: "2",
      MUSTER_RATE_LIMIT_BURST: "10",
      MUSTER_MAX_CLIENT_CONNECTIONS: "3"
    }
  })
})
afterEach(async () => {
  assert.strictEqual((await service.fetch("/healthz")).status, 200)
})
afterAll(() => service[Symbol.asyncDispose]())

/** What the service answers to some bytes until it closes the connection. */
const raw = (...bytes: ReadonlyArray<string | Uint8Array>): Promise<string> =>
  new Promise((resolve) => {
    let answer = ""
    const socket = connect(service.port, "127.0.0.1")
    for (const some of bytes) socket.write(some)
    socket.on("data", (data) => (answer += data.toString()))
    socket.on("error", () => {})
    socket.on("close", () => resolve(answer))
  })

const assertRefused = (answer: string, status: number, name: string) => {
  const [head = "", body = ""] = answer.split("\r\n\r\n")
  assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `))
  assert.match(head, /^content-type: application\/problem\+json$/im)
  assert.match(head, /^connection: close$/im)
  assert.deepInclude(JSON.parse(body), { type: `urn:muster:problem:${name}`, status })
}

const host = "host: localhost\r\n"
const json = "content-type: application/json\r\n"

describe("a request that could be read in two ways", () => {
  it.each([
    ["a length and chunks", `${host}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["two lengths", `${host}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`],
    ["lengths in a list", `${host}content-length: 5, 5\r\n\r\nhello`],
    ["a length with a sign", `${host}content-length: +5\r\n\r\nhello`],
    ["a space before the colon", `${host}content-length : 5\r\n\r\nhello`],
    ["two codings", `${host}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n`],
    ["a header on two lines", `${host}x-a: b\r\n c: d\r\n\r\n`],
    ["a line that ends early", `${host}x: a\rb\r\n\r\n`],
    ["a NUL", `${host}x: a\0b\r\n\r\n`],
    ["a chunk of no size", `${host}${json}transfer-encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n`],
    ["a chunk of any size", `${host}${json}transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n`],
    ["a chunk with half an end", `${host}${json}transfer-encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n`],
    ["no host", `content-length: 0\r\n\r\n`],
    ["two hosts", `${host}host: y\r\n\r\n`],
    ["two types", `${host}${json}content-type: text/plain\r\ncontent-length: 2\r\n\r\n{}`],
    ["two credentials", `${host}authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n`]
  ])("is answered with 400: %s", async (_, rest) =>
    assertRefused(await raw(`POST /v1/workers HTTP/1.1\r\n${rest}`), 400, "malformed-request")
  )

  it.each(["gzip, chunked", "xchunked", "identity", "chunked;x=y"])(
    "is answered with 501: transfer-encoding: %s",
    async (coding) => {
      const head = `POST /v1/workers HTTP/1.1\r\n${host}${json}transfer-encoding: ${coding}\r\n\r\n`
      assertRefused(await raw(head), 501, "transfer-coding-not-supported")
    }
  )

  it("is answered with 400: HTTP/1.0 with chunks", async () => {
    const head = `POST /v1/workers HTTP/1.0\r\n${json}transfer-encoding: chunked\r\n\r\n`
    assertRefused(await raw(`${head}2\r\n{}\r\n0\r\n\r\n`), 400, "malformed-request")
  })
})

describe("what is not asked of this service", () => {
  it.each([
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["HTTP/2.0 as if it were 1.1", `GET /healthz HTTP/2.0\r\n${host}\r\n`],
    ["HTTP/3.7", `GET /healthz HTTP/3.7\r\n${host}\r\n`],
    ["HTTP/0.9", "GET /healthz\r\n\r\n"]
  ])("is answered with 505: %s", async (_, bytes) =>
    assertRefused(await raw(bytes), 505, "http-version-not-supported")
  )

  it("is answered with 405: a tunnel", async () => {
    assertRefused(await raw(`CONNECT example.com:443 HTTP/1.1\r\n${host}\r\n`), 405, "method-not-allowed")
  })

  it("is answered with 405: an echo of the request", async () => {
    const answer = await raw(
      `TRACE /healthz HTTP/1.1\r\n${host}connection: close\r\nx-secret: s3cret\r\n\r\n`
    )
    assertRefused(answer, 405, "method-not-allowed")
    assert.notInclude(answer, "s3cret")
  })

  it("is answered with 417: an expectation that is not known", async () => {
    const head = `GET /healthz HTTP/1.1\r\n${host}expect: 200-maybe\r\n\r\n`
    assertRefused(await raw(head), 417, "expectation-failed")
  })

  it.each(["GET *", "GET healthz", "GET ftp://x/healthz", "POST *"])(
    "is answered with 400: %s",
    async (line) => assertRefused(await raw(`${line} HTTP/1.1\r\n${host}\r\n`), 400, "malformed-request")
  )
})

describe("what HTTP has besides", () => {
  const closing = `${host}connection: close\r\n`

  it.each([
    ["HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n"],
    ["a whole address", `GET http://elsewhere.example/healthz HTTP/1.1\r\n${closing}\r\n`],
    ["a body where none is needed", `GET /healthz HTTP/1.1\r\n${closing}content-length: 5\r\n\r\nhello`],
    [
      "a large body where none is needed",
      `GET /healthz HTTP/1.1\r\n${host}content-length: 99999999999\r\n\r\n`
    ]
  ])("is taken: %s", async (_, bytes) => assert.match(await raw(bytes), /^HTTP\/1\.1 200 .*"status":"ok"/s))

  it("is not upgraded to anything else", async () => {
    const upgrade = "connection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    const answer = await raw(`GET /healthz HTTP/1.1\r\n${host}${upgrade}sec-websocket-key: eA==\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 200 .*"status":"ok"/s)
  })

  it.each(["/healthz", "/v1/workers", "/v1/export", "/v1/events"])(
    "has no body for HEAD %s",
    async (path) => {
      const [head, body] = (await raw(`HEAD ${path} HTTP/1.1\r\n${closing}\r\n`)).split("\r\n\r\n")
      assert.match(head ?? "", /^HTTP\/1\.1 200 /)
      assert.strictEqual(body, "")
    }
  )

  it("refuses a body before it is sent where it is expected to", async () => {
    const head = `POST /v1/workers HTTP/1.1\r\n${closing}${json}expect: 100-continue\r\n`
    const answer = await raw(`${head}content-length: 99999999\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 413 .*content-too-large/s)
  })
})

describe("sizes", () => {
  it("answers 414 to a long address, and to one with many parameters", async () => {
    const get = (target: string) => `GET ${target} HTTP/1.1\r\n${host}\r\n`
    for (const target of [
      `/v1/workers?search=${"a".repeat(8 * 1024)}`,
      `/${"a".repeat(20_000)}`,
      `/v1/workers?${"a&".repeat(64)}a`
    ])
      assertRefused(await raw(get(target)), 414, "uri-too-long")
  })

  it("answers 431 to large headers, and to many", async () => {
    const with_ = (headers: string) => `GET /healthz HTTP/1.1\r\n${host}${headers}\r\n`
    for (const headers of [`x: ${"y".repeat(16 * 1024)}\r\n`, "a: b\r\n".repeat(128)])
      assertRefused(await raw(with_(headers)), 431, "header-fields-too-large")
    const some = await raw(with_(`${"a: b\r\n".repeat(126)}connection: close\r\n`))
    assert.match(some, /^HTTP\/1\.1 200 /)
  })

  it.each([
    ["/v1/workers", "application/json"],
    ["/v1/workers/batch", "application/json"],
    ["/v1/workers/batch", "application/x-ndjson"],
    ["/v1/events", "application/cloudevents+json"],
    ["/v1/events", "application/cloudevents-batch+json"],
    ["/v1/import", "application/x-ndjson"]
  ])("answers 415 to a compressed body: %s of %s", async (path, type) => {
    for (const coding of ["gzip", "br", "identity, gzip", "zstd"]) {
      const answer = await service.send("POST", path, "x", {
        "content-type": type,
        "content-encoding": coding
      })
      assert.deepInclude(answer.json, { type: "urn:muster:problem:unsupported-media-type", status: 415 })
    }
  })

  it.each([
    "multipart/form-data; boundary=x",
    "application/json, application/x-ndjson",
    "text/json",
    "application/json; charset=utf-7",
    ";"
  ])("answers 415 to a body of the type %s", async (type) => {
    const answer = await service.send("POST", "/v1/workers", worker("typed"), { "content-type": type })
    assert.strictEqual(answer.status, 415)
  })

  it("goes on after a line without an end, of which it keeps nothing", async () => {
    const line = new Uint8Array(256 * 1024).fill(0x20)
    let left = 64
    const body = new ReadableStream({
      pull: (controller) => {
        if (left-- > 0) controller.enqueue(line)
        else {
          controller.enqueue(new TextEncoder().encode(`\n${JSON.stringify(worker("after"))}\n`))
          controller.close()
        }
      }
    })
    const headers = { "content-type": "application/x-ndjson" }
    const { text } = await service.fetch("/v1/workers/batch", {
      method: "POST",
      headers,
      body,
      duplex: "half"
    })
    const [long, after] = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
    assert.deepInclude(long, { line: 1, status: 413 })
    assert.deepInclude(after, { line: 2, status: 202 })
  })
})

describe("one client", () => {
  const from = (client: string) => ({ "x-forwarded-for": client })

  it("is told what is left to it, and refused when that is used up", async () => {
    const ask = () => service.fetch("/v1/workers", { headers: from("192.0.2.1") })
    const first = await ask()
    assert.strictEqual(first.headers.get("ratelimit-policy"), `"client";q=10;w=5`)
    assert.strictEqual(first.headers.get("ratelimit"), `"client";r=9;t=1`)
    const answers = await Promise.all(Array.from({ length: 3 }, ask))
    assert.isTrue(answers.every(({ status }) => status === 200))
    let last = await ask()
    while (last.status === 200) last = await ask()
    assert.deepInclude(last.json, {
      type: "urn:muster:problem:too-many-requests",
      status: 429,
      retryAfter: 1
    })
    assert.strictEqual(last.headers.get("retry-after"), "1")
    assert.strictEqual(last.headers.get("ratelimit"), `"client";r=0;t=1`)
    assert.strictEqual((await service.fetch("/v1/workers", { headers: from("192.0.2.2") })).status, 200)
  })

  it("is any address of an IPv6 network", async () => {
    const answers = []
    for (let host = 0; host < 12; host++) {
      answers.push(await service.fetch("/v1/workers", { headers: from(`2001:db8::${host}`) }))
    }
    assert.isTrue(answers.some(({ status }) => status === 429))
  })

  it("is counted for each worker of an array; a larger one than there can be left is owed", async () => {
    const send = (count: number, client: string) =>
      service.send(
        "POST",
        "/v1/workers/batch",
        Array.from({ length: count }, (_, index) => worker(`counted-${index}`)),
        from(client)
      )
    assert.strictEqual((await send(8, "192.0.2.3")).status, 200)
    assert.strictEqual((await send(8, "192.0.2.3")).status, 429)
    // Nothing was taken in of what was refused, and it has cost one.
    const events = Array.from({ length: 9 }, () => ({}))
    const sent = await service.send("POST", "/v1/events", events, {
      ...from("192.0.2.4"),
      "content-type": "application/cloudevents-batch+json"
    })
    assert.strictEqual(sent.headers.get("ratelimit")?.replace(/t=.*/, ""), `"client";r=1;`)
  })

  it("is slowed down where it sends lines", async () => {
    const lines = Array.from({ length: 14 }, (_, index) => JSON.stringify(worker(`slow-${index}`))).join("\n")
    const began = performance.now()
    const { status, text } = await service.fetch("/v1/workers/batch", {
      method: "POST",
      headers: { ...from("192.0.2.5"), "content-type": "application/x-ndjson" },
      body: lines
    })
    assert.strictEqual(status, 200)
    assert.lengthOf(text.match(/"status":202/g) ?? [], 14)
    // One for the request, and 14 lines: 5 more than there are, at 2 a second.
    assert.isAbove(performance.now() - began, 2000)
  })

  it("has so many requests open, and is told so; others are answered", async () => {
    const leave = new AbortController()
    const follow = (client: string) =>
      fetch(`${service.url}/v1/events`, { headers: from(client), signal: leave.signal })
    const followers = await Promise.all([1, 2, 3].map(() => follow("192.0.2.6")))
    assert.isTrue(followers.every(({ status }) => status === 200))
    const refused = await follow("192.0.2.6")
    assert.strictEqual(refused.status, 429)
    assert.strictEqual(refused.headers.get("retry-after"), "1")
    assert.strictEqual((await service.fetch("/v1/workers", { headers: from("192.0.2.7") })).status, 200)
    assert.strictEqual((await service.fetch("/readyz", { headers: from("192.0.2.6") })).status, 200)
    leave.abort()
  })

  it("is not counted where it watches the service", async () => {
    for (let time = 0; time < 15; time++) {
      for (const path of ["/healthz", "/readyz", "/metrics?x=y"]) {
        const { headers, status } = await service.fetch(path, { headers: from("192.0.2.8") })
        assert.deepStrictEqual([status, headers.get("ratelimit")], [200, null])
      }
    }
  })

  it("is not counted on the machine itself, unless it comes through a proxy", async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => service.fetch("/v1/workers")))
    assert.isTrue(answers.every(({ status, headers }) => status === 200 && headers.get("ratelimit") === null))
  })
})
