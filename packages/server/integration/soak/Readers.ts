/**
 * Everybody who looks: listings and searches, the console's overview, exports, followers of events that come and go, and
 * one that reads slowly; those who decide about dead letters; and those who send what makes no sense.
 */
import { Effect, Random, Schema } from "effect"
import { request } from "node:http"
import { SseReader } from "../../src/client/SseReader.ts"
import type { Fleet } from "./Fleet.ts"
import { ask, NoAnswer } from "./Http.ts"

const listings = [
  "/v1/workers?limit=100",
  "/v1/workers?phase=registered&phase=ready&limit=20",
  "/v1/workers?search=soak-1&sort=-updatedAt&limit=50",
  "/v1/workers?label=revision=7",
  "/v1/workers?namespace=ci&offset=20&limit=10&sort=id",
  "/v1/dead-letters?limit=50",
  "/v1/scheduler",
  "/metrics",
  "/readyz",
  "/openapi.json"
]
/** Where the scheduler is asked, and so may be away. */
const throughTheScheduler = "/v1/scheduler/workers?limit=50"
const consolePolls = ["/v1/overview", "/v1/history?after=2026-01-01T00:00:00Z"]

const json = { "content-type": "application/json" }
/** Requests that are refused, each with the statuses that say so. */
const refused: ReadonlyArray<readonly [path: string, init: RequestInit, statuses: ReadonlyArray<number>]> = [
  ["/v1/workers", { method: "POST", headers: json, body: "{" }, [400]],
  [
    "/v1/workers",
    { method: "POST", headers: json, body: '{"id":"-","capabilities":{"cpuCores":-1}}' },
    [400]
  ],
  ["/v1/workers", { method: "POST", headers: json, body: `{"id":"${"x".repeat(2_000_000)}"}` }, [400, 413]],
  ["/v1/workers", { method: "POST", headers: { "content-type": "text/html" }, body: "<p>" }, [400, 415]],
  ["/v1/workers/batch", { method: "POST", headers: json, body: '{"not":"an array"}' }, [400]],
  ["/v1/events", { method: "POST", headers: json, body: "[]" }, [400, 415]],
  ["/v1/workers?cursor=nonsense", {}, [400]],
  ["/v1/workers?limit=0", {}, [400]],
  ["/v1/workers/nobody", {}, [404]],
  ["/v1/workers/nobody/heartbeat", { method: "POST" }, [404]],
  ["/no/such/page", {}, [404]],
  ["/v1/workers", { method: "PATCH" }, [404, 405]]
]

