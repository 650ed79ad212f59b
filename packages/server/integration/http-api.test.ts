/**
 * The routes of the service, as a client sees them.
 */
import { version } from "../src/version.ts"
import { Duration, Schema } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Service, worker } from "./ServiceProcess.ts"

let service: Service
beforeAll(async () => {
  service = await Service.start()
})
afterAll(() => service[Symbol.asyncDispose]())

const waiting = { prefer: "wait=10" }

describe("POST /v1/workers", () => {
  it("accepts a worker, and says where to look for it", async () => {
    const { headers, json, status } = await service.send("POST", "/v1/workers", worker("accepted"))
    assert.strictEqual(status, 202)
    assert.strictEqual(headers.get("location"), "/v1/workers/accepted")
    assert.deepStrictEqual(Object.keys(json), ["id", "generation", "phase"])
    assert.isTrue(Number.isSafeInteger(json.generation))
  })

  it("answers 200 once the worker is registered, where the client prefers to wait", async () => {
    const { headers, json, status } = await service.send("POST", "/v1/workers", worker("waited"), waiting)
    assert.strictEqual(status, 200)
    assert.strictEqual(headers.get("preference-applied"), "wait=10")
    assert.strictEqual(json.phase, "registered")
  })

  it("keeps the generation of a worker that is sent again, and raises that of one that changed", async () => {
    const first = await service.send("POST", "/v1/workers", worker("again"), waiting)
    const same = await service.send("POST", "/v1/workers", worker("again"), waiting)
    const changed = await service.send("POST", "/v1/workers", worker("again", { namespace: "ci" }), waiting)
    assert.strictEqual(same.json.generation, first.json.generation)
    assert.isAbove(changed.json.generation, first.json.generation)
  })

  it("names every bad field, without repeating what was in it", async () => {
    const bad = {
      id: "bad",
      capabilities: { cpuCores: "secret", memoryMb: -1 },
      metadata: { labels: { a: 1 } }
    }
    const { headers, json, status } = await service.send("POST", "/v1/workers", bad)
    assert.strictEqual(status, 400)
    assert.strictEqual(headers.get("content-type"), "application/problem+json")
    assert.strictEqual(json.type, "urn:muster:problem:invalid-worker")
    assert.deepStrictEqual(
      json.errors.map(({ path }: { path: string }) => path),
      ["capabilities.cpuCores", "capabilities.memoryMb", "metadata.labels.a"]
    )
    assert.match(json.errors[0].message, /^expected a number.*, received a string of 6 characters$/)
    assert.notInclude(JSON.stringify(json), "secret")
  })
})

describe("GET /v1/workers/{id}/timeline", () => {
  it("tells what happened to a worker, oldest first", async () => {
    const { json: accepted } = await service.send("POST", "/v1/workers", worker("told"), waiting)
    const { json, status } = await service.fetch("/v1/workers/told/timeline")
    assert.strictEqual(status, 200)
    assert.strictEqual(json.forgotten, 0)
    const moment = { at: json.items[0].at, generation: accepted.generation }
    assert.deepStrictEqual(json.items[0], {
      type: "change",
      ...moment,
      change: "provisioned",
      source: null,
      reason: null
    })
    assert.deepStrictEqual(
      json.items.map(({ phase, result, type }: { type: string; phase?: string; result?: string }) =>
        [type, phase ?? result].join(" ").trim()
      ),
      ["change", "phase pending", "phase registering", "call success", "phase registered"]
    )
  })

  it("is that of a worker that is known", async () => {
    const { json, status } = await service.fetch("/v1/workers/nobody/timeline")
    assert.strictEqual(status, 404)
    assert.strictEqual(json.type, "urn:muster:problem:unknown-worker")
  })
})

