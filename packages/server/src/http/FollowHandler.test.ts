import { assert, describe, it } from "@effect/vitest"
import { MemoryFleetStore } from "@muster/core/fleet"
import { TestFleetStore } from "@muster/testing"
import { Effect } from "effect"
import { HttpLimits } from "./HttpLimits.ts"
import { problem, start, type TestRoutes, waiting, worker } from "./TestRoutes.ts"

/** What comes on the stream, block by block; `undefined` at its end. */
const follow = Effect.fnUntraced(function* ({ open }: TestRoutes, lastEventId?: string) {
  const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId }
  const response = yield* open("GET", "/v1/events", undefined, headers)
  const blocks = blocksOf(response)
  const next = Effect.promise(async () => (await blocks.next()).value)
  const leave = Effect.promise(() => blocks.return(undefined))
  return { leave, next, response }
})

async function* blocksOf(response: Response): AsyncGenerator<string, undefined> {
  let text = ""
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString()
    const blocks = text.split("\n\n")
    text = blocks.pop() ?? ""
    // A comment says no more than that the stream lives.
    yield* blocks.filter((block) => !block.startsWith(":"))
  }
  return undefined
}

const read = (block: string | undefined) => {
  const [, id, data = ""] = /^id: ([\d.]+)\nevent: phase\ndata: (.*)$/.exec(block ?? "") ?? []
  return { id, ...JSON.parse(data) }
}

const phaseOf = (block: string | undefined) => {
  const { phase, workerId } = read(block)
  return `${workerId} ${phase}`
}

const phases = (id: string) => ["pending", "registering", "registered"].map((phase) => `${id} ${phase}`)

describe("GET /v1/events", () => {
  it.live("tells every phase change from now on, and begins with the id to go on from", () =>
    Effect.gen(function* () {
      const routes = yield* start()
      yield* routes.send("POST", "/v1/workers", worker("before"), waiting)
      const { next, response } = yield* follow(routes)
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
      assert.strictEqual(response.headers.get("cache-control"), "no-store")
      assert.strictEqual(yield* next, "id: 2")
      const { json } = yield* routes.send("POST", "/v1/workers", worker("a"), waiting)
      const first = read(yield* next)
      assert.deepInclude(first, {
        id: "3.1",
        workerId: "a",
        phase: "pending",
        generation: json.generation,
        nextAttemptAt: null
      })
      assert.isFalse(Number.isNaN(Date.parse(first.at)))
      assert.deepStrictEqual([yield* next, yield* next].map(phaseOf), phases("a").slice(1))
    }).pipe(Effect.scoped)
  )

  it.live("goes on after the event that was seen last, the first id included", () =>
    Effect.gen(function* () {
      const routes = yield* start()
      const { leave, next } = yield* follow(routes)
      const [, begin] = /^id: (.*)$/.exec((yield* next) ?? "") ?? []
      yield* leave
      yield* routes.send("POST", "/v1/workers", worker("a"), waiting)
      const again = yield* follow(routes, begin)
      yield* again.next
      const seen = [yield* again.next, yield* again.next, yield* again.next]
      assert.deepStrictEqual(seen.map(phaseOf), phases("a"))
      for (const [index, block] of seen.entries()) {
        const { next } = yield* follow(routes, read(block).id)
        yield* next
        yield* routes.send("POST", "/v1/workers", worker(`b${index}`), waiting)
        assert.strictEqual(phaseOf(yield* next), [...phases("a"), "b0 pending"][index + 1])
      }
    }).pipe(Effect.scoped)
  )

  it.live.each(["0", "0.0", "1", "999999999999999.999999999", "7.1"])(
    "leaves out nothing for the id %s, which is before or after everything",
    (id) =>
      Effect.gen(function* () {
        const routes = yield* start()
        yield* routes.send("POST", "/v1/workers", worker("a"), waiting)
        const { next } = yield* follow(routes, id)
        yield* next
        assert.strictEqual(phaseOf(yield* next), id === "1" ? "a registering" : "a pending")
      }).pipe(Effect.scoped)
  )

  it.live.each(["x", "1.", ".1", "-1.0", "1.1.1", "1e3", "9999999999999999", "1 1", "∞"])(
    "refuses the id %s",
    (id) =>
      Effect.gen(function* () {
        const { send } = yield* start()
        const headers = { "last-event-id": Buffer.from(id).toString("latin1") }
        const { json } = yield* send("GET", "/v1/events", undefined, headers)
        assert.deepInclude(json, problem("invalid-request", 400))
        assert.deepStrictEqual(json.errors, [
          { path: "headers.last-event-id", message: "expected the id of an event, such as 42.1" }
        ])
      }).pipe(Effect.scoped)
  )

  it.live("ends when the service stops", () =>
    Effect.gen(function* () {
      const routes = yield* start()
      const { next } = yield* follow(routes)
      yield* next
      yield* routes.lifecycle.stop
      assert.isUndefined(yield* next)
    }).pipe(Effect.scoped)
  )

  it.live("ends when the store fails, and is refused while it does", () =>
    Effect.gen(function* () {
      const store = new TestFleetStore(yield* MemoryFleetStore.make)
      const routes = yield* start({ store: store.service })
      const { next } = yield* follow(routes)
      yield* next
      yield* routes.send("POST", "/v1/workers", worker("a"), waiting)
      for (const _ of phases("a")) yield* next
      store.answer = () => "fails"
      yield* routes.send("POST", "/v1/workers", worker("b"))
      const { json } = yield* routes.send("GET", "/v1/events")
      assert.deepInclude(json, problem("store-unavailable", 503))
      store.answer = () => "succeeds"
      yield* routes.send("POST", "/v1/workers", worker("b"), waiting)
      const again = yield* follow(routes, "2")
      yield* again.next
      assert.strictEqual(phaseOf(yield* again.next), "b pending")
    }).pipe(Effect.scoped)
  )

  it.live("has so many followers at most; those who left, or only asked with HEAD, do not count", () =>
    Effect.gen(function* () {
      const routes = yield* start()
      yield* routes.open("HEAD", "/v1/events")
      const followers = yield* Effect.replicateEffect(follow(routes), HttpLimits.followers)
      const { headers, json } = yield* routes.send("GET", "/v1/events")
      assert.deepInclude(json, {
        ...problem("overloaded", 503),
        detail: "1000 clients follow the events already."
      })
      assert.strictEqual(headers.get("retry-after"), "10")
      for (const { leave, next } of followers) {
        yield* next
        yield* leave
      }
      const { response } = yield* follow(routes)
      assert.strictEqual(response.status, 200)
    }).pipe(Effect.scoped)
  )
})
