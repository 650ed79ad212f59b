/**
 * Everything that can be wrong with a request, and hostile clients: each is answered with a problem document, and
 * the service goes on.
 */
import { connect } from "node:net"
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { type Answer, Service, worker } from "./ServiceProcess.ts"

let service: Service
beforeAll(async () => {
  service = await Service.start()
})
afterEach(async () => {
  assert.strictEqual((await service.fetch("/healthz")).status, 200)
})
afterAll(() => service[Symbol.asyncDispose]())

const assertProblem = ({ headers, json }: Answer, status: number, name: string) => {
  assert.strictEqual(headers.get("content-type"), "application/problem+json")
  assert.deepInclude(json, { type: `urn:muster:problem:${name}`, status })
  assert.isString(json.title)
}

/** What the service answers to bytes that no HTTP client would send. */
const raw = (bytes: string | Uint8Array): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = ""
    const socket = connect(service.port, "127.0.0.1", () => socket.write(bytes))
    socket.on("data", (data) => {
      answer += data.toString()
    })
    socket.on("close", () => resolve(answer))
    socket.on("error", reject)
  })

describe("what is not there", () => {
  it.each([
    "/console",
    "/v1",
    "/v1/worker",
    "/v1/workers/a/b",
    "/v1/workers/x/heartbeats",
    "/v1/dead-letter",
    "/V1/workers",
    "//v1/workers",
    "/v1//workers",
    "/v1/overview/"
  ])("answers 404 for %s", async (path) => assertProblem(await service.fetch(path), 404, "not-found"))

  it("answers 404 for a worker, however long the id that is none", async () => {
    const answer = await service.fetch(`/v1/workers/${"%C3%A9".repeat(1000)}`)
    assertProblem(answer, 404, "unknown-worker")
    assert.lengthOf(answer.json.workerId, 253)
  })

  it.each([
    ["PUT", "/v1/workers", "POST, GET, HEAD, OPTIONS"],
    ["PATCH", "/v1/workers/x", "GET, HEAD, DELETE, OPTIONS"],
    ["DELETE", "/v1/events", "GET, HEAD, POST, OPTIONS"],
    ["GET", "/v1/workers/x/heartbeat", "POST, OPTIONS"],
    ["DELETE", "/healthz", "GET, HEAD, OPTIONS"],
    ["POST", "/metrics", "GET, HEAD, OPTIONS"],
    ["POST", "/openapi.json", "GET, HEAD, OPTIONS"],
    ["PROPFIND", "/v1/workers", "POST, GET, HEAD, OPTIONS"]
  ])("answers 405 for %s %s, and says what is allowed", async (method, path, allow) => {
    const answer = await service.fetch(path, { method })
    assertProblem(answer, 405, "method-not-allowed")
    assert.sameMembers((answer.headers.get("allow") ?? "").split(", "), allow.split(", "))
  })
})

describe("bodies", () => {
  it.each([
    ["nothing", ""],
    ["half of a document", `{"id":`],
    ["no JSON", "hello"],
    ["a number too many", "{} 1"]
  ])("answers 400 for %s", async (_, body) => {
    assertProblem(await service.send("POST", "/v1/workers", body), 400, "malformed-json")
  })

  it("answers 400 for bytes that are not UTF-8", async () => {
    const headers = { "content-type": "application/json" }
    const body = new Uint8Array([0x22, 0xff, 0x22])
    assertProblem(
      await service.fetch("/v1/workers", { method: "POST", headers, body }),
      400,
      "malformed-json"
    )
  })

  it.each(["null", "[]", "1", `"worker"`, "{}", `{"id":"__proto__"}`, `{"__proto__":{"id":"x"}}`])(
    "answers 400 for %s, which is no worker",
    async (body) => assertProblem(await service.send("POST", "/v1/workers", body), 400, "invalid-worker")
  )

  it("answers 400 for JSON of any depth", async () => {
    const depth = 400_000
    const deep = "[".repeat(depth) + "]".repeat(depth)
    assertProblem(await service.send("POST", "/v1/workers", deep), 400, "malformed-json")
    const inside = `{"id":"deep","capabilities":{"cpuCores":1,"memoryMb":1,"customResources":{"x":${deep}}}}`
    assertProblem(await service.send("POST", "/v1/workers", inside), 400, "malformed-json")
  })

  it("answers 413 for a body that is larger than a worker can be, announced or not", async () => {
    const large = JSON.stringify(worker("large", { namespace: "x".repeat(1024 * 1024) }))
    assertProblem(await service.send("POST", "/v1/workers", large), 413, "content-too-large")
    const chunks = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024).fill(0x20))
    })
    const answer = await service
      .fetch("/v1/workers", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: chunks,
        duplex: "half"
      })
      .catch(() => undefined)
    // The connection may break under a client that goes on sending.
    if (answer !== undefined) assertProblem(answer, 413, "content-too-large")
  })

  it.each([
    ["text/plain", {}],
    ["application/x-www-form-urlencoded", {}],
    ["application/json; charset=latin1", {}],
    ["application/json", { "content-encoding": "gzip" }],
    ["application/x-ndjson", {}]
  ])("answers 415 for %s %j", async (type, headers) => {
    const answer = await service.send("POST", "/v1/workers", worker("typed"), {
      "content-type": type,
      ...headers
    })
    assertProblem(answer, 415, "unsupported-media-type")
    assert.deepStrictEqual(answer.json.supported, ["application/json"])
  })

  it("takes a media type as it may be written", async () => {
    const headers = { "content-type": `Application/JSON; charset="UTF-8"` }
    assert.strictEqual((await service.send("POST", "/v1/workers", worker("typed"), headers)).status, 202)
  })

  it("ignores a preference that it does not understand", async () => {
    for (const prefer of ["wait=soon", "wait", "return=minimal", ", ,=;", "wait=-1"]) {
      const answer = await service.send("POST", "/v1/workers", worker("preferred"), { prefer })
      assert.strictEqual(answer.status, 202)
      assert.isNull(answer.headers.get("preference-applied"))
    }
  })
})

