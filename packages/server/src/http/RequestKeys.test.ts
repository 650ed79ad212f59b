import { HttpLimits } from "./HttpLimits.ts"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { problem, start, waiting, worker } from "./TestRoutes.ts"

const key = (value: string) => ({ "idempotency-key": value })

describe("Idempotency-Key", () => {
  it.live("makes one of a request that comes twice, whatever happened in between", () =>
    Effect.gen(function* () {
      const { reaches, send } = yield* start()
      const first = yield* send("POST", "/v1/workers", worker("a"), key("k1"))
      yield* send("DELETE", "/v1/workers/a")
      yield* reaches("a", "terminated")
      const again = yield* send("POST", "/v1/workers", worker("a"), key("k1"))
      assert.strictEqual(again.status, 202)
      assert.deepStrictEqual(again.json, first.json)
      assert.strictEqual((yield* send("GET", "/v1/workers/a")).json.phase, "terminated")
      const other = yield* send("POST", "/v1/workers", worker("a"), key("k2"))
      assert.isAbove(other.json.generation, first.json.generation)
    }).pipe(Effect.scoped)
  )

  it.live("waits for the outcome of the first when the second is told to", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      const first = yield* send("POST", "/v1/workers", worker("a"), key("k"))
      const again = yield* send("POST", "/v1/workers", worker("a"), { ...key("k"), ...waiting })
      assert.strictEqual(again.status, 200)
      assert.deepStrictEqual(again.json, { ...first.json, phase: "registered" })
    }).pipe(Effect.scoped)
  )

  it.live("takes the order of fields, and what nobody knows, for no difference", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      const first = yield* send("POST", "/v1/workers", { ...worker("a"), note: 1 }, key("k"))
      const { capabilities, id } = worker("a")
      const again = yield* send("POST", "/v1/workers", { capabilities, id }, key(`"k"`))
      assert.deepStrictEqual(again.json, first.json)
    }).pipe(Effect.scoped)
  )

  it.live.each([
    { id: "b" },
    { capabilities: { cpuCores: 9, memoryMb: 1024 } },
    { priority: "high" },
    { leaseTtl: "1 minute" },
    { metadata: { provisionedAt: "2026-01-01T00:00:00Z" } }
  ])("is refused with another worker: %j", (change) =>
    Effect.gen(function* () {
      const { send } = yield* start()
      yield* send("POST", "/v1/workers", worker("a"), key("k"))
      const { json } = yield* send("POST", "/v1/workers", { ...worker("a"), ...change }, key("k"))
      assert.deepInclude(json, problem("idempotency-key-reused", 422))
      assert.strictEqual((yield* send("GET", "/v1/workers")).json.total, 1)
    }).pipe(Effect.scoped)
  )

  it.live("is not used up by a request that was not accepted", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      assert.strictEqual((yield* send("POST", "/v1/workers", { id: "a" }, key("k"))).status, 400)
      assert.strictEqual((yield* send("POST", "/v1/workers/a/ready", undefined, key("k"))).status, 404)
      assert.strictEqual((yield* send("POST", "/v1/workers", worker("a"), key("k"))).status, 202)
      assert.strictEqual((yield* send("POST", "/v1/workers/a/ready", undefined, key("k"))).status, 202)
    }).pipe(Effect.scoped)
  )

  it.live("holds for each member of a batch by its position", () =>
    Effect.gen(function* () {
      const { reaches, send } = yield* start()
      const batch = [worker("a"), { id: "bad" }, worker("b")]
      const first = yield* send("POST", "/v1/workers/batch", batch, key("k"))
      yield* send("DELETE", "/v1/workers/a")
      yield* reaches("a", "terminated")
      const again = yield* send("POST", "/v1/workers/batch", batch, key("k"))
      assert.deepStrictEqual(again.json, first.json)
      const turned = yield* send("POST", "/v1/workers/batch", batch.toReversed(), key("k"))
      assert.deepStrictEqual(
        turned.json.results.map(({ status }: { status: number }) => status),
        [422, 400, 422]
      )
    }).pipe(Effect.scoped)
  )

  it.live("makes one of a worker that says twice that it is ready", () =>
    Effect.gen(function* () {
      const { reaches, scheduler, send } = yield* start()
      yield* send("POST", "/v1/workers", worker("a"), waiting)
      const first = yield* send("POST", "/v1/workers/a/ready", undefined, key("k"))
      yield* reaches("a", "ready")
      const again = yield* send("POST", "/v1/workers/a/ready", undefined, key("k"))
      assert.deepStrictEqual(again.json, first.json)
      const looks = (yield* scheduler.callsOf("a")).filter(({ operation }) => operation === "get")
      assert.lengthOf(looks, 1)
    }).pipe(Effect.scoped)
  )

  it.live.each(["", `""`, "x".repeat(256), "caf\u00e9", "a\tb"])("is not %j", (value) =>
    Effect.gen(function* () {
      const { send } = yield* start()
      const { json } = yield* send("POST", "/v1/workers", worker("a"), key(value))
      assert.deepInclude(json, problem("invalid-request", 400))
      assert.deepStrictEqual(json.errors, [
        { path: "headers.idempotency-key", message: "expected 1 to 255 printable ASCII characters" }
      ])
    }).pipe(Effect.scoped)
  )

  it.live("may be long, and what comes with it deep", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      const depth = HttpLimits.jsonDepth - 1
      const deep = `${"[".repeat(depth)}${"]".repeat(depth)}`
      const text = JSON.stringify(worker("a")).replace(/^\{/, `{"junk":${deep},`)
      const headers = key("x".repeat(255))
      const { json } = yield* send("POST", "/v1/workers", text, headers)
      assert.deepInclude(json, { id: "a" })
      assert.deepStrictEqual((yield* send("POST", "/v1/workers", text, headers)).json, json)
    }).pipe(Effect.scoped)
  )
})