describe("GET /v1/workers/{id}", () => {
  it("tells everything that is known of a worker", async () => {
    await service.send("POST", "/v1/workers", worker("known", { labels: { zone: "a" } }), waiting)
    const { json, status } = await service.fetch("/v1/workers/known")
    assert.strictEqual(status, 200)
    assert.strictEqual(json.phase, "registered")
    assert.strictEqual(json.worker.metadata.labels.zone, "a")
    assert.strictEqual(json.attempts, 1)
    assert.isNull(json.lastError)
    for (const time of [json.createdAt, json.updatedAt, json.registeredAt]) {
      assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    }
  })

  it("knows ids that have to be encoded in a path", async () => {
    const id = `${"a:".repeat(126)}b`
    await service.send("POST", "/v1/workers", worker(id))
    const { json } = await service.fetch(`/v1/workers/${encodeURIComponent(id)}`)
    assert.strictEqual(json.id, id)
  })

  it.each(["unknown", "not%20an%20id", "%zz", "a".repeat(2000)])("answers 404 for %s", async (id) => {
    const { json, status } = await service.fetch(`/v1/workers/${id}`)
    assert.strictEqual(status, 404)
    assert.match(json.type, /^urn:muster:problem:(unknown-worker|not-found)$/)
  })
})

describe("GET /v1/workers", () => {
  it("filters, counts and pages", async () => {
    for (let i = 0; i < 7; i++) {
      const metadata = {
        namespace: "list",
        workerType: i % 2 ? "static" : "dynamic",
        labels: { n: String(i), "x=": "y" }
      }
      await service.send("POST", "/v1/workers", worker(`list-${i}`, metadata), waiting)
    }
    const first = (await service.fetch("/v1/workers?namespace=list&limit=3")).json
    assert.deepStrictEqual(
      first.items.map(({ id }: { id: string }) => id),
      ["list-0", "list-1", "list-2"]
    )
    assert.strictEqual(first.total, 7)
    const second = (await service.fetch(`/v1/workers?namespace=list&limit=3&cursor=${first.nextCursor}`)).json
    const third = (await service.fetch(`/v1/workers?namespace=list&limit=3&cursor=${second.nextCursor}`)).json
    assert.deepStrictEqual(
      third.items.map(({ id }: { id: string }) => id),
      ["list-6"]
    )
    assert.isNull(third.nextCursor)

    const total = async (query: string) =>
      (await service.fetch(`/v1/workers?namespace=list&${query}`)).json.total
    assert.strictEqual(await total("workerType=static"), 3)
    assert.strictEqual(await total("label=n=4"), 1)
    assert.strictEqual(await total("label=n=4&label=x%3D=y"), 0)
    assert.strictEqual(await total("phase=registered&phase=ready"), 7)
    assert.strictEqual(await total("phase=failed"), 0)
    assert.strictEqual(await total("search=LIST-"), 7)
    assert.strictEqual(await total("search=t-4"), 1)
  })

  it("shows any part in any order", async () => {
    const idsAt = async (query: string) => {
      const { json } = await service.fetch(`/v1/workers?namespace=list&${query}`)
      return { ids: json.items.map(({ id }: { id: string }) => id), next: json.nextCursor, total: json.total }
    }
    assert.deepStrictEqual(await idsAt("offset=5"), { ids: ["list-5", "list-6"], next: null, total: 7 })
    assert.deepStrictEqual((await idsAt("offset=7")).ids, [])
    const first = await idsAt("sort=-id&limit=4")
    assert.deepStrictEqual(first.ids, ["list-6", "list-5", "list-4", "list-3"])
    const second = await idsAt(`sort=-id&limit=4&cursor=${first.next}`)
    assert.deepStrictEqual(second, { ids: ["list-2", "list-1", "list-0"], next: null, total: 7 })
    const latest = await idsAt("sort=-updatedAt&limit=1")
    assert.lengthOf(latest.ids, 1)
    assert.strictEqual((await service.fetch(`/v1/workers?cursor=${first.next}`)).status, 400)
  })

  it.each([
    ["limit=0", "query.limit"],
    ["limit=1001", "query.limit"],
    ["limit=x", "query.limit"],
    ["phase=gone", "query.phase"],
    ["label=novalue", "query.label"],
    ["cursor=nonsense", "query.cursor"],
    ["sort=cpu", "query.sort"],
    ["offset=-1", "query.offset"],
    ["offset=1.5", "query.offset"],
    ["offset=1&cursor=dzE", "query.offset"],
    [`search=${"x".repeat(254)}`, "query.search"]
  ])("refuses %s and names it", async (query, path) => {
    const { json, status } = await service.fetch(`/v1/workers?${query}`)
    assert.strictEqual(status, 400)
    assert.strictEqual(json.type, "urn:muster:problem:invalid-request")
    assert.include(json.errors[0].path, path)
    assert.match(json.errors[0].message, /^expected /)
  })
})

