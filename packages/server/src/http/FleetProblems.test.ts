import { assert, describe, it } from "@effect/vitest"
import { MemoryFleetStore } from "@muster/core/fleet"
import { TestFleetStore, TestScheduler } from "@muster/testing"
import { Effect, Fiber } from "effect"
import { problem, start, waiting, worker } from "./TestRoutes.ts"

const unavailable = problem("store-unavailable", 503)

const event = (type: string, id: string) => ({
  specversion: "1.0",
  id,
  source: "/t",
  type: `dev.muster.worker.${type}`,
  data: type === "provisioned" ? worker(id) : { workerId: id }
})

describe("a store that fails", () => {
  const startOver = Effect.gen(function* () {
    const store = new TestFleetStore(yield* MemoryFleetStore.make)
    return { ...(yield* start({ store: store.service })), store }
  })

  const startBroken = Effect.gen(function* () {
    const routes = yield* startOver
    yield* routes.send("POST", "/v1/workers", worker("known"), waiting)
    routes.store.answer = () => "fails"
    return routes
  })

  it.live.each([
    ["POST", "/v1/workers", worker("a"), {}],
    ["POST", "/v1/workers", worker("a"), { ...waiting, "idempotency-key": "k" }],
    ["DELETE", "/v1/workers/known", undefined, {}],
    ["POST", "/v1/workers/known/ready", undefined, {}],
    ["POST", "/v1/dead-letters/known/retry", undefined, {}],
    ["DELETE", "/v1/dead-letters/known", undefined, {}],
    ["POST", "/v1/events", event("provisioned", "a"), { "content-type": "application/cloudevents+json" }],
    ["POST", "/v1/events", event("terminated", "a"), { "content-type": "application/cloudevents+json" }]
  ] as const)("refuses %s %s, and says when to come back", ([method, path, body, headers]) =>
    Effect.gen(function* () {
      const { reaches, scheduler, send, store } = yield* startBroken
      const answer = yield* send(method, path, body, headers)
      assert.deepInclude(answer.json, { ...unavailable, retryAfter: 1 })
      assert.strictEqual(answer.headers.get("retry-after"), "1")
      assert.strictEqual(answer.headers.get("content-type"), "application/problem+json")
      assert.strictEqual(answer.json.detail, "no modify. The change was not accepted: send it again.")
      store.answer = () => "succeeds"
      const after = yield* send("GET", "/v1/workers")
      assert.strictEqual(after.json.total, 1)
      assert.deepInclude(after.json.items[0], { id: "known", phase: "registered" })
      assert.lengthOf(yield* scheduler.callsOf("a"), 0)
      yield* send("POST", "/v1/workers", worker("a"), waiting)
      yield* reaches("a", "registered")
    }).pipe(Effect.scoped)
  )

  it.live.each([
    ["GET", "/v1/workers"],
    ["GET", "/v1/workers/known"],
    ["GET", "/v1/workers/known/timeline"],
    ["GET", "/v1/dead-letters"],
    ["GET", "/v1/events"],
    ["POST", "/v1/workers/known/heartbeat"],
    ["POST", "/v1/workers/known/check"],
    ["POST", "/v1/workers/known/retry"],
    ["POST", "/v1/dead-letters/retry"],
    ["POST", "/v1/dead-letters/drop"]
  ] as const)("cannot answer %s %s, and says when to come back", ([method, path]) =>
    Effect.gen(function* () {
      const { send } = yield* startBroken
      const answer = yield* send(method, path)
      assert.deepInclude(answer.json, { ...unavailable, retryAfter: 1 })
      assert.strictEqual(answer.headers.get("retry-after"), "1")
    }).pipe(Effect.scoped)
  )

  it.live("refuses each member of a batch, with a wait and without", () =>
    Effect.gen(function* () {
      const { send } = yield* startBroken
      const cloudEvents = { "content-type": "application/cloudevents-batch+json" }
      for (const [path, body, headers] of [
        ["/v1/workers/batch", [worker("a"), worker("b")], {}],
        ["/v1/workers/batch", [worker("a"), worker("b")], waiting],
        ["/v1/events", [event("provisioned", "a"), event("ready", "b")], cloudEvents]
      ] as const) {
        const { json, status } = yield* send("POST", path, body, headers)
        assert.strictEqual(status, 200)
        assert.lengthOf(json.results, 2)
        for (const { problem, status } of json.results) {
          assert.strictEqual(status, 503)
          assert.deepInclude(problem, unavailable)
        }
      }
    }).pipe(Effect.scoped)
  )

  it.live("makes the service alive and not ready, until it works again", () =>
    Effect.gen(function* () {
      const { send, store } = yield* startBroken
      assert.strictEqual((yield* send("GET", "/readyz")).status, 200)
      yield* send("POST", "/v1/workers", worker("a"))
      const { json } = yield* send("GET", "/readyz")
      assert.deepInclude(json, { ...problem("not-ready", 503), detail: "no modify." })
      assert.strictEqual((yield* send("GET", "/healthz")).status, 200)
      store.answer = () => "succeeds"
      yield* Effect.repeat(send("GET", "/readyz"), { until: ({ status }) => status === 200 })
      assert.strictEqual((yield* send("POST", "/v1/workers", worker("a"), waiting)).status, 200)
    }).pipe(Effect.scoped)
  )

  it.live("forgets nothing that was accepted: what ends meanwhile is written when it works again", () =>
    Effect.gen(function* () {
      const { reaches, scheduler, send, store } = yield* startOver
      yield* scheduler.onRegister("a", [TestScheduler.delay("100 millis")])
      yield* send("POST", "/v1/workers", worker("a"))
      yield* reaches("a", "registering")
      store.answer = () => "fails"
      yield* Effect.repeat(scheduler.workers, { until: ({ length }) => length === 1 })
      store.answer = () => "succeeds"
      yield* reaches("a", "registered")
      assert.lengthOf(yield* scheduler.callsOf("a"), 1)
    }).pipe(Effect.scoped)
  )

  it.live("is no reason to say that an accepted worker was not, when its outcome cannot be read", () =>
    Effect.gen(function* () {
      const { open, reaches, scheduler, send, store } = yield* startOver
      yield* scheduler.onRegister("a", [TestScheduler.hang])
      const answer = yield* Effect.forkChild(open("POST", "/v1/workers", worker("a"), { prefer: "wait=1" }))
      yield* reaches("a", "registering")
      store.answer = () => "fails"
      const response = yield* Fiber.join(answer)
      assert.strictEqual(response.status, 202)
      store.answer = () => "succeeds"
      assert.strictEqual((yield* send("GET", "/v1/workers/a")).status, 200)
    }).pipe(Effect.scoped)
  )
})