export const runReaders = (url: string, fleet: Fleet, isOver: () => boolean): Effect.Effect<void> => {
  const again = <E>(step: Effect.Effect<unknown, E>, pause: number) =>
    Effect.repeat(
      Effect.andThen(
        Effect.catch(step, (error) => Effect.sync(() => fleet.fault(String(error)))),
        Effect.flatMap(Random.nextBetween(pause / 2, pause * 1.5), Effect.sleep)
      ),
      { until: isOver }
    )
  const pick = <A>(from: ReadonlyArray<A>) =>
    Effect.map(Random.nextIntBetween(0, from.length - 1), (index) => from[index])

  const read = Effect.fnUntraced(function* (
    path: string,
    expected: ReadonlyArray<number>,
    init: RequestInit = {}
  ) {
    const { status, text } = yield* ask(url + path, init)
    if (!expected.includes(status)) {
      fleet.fault(`${init.method ?? "GET"} ${path.slice(0, 80)}: ${status} ${text.slice(0, 200)}`)
    }
    return text
  })
  const look = Effect.gen(function* () {
    const path = yield* pick([...listings, throughTheScheduler])
    if (path === undefined) return
    fleet.counts.reads++
    yield* read(path, path === throughTheScheduler ? [200, 502, 503] : [200])
  })
  const poll = Effect.forEach(consolePolls, (path) => read(path, [200]), { discard: true })
  const nonsense = Effect.gen(function* () {
    const one = yield* pick(refused)
    if (one === undefined) return
    fleet.counts.bad++
    yield* read(one[0], one[2], one[1])
  })
  const takeUp = Effect.gen(function* () {
    const text = yield* read("/v1/dead-letters/retry", [202], { method: "POST" })
    fleet.counts.retried += (yield* decodeRetried(text)).retried
  })
  const exportAll = Effect.gen(function* () {
    const text = yield* read("/v1/export", [200])
    fleet.counts.exports++
    const lines = text.trimEnd().split("\n")
    const { workers } = yield* decodeEnd(lines.at(-1))
    // The first line and the last say what it is.
    if (workers !== lines.length - 2) fleet.fault(`an export of ${workers} has ${lines.length - 2} workers`)
  })
  const follow = Effect.gen(function* () {
    const millis = yield* Random.nextBetween(200, 4000)
    const resume: Record<string, string> = (yield* Random.next) < 0.3 ? { "last-event-id": "0" } : {}
    fleet.counts.events += yield* followEvents(`${url}/v1/events`, resume, millis, 0)
  })
  // A sixteenth of what comes: the service has to wait for it, or to let it go.
  const followSlowly = Effect.gen(function* () {
    fleet.counts.events += yield* followEvents(`${url}/v1/events`, { "last-event-id": "0" }, 60_000, 500)
  })

  return Effect.all(
    [
      again(look, 100),
      again(look, 200),
      again(poll, 1000),
      again(nonsense, 400),
      again(halfARequest(url), 2000),
      again(takeUp, 3000),
      again(exportAll, 5000),
      again(follow, 100),
      again(follow, 100),
      again(follow, 1000),
      Effect.race(again(followSlowly, 100), untilTrue(isOver))
    ],
    { concurrency: "unbounded", discard: true }
  )
}

const decodeRetried = Schema.decodeUnknownEffect(
  Schema.fromJsonString(Schema.Struct({ retried: Schema.Int }))
)
const decodeEnd = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Struct({ workers: Schema.Int })))

const untilTrue = (isSo: () => boolean) => Effect.repeat(Effect.sleep("200 millis"), { until: isSo })

/**
 * Follows for so many milliseconds, and then breaks the connection. With a pause it reads one piece of at most 64 KiB,
 * and then nothing for as long. Gives how many events came.
 */
const followEvents = (
  url: string,
  headers: Readonly<Record<string, string>>,
  millis: number,
  pause: number
): Effect.Effect<number, NoAnswer> =>
  Effect.callback((resume) => {
    let count = 0
    let isDone = false
    const reader = new SseReader()
    const done = (result: Effect.Effect<number, NoAnswer>) => {
      if (isDone) return
      isDone = true
      clearTimeout(timer)
      asking.destroy()
      resume(result)
    }
    const asking = request(url, { headers, agent: false }, (response) => {
      if (response.statusCode !== 200 && response.statusCode !== 503) {
        return done(Effect.fail(new NoAnswer({ message: `following: ${response.statusCode}` })))
      }
      response.on("data", (data: Buffer) => {
        count += reader.read(data.toString()).filter(({ event }) => event === "phase").length
        if (pause === 0) return
        response.pause()
        setTimeout(() => response.resume(), pause)
      })
      response.on("close", () => done(Effect.succeed(count)))
    })
    const timer = setTimeout(() => done(Effect.succeed(count)), millis)
    asking.on("error", (error) => done(Effect.fail(new NoAnswer({ message: `following: ${error.message}` }))))
    asking.end()
    return Effect.sync(() => done(Effect.succeed(count)))
  })

/** Somebody who goes away in the middle of a body. */
const halfARequest = (url: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const headers = { "content-type": "application/x-ndjson", "content-length": "100000" }
    const asking = request(`${url}/v1/workers/batch`, { method: "POST", headers, agent: false })
    asking.on("error", () => {})
    asking.write('{"id":"soak-half","capa')
    setTimeout(() => {
      asking.destroy()
      resume(Effect.void)
    }, 50)
  })