describe("an address with a host before it", () => {
  it("is answered as the address alone", async () => {
    const put = await raw(
      "PUT http://x.invalid/v1/workers HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )
    assert.match(put, /^HTTP\/1.1 405 [^]*allow: POST, GET, HEAD, OPTIONS/)
    const get = await raw(
      "GET http://x.invalid/healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )
    assert.match(get, /^HTTP\/1.1 200 /)
  })
})

describe("what is not HTTP", () => {
  it.each([
    ["no HTTP at all", "hello\r\n\r\n", 400, "malformed-request"],
    [
      "two lengths",
      "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
      400,
      "malformed-request"
    ],
    [
      "a length and chunks",
      "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
      400,
      "malformed-request"
    ],
    [
      "huge headers",
      `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(100_000)}\r\n\r\n`,
      431,
      "header-fields-too-large"
    ]
  ])("answers %s and closes the connection", async (_, bytes, status, name) => {
    const answer = await raw(bytes)
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `))
    assert.include(answer, "content-type: application/problem+json")
    assert.include(answer, `"type":"urn:muster:problem:${name}"`)
  })

  it("closes the connection, and adds nothing, where an answer is under way or still to come", async () => {
    const head =
      "POST /v1/workers/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n"
    const line = JSON.stringify(worker("chunk"))
    const stream = await raw(
      `${head}transfer-encoding: chunked\r\n\r\n${(line.length + 1).toString(16)}\r\n${line}\n\r\nnonsense`
    )
    assert.match(stream, /^HTTP\/1.1 200 /)
    assert.include(stream, `"id":"chunk"`)
    assert.notInclude(stream, "malformed-request")

    const lines = `${line}\n`.repeat(3)
    const expecting = await raw(
      `${head}expect: 100-continue\r\ncontent-length: ${lines.length - 1}\r\n\r\n${lines}`
    )
    assert.match(expecting, /^HTTP\/1.1 200 /)
    assert.notInclude(expecting, "malformed-request")

    const waiting = JSON.stringify([worker("waiting")])
    const pipelined = await raw(
      `POST /v1/workers/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nprefer: wait=1\r\n` +
        `content-length: ${waiting.length}\r\n\r\n${waiting}nonsense`
    )
    assert.notInclude(pipelined, "malformed-request")
  })

  it("answers requests that come together, and closes the connection over too many of them", async () => {
    const request = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n"
    const some = await raw(`${`${request}\r\n`.repeat(63)}${request}connection: close\r\n\r\n`)
    assert.lengthOf(some.match(/HTTP\/1.1 200 /g) ?? [], 64)
    const list = "GET /v1/workers?limit=1000 HTTP/1.1\r\nhost: localhost\r\n\r\n"
    const expecting = list.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n")
    for (const request of [list, expecting]) {
      const many = await raw(request.repeat(1000)).catch(() => "")
      assert.isAtMost((many.match(/HTTP\/1.1 200 /g) ?? []).length, 64)
    }
  })

  it("survives a client that leaves in the middle of its body", async () => {
    await new Promise<void>((resolve) => {
      const socket = connect(service.port, "127.0.0.1", () => {
        socket.write(
          "POST /v1/workers HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"
        )
        socket.resetAndDestroy()
      })
      socket.on("close", () => resolve())
    })
  })
})