describe("DELETE /v1/workers/{id}", () => {
  it("terminates a worker, which stays known as terminated", async () => {
    await service.send("POST", "/v1/workers", worker("leaving"), waiting)
    const { json, status } = await service.fetch("/v1/workers/leaving", { method: "DELETE" })
    assert.strictEqual(status, 202)
    assert.include(["unregistering", "terminated"], json.phase)
    while ((await service.fetch("/v1/workers/leaving")).json.phase !== "terminated");
    assert.strictEqual((await service.fetch("/v1/workers/leaving", { method: "DELETE" })).status, 202)
    const held = (await service.fetch("/v1/scheduler/workers?limit=1000")).json.items
    assert.isFalse(held.some((item: { worker: { id: string } }) => item.worker.id === "leaving"))
  })

  it("answers 404 for a worker that is not known", async () => {
    const { json, status } = await service.fetch("/v1/workers/never", { method: "DELETE" })
    assert.strictEqual(status, 404)
    assert.strictEqual(json.type, "urn:muster:problem:unknown-worker")
  })

  it("lets a worker come back with a newer generation", async () => {
    const first = await service.send("POST", "/v1/workers", worker("phoenix"), waiting)
    await service.fetch("/v1/workers/phoenix", { method: "DELETE" })
    const second = await service.send("POST", "/v1/workers", worker("phoenix"), waiting)
    assert.strictEqual(second.status, 200)
    assert.isAbove(second.json.generation, first.json.generation)
  })
})

describe("POST /v1/workers/{id}/ready", () => {
  it("makes a registered worker ready", async () => {
    await service.send("POST", "/v1/workers", worker("eager"), waiting)
    const { status } = await service.fetch("/v1/workers/eager/ready", { method: "POST" })
    assert.strictEqual(status, 202)
    while ((await service.fetch("/v1/workers/eager")).json.phase !== "ready");
  })

  it("answers 404 for an unknown worker and 409 for a terminated one", async () => {
    assert.strictEqual((await service.fetch("/v1/workers/never/ready", { method: "POST" })).status, 404)
    await service.send("POST", "/v1/workers", worker("late"), waiting)
    await service.fetch("/v1/workers/late", { method: "DELETE" })
    const { json, status } = await service.fetch("/v1/workers/late/ready", { method: "POST" })
    assert.strictEqual(status, 409)
    assert.strictEqual(json.type, "urn:muster:problem:worker-terminated")
  })
})

describe("/v1/scheduler", () => {
  it("tells about the scheduler and how it is treated", async () => {
    const { json, status } = await service.fetch("/v1/scheduler")
    assert.strictEqual(status, 200)
    assert.strictEqual(json.adapter, "embedded")
    assert.deepStrictEqual(json.health, { status: "healthy" })
    assert.strictEqual(json.configuration.jitter, "full")
    const decode = Schema.decodeUnknownSync(Schema.DurationFromString)
    assert.deepStrictEqual(decode(json.configuration.baseBackoff), Duration.millis(100))
    assert.deepStrictEqual(decode(json.configuration.maxRetryDelay), Duration.seconds(30))
    assert.strictEqual(json.concurrency.limit, 64)
  })

  it("lists what the scheduler holds, with the generation that the worker has here", async () => {
    const { json } = await service.send("POST", "/v1/workers", worker("held"), waiting)
    const ids: Array<string> = []
    let cursor = ""
    let generation: number | undefined
    for (;;) {
      const page = (await service.fetch(`/v1/scheduler/workers?limit=4${cursor}`)).json
      for (const item of page.items) {
        ids.push(item.worker.id)
        if (item.worker.id === "held") generation = item.generation
      }
      if (page.nextCursor === null) {
        assert.strictEqual(ids.length, page.total)
        break
      }
      cursor = `&cursor=${page.nextCursor}`
    }
    assert.strictEqual(new Set(ids).size, ids.length)
    assert.strictEqual(generation, json.generation)
  })

  it("has cursors that it takes itself, however long the ids are", async () => {
    const ids = ["a", "b"].map((last) => "x".repeat(252) + last)
    for (const id of ids) await service.send("POST", "/v1/workers", worker(id), waiting)
    const { total } = (await service.fetch("/v1/scheduler/workers?limit=1")).json
    const first = (await service.fetch(`/v1/scheduler/workers?limit=${total - 1}`)).json
    const second = await service.fetch(`/v1/scheduler/workers?cursor=${first.nextCursor}`)
    assert.strictEqual(second.status, 200)
    assert.strictEqual(second.json.items[0].worker.id, ids[1])
  })
})

