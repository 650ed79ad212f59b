/**
 * `GET /` and what belongs to it, as any client sees them.
 */
import { request } from "node:http"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Service } from "./ServiceProcess.ts"

let service: Service
beforeAll(async () => {
  service = await Service.start()
})
afterAll(() => service[Symbol.asyncDispose]())

interface Raw {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly bytes: number
}

/** As it comes over the wire: `fetch` would decompress it. */
const raw = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  new Promise<Raw>((resolve, reject) => {
    request(`${service.url}${path}`, { method, headers }, (response) => {
      let bytes = 0
      response.on("data", (data: Buffer) => (bytes += data.length))
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, bytes }))
    })
      .on("error", reject)
      .end()
  })

const assets = async (): Promise<ReadonlyArray<string>> => {
  const { text } = await service.fetch("/")
  return Array.from(text.matchAll(/(?:src|href)="([^"]+)"/g), ([, path = ""]) => path)
}

describe("GET /", () => {
  it("is a page that loads its own files, and nothing from other hosts", async () => {
    const { headers, status } = await service.fetch("/")
    assert.strictEqual(status, 200)
    assert.strictEqual(headers.get("content-type"), "text/html; charset=utf-8")
    const paths = await assets()
    assert.isAtLeast(paths.length, 3)
    for (const path of paths) assert.match(path, /^\.\/console\/[\w-]+-[\w-]{8}\.(?:js|css|svg)$/)
  })

  it("allows no script, style or frame of others, nor what is written into a page", async () => {
    const { headers } = await service.fetch("/")
    const policy = headers.get("content-security-policy") ?? ""
    assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/)
    assert.match(policy, /frame-ancestors 'none'/)
    assert.notMatch(policy, /unsafe/)
    assert.strictEqual(headers.get("x-content-type-options"), "nosniff")
    assert.strictEqual(headers.get("referrer-policy"), "no-referrer")
  })

  it("is under 150 kB in all as it is sent", async () => {
    for (const encoding of ["br", "gzip"]) {
      const paths = ["/", ...(await assets()).map((path) => path.slice(1))]
      const answers = await Promise.all(paths.map((path) => raw(path, { "accept-encoding": encoding })))
      for (const { headers } of answers) assert.strictEqual(headers["content-encoding"], encoding)
      assert.isBelow(
        answers.reduce((sum, { bytes }) => sum + bytes, 0),
        150_000
      )
    }
  })

  it("is asked for anew each time, and its files never", async () => {
    const page = await raw("/")
    assert.strictEqual(page.headers["cache-control"], "no-cache")
    const again = await raw("/", { "if-none-match": String(page.headers["etag"]) })
    assert.deepStrictEqual([again.status, again.bytes], [304, 0])
    const [script = ""] = await assets()
    const file = await raw(script.slice(1))
    assert.strictEqual(file.headers["cache-control"], "public, max-age=31536000, immutable")
  })

  it("differs by what the client can read", async () => {
    const plain = await raw("/", { "accept-encoding": "identity" })
    assert.isUndefined(plain.headers["content-encoding"])
    assert.strictEqual(plain.headers["vary"], "accept-encoding")
    const refused = await raw("/", { "accept-encoding": "br;q=0, gzip" })
    assert.strictEqual(refused.headers["content-encoding"], "gzip")
    assert.notStrictEqual(refused.headers["etag"], plain.headers["etag"])
  })

  it("has HEAD, and no other methods", async () => {
    const head = await raw("/", {}, "HEAD")
    assert.deepStrictEqual([head.status, head.bytes], [200, 0])
    const post = await service.fetch("/", { method: "POST" })
    assert.strictEqual(post.status, 405)
    assert.strictEqual(post.headers.get("allow"), "GET, HEAD, OPTIONS")
  })

  it.each(["/console/none.js", "/console/..%2f..%2fpackage.json", "/console/index.html", "/console/"])(
    "has nothing at %s",
    async (path) => {
      const { json, status } = await service.fetch(path)
      assert.strictEqual(status, 404)
      assert.strictEqual(json.type, "urn:muster:problem:not-found")
    }
  )
})
