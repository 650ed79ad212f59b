import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { problem, start, waiting, worker } from "./TestRoutes.ts"

const priorityRule = "expected one of critical, high, normal, low"
const leaseRule = `expected a duration above zero and at most 365 days, such as "30 seconds"`

describe("the priority of a worker", () => {
  it.live("is what its request says, the header where the body does not, and normal otherwise", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      const priorityOf = (id: string) =>
        Effect.map(send("GET", `/v1/workers/${id}`), ({ json }) => json.priority)
      const high = { "muster-priority": "high" }
      yield* send("POST", "/v1/workers", worker("a"))
      yield* send("POST", "/v1/workers", { ...worker("b"), priority: "critical" }, high)
      yield* send("POST", "/v1/workers", { ...worker("c"), priority: null }, high)
      yield* send("POST", "/v1/workers/batch", [{ ...worker("d"), priority: "low" }, worker("e")], high)
      assert.deepStrictEqual(yield* Effect.forEach(["a", "b", "c", "d", "e"], priorityOf), [
        "normal",
        "critical",
        "high",
        "low",
        "high"
      ])
    }).pipe(Effect.scoped)
  )

  it.live("comes from an event's attribute in each of its modes", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      const event = (id: string) => ({ id, source: "/t", type: "dev.muster.worker.provisioned" })
      const structured = (id: string, priority: unknown) =>
        send(
          "POST",
          "/v1/events",
          { specversion: "1.0", ...event(id), priority, data: worker(id) },
          { "content-type": "application/cloudevents+json" }
        )
      yield* structured("a", "low")
      yield* structured("b", null)
      const { id, source, type } = event("c")
      yield* send("POST", "/v1/events", worker("c"), {
        "ce-specversion": "1.0",
        "ce-id": id,
        "ce-source": source,
        "ce-type": type,
        "ce-priority": "critical",
        "content-length": String(JSON.stringify(worker("c")).length)
      })
      const { items } = (yield* send("GET", "/v1/workers")).json
      assert.deepStrictEqual(
        items.map(({ priority }: { priority: string }) => priority),
        ["low", "normal", "critical"]
      )
      const { json } = yield* structured("d", "urgent")
      assert.deepInclude(json, problem("invalid-event", 400))
      assert.deepStrictEqual(json.errors, [{ path: "priority", message: priorityRule }])
    }).pipe(Effect.scoped)
  )

  it.live.each(["urgent", "High", "", 1, true, [], {}])("is not %j", (priority) =>
    Effect.gen(function* () {
      const { send } = yield* start()
      const { json } = yield* send("POST", "/v1/workers", { ...worker("a"), priority })
      assert.deepInclude(json, { ...problem("invalid-worker", 400), workerId: "a" })
      assert.deepStrictEqual(json.errors, [{ path: "priority", message: priorityRule }])
    }).pipe(Effect.scoped)
  )

  it.live.each(["urgent", "high, low", ""])("is not %j in the header", (priority) =>
    Effect.gen(function* () {
      const { send } = yield* start()
      const { json } = yield* send("POST", "/v1/workers", worker("a"), { "muster-priority": priority })
      assert.deepInclude(json, problem("invalid-request", 400))
      assert.deepStrictEqual(json.errors, [{ path: "headers.muster-priority", message: priorityRule }])
    }).pipe(Effect.scoped)
  )
})

