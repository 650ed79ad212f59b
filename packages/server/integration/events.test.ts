/**
 * CloudEvents in their three modes.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Service, worker } from "./ServiceProcess.ts"

let service: Service
beforeAll(async () => {
  service = await Service.start()
})
afterAll(() => service[Symbol.asyncDispose]())

let count = 0
const event = (type: string, data: unknown, attributes: Readonly<Record<string, unknown>> = {}) => ({
  specversion: "1.0",
  id: `e${++count}`,
  source: "/tests",
  type: `dev.muster.worker.${type}`,
  data,
  ...attributes
})

const structured = { "content-type": "application/cloudevents+json" }
const batched = { "content-type": "application/cloudevents-batch+json; charset=utf-8" }

const send = (event: unknown) => service.send("POST", "/v1/events", event, structured)
const phase = async (id: string) => (await service.fetch(`/v1/workers/${id}`)).json.phase

describe("structured mode", () => {
  it("registers, readies and unregisters a worker", async () => {
    const provisioned = await send(event("provisioned", worker("life")))
    assert.strictEqual(provisioned.status, 202)
    assert.deepInclude(provisioned.json, { status: 202, outcome: "accepted", id: "life" })
    await send(event("ready", { workerId: "life" }))
    while ((await phase("life")) !== "ready");
    await send(event("terminated", { workerId: "life", reason: "scaled in" }))
    while ((await phase("life")) !== "terminated");
    const { items } = (await service.fetch("/v1/workers/life/timeline")).json
    const last = items.findLast(({ type }: { type: string }) => type === "change")
    assert.deepInclude(last, { change: "terminated", reason: "scaled in" })
  })

  it.each(["x".repeat(1025), 7])("refuses a reason that is no short text", async (reason) => {
    const { json, status } = await send(event("terminated", { workerId: "life", reason }))
    assert.strictEqual(status, 400)
    assert.deepStrictEqual(json.errors, [
      { path: "data.reason", message: "expected a string of at most 1024 characters" }
    ])
  })

  it("takes Muster's own shape of the data, and the worker's id from the subject", async () => {
    assert.strictEqual((await send(event("provisioned", { worker: worker("own") }))).status, 202)
    assert.strictEqual((await send(event("ready", undefined, { subject: "own" }))).json.id, "own")
    assert.strictEqual((await send(event("terminated", { id: "own" }))).json.id, "own")
  })

  it("takes an attribute that is null as one that is not there", async () => {
    const unset = { time: null, subject: null, datacontenttype: null, dataschema: null, data_base64: null }
    assert.strictEqual((await send(event("provisioned", worker("unset"), unset))).status, 202)
    assert.strictEqual((await send(event("ready", null, { subject: "unset" }))).status, 202)
    const { json, status } = await send(event("ready", { workerId: "unset" }, { id: null }))
    assert.strictEqual(status, 400)
    assert.deepStrictEqual(json.errors, [{ path: "id", message: "expected a value, which is required" }])
  })

  it("unregisters a worker that is not known here: the scheduler may know it", async () => {
    const { json, status } = await send(event("terminated", { workerId: "stranger" }))
    assert.strictEqual(status, 202)
    assert.strictEqual(json.phase, "unregistering")
    while ((await phase("stranger")) !== "terminated");
    assert.isNull((await service.fetch("/v1/workers/stranger")).json.worker)
  })

  it("accepts an event once, and again only if it was not accepted", async () => {
    const once = event("provisioned", worker("once"))
    assert.strictEqual((await send(once)).json.outcome, "accepted")
    assert.strictEqual((await send(once)).json.outcome, "duplicate")
    assert.strictEqual((await send({ ...once, source: "/others" })).json.outcome, "accepted")

    const early = event("ready", { workerId: "early" })
    assert.strictEqual((await send(early)).status, 404)
    await send(event("provisioned", worker("early")))
    assert.strictEqual((await send(early)).json.outcome, "accepted")
  })

  it("does not let an older event of a source undo a newer one", async () => {
    const at = (minute: number) => ({ time: `2026-11-01T10:0${minute}:00Z` })
    await send(event("provisioned", worker("order"), at(1)))
    await send(event("terminated", { workerId: "order" }, at(3)))
    const late = await send(event("provisioned", worker("order"), at(2)))
    assert.strictEqual(late.json.outcome, "outdated")
    assert.include(["unregistering", "terminated"], late.json.phase)
    assert.strictEqual((await send(event("provisioned", worker("order"), at(4)))).json.outcome, "accepted")
  })

  it.each([
    [{ specversion: "0.3" }, "specversion"],
    [{ id: "" }, "id"],
    [{ id: undefined }, "id"],
    [{ source: 7 }, "source"],
    [{ type: "com.example.other" }, "type"],
    [{ time: "yesterday" }, "time"],
    [{ datacontenttype: "text/xml" }, "datacontenttype"],
    [{ data: {} }, "data.workerId"],
    [{ data: undefined, data_base64: "e30=" }, "data_base64"]
  ])("names what is wrong with %j", async (change, path) => {
    const { json, status } = await send({ ...event("ready", { workerId: "x" }), ...change })
    assert.strictEqual(status, 400)
    assert.strictEqual(json.type, "urn:muster:problem:invalid-event")
    assert.deepStrictEqual(
      json.errors.map(({ path }: { path: string }) => path),
      [path]
    )
  })

  it("names every bad field of a worker", async () => {
    const { json, status } = await send(event("provisioned", { id: "bad" }))
    assert.strictEqual(status, 400)
    assert.strictEqual(json.type, "urn:muster:problem:invalid-worker")
  })
})

describe("batched mode", () => {
  it("is answered by position", async () => {
    const first = event("provisioned", worker("batch-1"))
    const events = [
      first,
      first,
      event("ready", { workerId: "nobody" }),
      7,
      event("terminated", { workerId: "batch-1" })
    ]
    const { json, status } = await service.send("POST", "/v1/events", events, batched)
    assert.strictEqual(status, 200)
    assert.deepStrictEqual(
      json.results.map((result: { index: number; status: number; outcome?: string }) => [
        result.index,
        result.status,
        result.outcome
      ]),
      [
        [0, 202, "accepted"],
        [1, 202, "duplicate"],
        [2, 404, undefined],
        [3, 400, undefined],
        [4, 202, "accepted"]
      ]
    )
  })
})

describe("binary mode", () => {
  const headers = (type: string, extra: Readonly<Record<string, string>> = {}) => ({
    "ce-specversion": "1.0",
    "ce-id": `b${++count}`,
    "ce-source": "/tests",
    "ce-type": `dev.muster.worker.${type}`,
    ...extra
  })

  it("takes attributes from headers and data from the body", async () => {
    const { json, status } = await service.send(
      "POST",
      "/v1/events",
      worker("binary"),
      headers("provisioned")
    )
    assert.strictEqual(status, 202)
    assert.strictEqual(json.id, "binary")
  })

  it("needs no body where the subject says which worker", async () => {
    const { json, status } = await service.fetch("/v1/events", {
      method: "POST",
      headers: headers("ready", { "ce-subject": "bin%61ry" })
    })
    assert.strictEqual(status, 202)
    assert.strictEqual(json.id, "binary")
  })

  it("takes an attribute in double quotes", async () => {
    const { json } = await service.fetch("/v1/events", {
      method: "POST",
      headers: headers("ready", { "ce-subject": `"bi\\n%61ry"` })
    })
    assert.strictEqual(json.id, "binary")
  })

  it("answers 400 where an attribute is missing, and 415 where the body is no JSON", async () => {
    const { "ce-source": _, ...incomplete } = headers("ready", { "ce-subject": "binary" })
    assert.strictEqual(
      (await service.fetch("/v1/events", { method: "POST", headers: incomplete })).status,
      400
    )
    const text = { ...headers("provisioned"), "content-type": "text/plain" }
    assert.strictEqual((await service.send("POST", "/v1/events", worker("x"), text)).status, 415)
    assert.strictEqual((await service.send("POST", "/v1/events", worker("x"))).status, 415)
  })
})
