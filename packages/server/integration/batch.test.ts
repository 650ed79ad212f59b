/**
 * Batches: as a JSON array, and as a stream of NDJSON in both directions.
 */
import { once } from "node:events"
import { type ClientRequest, type IncomingMessage, request } from "node:http"
import { createInterface } from "node:readline"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Service, worker } from "./ServiceProcess.ts"

let service: Service
beforeAll(async () => {
  service = await Service.start()
})
afterAll(() => service[Symbol.asyncDispose]())

const ndjson = { "content-type": "application/x-ndjson" }

const results = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))

const nextAnswer = async (answers: AsyncIterator<string>) => {
  const { done, value } = await answers.next()
  return done === true ? assert.fail("the answer has ended") : JSON.parse(value)
}

/** A batch whose body is written by hand, and whose answer is read line by line. */
class Upload {
  readonly request: ClientRequest
  readonly response: Promise<IncomingMessage>

  constructor(headers: Readonly<Record<string, string>> = {}) {
    this.request = request(`${service.url}/v1/workers/batch`, {
      method: "POST",
      headers: { ...ndjson, ...headers }
    })
    this.response = once(this.request, "response").then(([response]) => response)
  }

  write(line: string): boolean {
    return this.request.write(line)
  }
}

describe("a JSON array", () => {
  it("is answered by position, with what is bad in its place and the rest accepted", async () => {
    const { json, status } = await service.send("POST", "/v1/workers/batch", [
      worker("b0"),
      { id: "b1" },
      7,
      worker("b3")
    ])
    assert.strictEqual(status, 200)
    assert.deepStrictEqual(
      json.results.map(({ index, status }: { index: number; status: number }) => [index, status]),
      [
        [0, 202],
        [1, 400],
        [2, 400],
        [3, 202]
      ]
    )
    assert.strictEqual(json.results[1].problem.type, "urn:muster:problem:invalid-worker")
    assert.strictEqual((await service.fetch("/v1/workers/b3")).status, 200)
  })

  it("may be empty", async () => {
    assert.deepStrictEqual((await service.send("POST", "/v1/workers/batch", [])).json, { results: [] })
  })

  it("tells outcomes where the client prefers to wait", async () => {
    const workers = Array.from({ length: 1000 }, (_, i) => worker(`bw${i}`))
    const { json } = await service.send("POST", "/v1/workers/batch", workers, { prefer: "wait=10" })
    assert.isTrue(json.results.every((result: { status: number }) => result.status === 200))
  })

  it("is refused when it is no array, or has too many members", async () => {
    assert.strictEqual((await service.send("POST", "/v1/workers/batch", {})).status, 400)
    const many = await service.send(
      "POST",
      "/v1/workers/batch",
      Array.from({ length: 10_001 }, () => 0)
    )
    assert.strictEqual(many.status, 413)
    assert.deepInclude(many.json, { maximum: 10_000, unit: "items" })
  })
})

describe("NDJSON", () => {
  it("is answered line by line, with the number of each line", async () => {
    const body = `${JSON.stringify(worker("n1"))}\n\n{"id":\r\n${JSON.stringify(worker("n4"))}\r\n  \n{"id":"n6"}\n${JSON.stringify(worker("n7"))}`
    const { headers, status, text } = await service.fetch("/v1/workers/batch", {
      method: "POST",
      headers: ndjson,
      body
    })
    assert.strictEqual(status, 200)
    assert.strictEqual(headers.get("content-type"), "application/x-ndjson")
    assert.deepStrictEqual(
      results(text).map(({ line, problem, status }) => [line, status, problem?.type]),
      [
        [1, 202, undefined],
        [3, 400, "urn:muster:problem:malformed-json"],
        [4, 202, undefined],
        [6, 400, "urn:muster:problem:invalid-worker"],
        [7, 202, undefined]
      ]
    )
  })

  it("tells outcomes in the order of the lines where the client prefers to wait", async () => {
    const count = 5000
    const body = Array.from({ length: count }, (_, i) =>
      i % 10 === 9 ? "{}" : JSON.stringify(worker(`nw${i}`))
    ).join("\n")
    const headers = { ...ndjson, prefer: "wait=10" }
    const { text } = await service.fetch("/v1/workers/batch", { method: "POST", headers, body })
    assert.deepStrictEqual(
      results(text).map(({ line, status }) => [line, status]),
      Array.from({ length: count }, (_, i) => [i + 1, i % 10 === 9 ? 400 : 200])
    )
  })

  it("is answered while it is still being sent", async () => {
    const upload = new Upload()
    upload.write(`${JSON.stringify(worker("s1"))}\n`)
    const answers = createInterface({ input: await upload.response })[Symbol.asyncIterator]()
    assert.deepInclude(await nextAnswer(answers), { id: "s1" })
    upload.write(`${JSON.stringify(worker("s2"))}\n`)
    assert.deepInclude(await nextAnswer(answers), { id: "s2" })
    upload.request.end()
    assert.isTrue((await answers.next()).done)
  })

  it("skips a line that is too long, whether or not it ends, and goes on", async () => {
    const upload = new Upload()
    upload.write(`${"x".repeat(1024 * 1024)}yy`)
    const answers = createInterface({ input: await upload.response })[Symbol.asyncIterator]()
    const tooLong = await nextAnswer(answers)
    assert.deepInclude(tooLong, { line: 1, status: 413 })
    upload.write(`still the same line\n${JSON.stringify(worker("after"))}\n`)
    assert.deepInclude(await nextAnswer(answers), { line: 2, status: 202 })
    upload.request.end()
  })

  it("is not read faster than its answers are taken", async () => {
    const upload = new Upload()
    const line = `${JSON.stringify({ id: "x", junk: "y".repeat(1000) })}\n`.repeat(100)
    upload.write(line)
    const response = await upload.response
    response.pause()
    // Fills every buffer on the way, until nothing moves for a while.
    let written = 0
    const stuck = await new Promise<boolean>((resolve) => {
      let timer = setTimeout(resolve, 1000, true)
      const fill = () => {
        while (written < 4000) {
          written++
          if (!upload.write(line)) {
            upload.request.once("drain", () => {
              clearTimeout(timer)
              timer = setTimeout(resolve, 1000, true)
              fill()
            })
            return
          }
        }
        clearTimeout(timer)
        resolve(false)
      }
      fill()
    })
    assert.isTrue(stuck, "400 MB went in without an answer being read")
    assert.strictEqual((await service.fetch("/healthz")).status, 200)
    upload.request.destroy()
  })

  it("takes a hundred thousand workers in one stream", async () => {
    const count = 100_000
    let sent = 0
    const body = new ReadableStream({
      pull: (controller) => {
        if (sent === count) return controller.close()
        const next = Array.from({ length: 500 }, () => `${JSON.stringify(worker(`bulk-${sent++}`))}\n`)
        controller.enqueue(new TextEncoder().encode(next.join("")))
      }
    })
    const { text } = await service.fetch("/v1/workers/batch", {
      method: "POST",
      headers: ndjson,
      body,
      duplex: "half"
    })
    const answers = results(text)
    assert.strictEqual(answers.length, count)
    assert.isTrue(answers.every(({ status }) => status === 202))
    const registered = async () => (await service.fetch("/v1/workers?limit=1&phase=registered")).json.total
    while ((await registered()) < count);
  }, 60_000)
})