describe("the lease of a worker", () => {
  it.live("is shown with its end, and is as the latest request says", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      const sent = Date.now()
      yield* send("POST", "/v1/workers", { ...worker("a"), leaseTtl: "90 seconds" }, waiting)
      const { json } = yield* send("GET", "/v1/workers/a")
      assert.strictEqual(json.leaseTtl, "90000 millis")
      assert.isAtLeast(Date.parse(json.leaseExpiresAt), sent + 90_000)
      assert.isAtMost(Date.parse(json.leaseExpiresAt), Date.now() + 90_000)
      yield* send("POST", "/v1/workers", worker("a"))
      assert.deepInclude((yield* send("GET", "/v1/workers/a")).json, { leaseTtl: null, leaseExpiresAt: null })
    }).pipe(Effect.scoped)
  )

  it.live("is at least a millisecond", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      yield* send("POST", "/v1/workers", { ...worker("a"), leaseTtl: "1 nano" })
      assert.strictEqual((yield* send("GET", "/v1/workers/a")).json.leaseTtl, "1 millis")
    }).pipe(Effect.scoped)
  )

  it.live.each([
    "0 seconds",
    "-1 second",
    "Infinity",
    "-Infinity",
    "366 days",
    "9007199254740993 days",
    "30",
    "30s",
    "",
    "NaN millis",
    30,
    0,
    {},
    ["1 second"]
  ])("is not %j", (leaseTtl) =>
    Effect.gen(function* () {
      const { send } = yield* start()
      const { json } = yield* send("POST", "/v1/workers", { ...worker("a"), leaseTtl })
      assert.deepInclude(json, problem("invalid-worker", 400))
      assert.deepStrictEqual(json.errors, [{ path: "leaseTtl", message: leaseRule }])
    }).pipe(Effect.scoped)
  )

  it.live("is named together with everything else that is wrong", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      const { json } = yield* send("POST", "/v1/workers", { id: "a", priority: 1, leaseTtl: 1 })
      assert.deepStrictEqual(
        json.errors.map(({ path }: { path: string }) => path),
        ["capabilities", "priority", "leaseTtl"]
      )
    }).pipe(Effect.scoped)
  )
})

describe("a heartbeat", () => {
  it.live("tells how long the worker may be silent", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      yield* send("POST", "/v1/workers", { ...worker("a"), leaseTtl: "5 minutes" })
      const { json, status } = yield* send("POST", "/v1/workers/a/heartbeat")
      assert.strictEqual(status, 200)
      assert.deepInclude(json, { id: "a", leaseTtl: "300000 millis" })
      assert.isAtLeast(Date.parse(json.expiresAt), Date.now() + 299_000)
    }).pipe(Effect.scoped)
  )

  it.live(
    "tells the shortest lease to a worker that wants a shorter one, and more to each of a large fleet",
    () =>
      Effect.gen(function* () {
        const { send } = yield* start({ fleet: { maxHeartbeatsPerSecond: 1 } })
        const leased = (id: string) => ({ ...worker(id), leaseTtl: "1 second" })
        yield* send("POST", "/v1/workers", leased("w0"))
        assert.strictEqual((yield* send("POST", "/v1/workers/w0/heartbeat")).json.leaseTtl, "10000 millis")
        const others = Array.from({ length: 59 }, (_, i) => leased(`w${i + 1}`))
        yield* send("POST", "/v1/workers/batch", others)
        assert.strictEqual((yield* send("POST", "/v1/workers/w0/heartbeat")).json.leaseTtl, "60000 millis")
      }).pipe(Effect.scoped)
  )

  it.live("tells a worker without a lease that it has none", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      yield* send("POST", "/v1/workers", worker("a"))
      const { json, status } = yield* send("POST", "/v1/workers/a/heartbeat")
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(json, { id: "a", leaseTtl: null, expiresAt: null })
    }).pipe(Effect.scoped)
  )

  it.live.each(["nobody", "-", "a%00b", "__proto__", "x".repeat(254)])(
    "is answered with 404 for %s, which is no worker",
    (id) =>
      Effect.gen(function* () {
        const { send } = yield* start()
        const { json } = yield* send("POST", `/v1/workers/${id}/heartbeat`)
        assert.deepInclude(json, { status: 404 })
      }).pipe(Effect.scoped)
  )

  it.live("is answered with 409 when the worker is gone", () =>
    Effect.gen(function* () {
      const { reaches, send } = yield* start()
      yield* send("POST", "/v1/workers", { ...worker("a"), leaseTtl: "1 minute" })
      yield* send("DELETE", "/v1/workers/a")
      for (const phase of ["unregistering", "terminated"]) {
        if (phase === "terminated") yield* reaches("a", phase)
        const { json } = yield* send("POST", "/v1/workers/a/heartbeat")
        assert.deepInclude(json, { ...problem("worker-terminated", 409), workerId: "a" })
      }
    }).pipe(Effect.scoped)
  )
})