describe("the system's routes", () => {
  it.each(["/healthz", "/readyz"])("%s answers ok", async (path) => {
    const { json, status } = await service.fetch(path)
    assert.strictEqual(status, 200)
    assert.deepStrictEqual(json, { status: "ok", version })
  })

  it("describes itself in OpenAPI 3.1", async () => {
    const { json } = await service.fetch("/openapi.json")
    assert.match(json.openapi, /^3\.1\./)
    assert.sameMembers(Object.keys(json.paths), [
      "/v1/workers",
      "/v1/workers/batch",
      "/v1/workers/{id}",
      "/v1/workers/{id}/ready",
      "/v1/workers/{id}/heartbeat",
      "/v1/workers/{id}/check",
      "/v1/workers/{id}/retry",
      "/v1/workers/{id}/timeline",
      "/v1/dead-letters",
      "/v1/dead-letters/retry",
      "/v1/dead-letters/drop",
      "/v1/dead-letters/{id}/retry",
      "/v1/dead-letters/{id}",
      "/v1/events",
      "/v1/overview",
      "/v1/history",
      "/v1/scheduler",
      "/v1/scheduler/workers",
      "/v1/cluster",
      "/healthz",
      "/readyz",
      "/metrics",
      "/v1/export",
      "/v1/import",
      "/v1/session",
      "/v1/tokens",
      "/v1/tokens/{id}/rotate",
      "/v1/tokens/{id}",
      "/v1/join-tokens",
      "/v1/join",
      "/v1/audit"
    ])
    const { responses } = json.paths["/v1/workers"].post
    assert.includeMembers(Object.keys(responses), ["200", "202", "400", "409", "413", "415", "422", "503"])
    assert.property(responses["400"].content, "application/problem+json")
    // Only who can send an Idempotency-Key can have sent it before.
    for (const [path, method, isRefused] of [
      ["/v1/workers/{id}/ready", "post", true],
      ["/v1/workers/{id}/heartbeat", "post", false],
      ["/v1/workers/{id}/check", "post", false],
      ["/v1/workers/{id}/retry", "post", false],
      ["/v1/workers/{id}", "delete", false],
      ["/v1/events", "post", false]
    ] as const) {
      assert.strictEqual("422" in json.paths[path][method].responses, isRefused, path)
    }
    assert.sameMembers(Object.keys(json.components.securitySchemes), ["token", "session"])
    assert.deepStrictEqual(json.paths["/v1/workers"].post.security, undefined)
    assert.deepStrictEqual(json.paths["/healthz"].get.security, [])
  })

  it("has a page to try it on that loads nothing from elsewhere", async () => {
    const { headers, text } = await service.fetch("/docs")
    assert.match(headers.get("content-type") ?? "", /^text\/html/)
    assert.notMatch(text, /<(?:script|link|img)[^>]+(?:src|href)\s*=\s*["'](?:https?:)?\/\//)
  })

  it("serves its metrics to Prometheus", async () => {
    const { headers, text } = await service.fetch("/metrics")
    assert.strictEqual(headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
    assert.match(
      text,
      /^worker_registration_operations_total\{result="success",worker_type="dynamic"\} [1-9]/m
    )
  })

  it("counts an unregistration under the type of its worker", async () => {
    await service.send("POST", "/v1/workers", worker("gone", { workerType: "static" }), waiting)
    await service.fetch("/v1/workers/gone", { method: "DELETE" })
    const counted = /^worker_unregistration_operations_total\{result="success",worker_type="static"\} 1$/m
    while (!counted.test((await service.fetch("/metrics")).text));
  })

  it("answers HEAD like GET without a body, and OPTIONS with what there is", async () => {
    const head = await service.fetch("/v1/workers", { method: "HEAD" })
    assert.strictEqual(head.status, 200)
    assert.strictEqual(head.text, "")
    const options = await service.fetch("/v1/workers/x", { method: "OPTIONS" })
    assert.strictEqual(options.status, 204)
    assert.sameMembers((options.headers.get("allow") ?? "").split(", "), ["GET", "HEAD", "DELETE", "OPTIONS"])
  })
})
