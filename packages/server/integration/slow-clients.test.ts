/**
 * Clients that take their time, against a real server with little patience.
 */
import { assert, describe, it } from "@effect/vitest"
import { EmbeddedScheduler, RegistrationConfig } from "@muster/core"
import { Fleet } from "@muster/core/fleet"
import { Duration, Effect, Layer, Logger } from "effect"
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { accessLayer, openAccess } from "../src/access/AccessServices.ts"
import { Cluster } from "../src/cluster/Cluster.ts"
import { ListeningUrl } from "../src/cluster/ListeningUrl.ts"
import { HttpLimits } from "../src/http/HttpLimits.ts"
import { type Patience, startHttpService } from "../src/http/HttpService.ts"
import { SchedulerName } from "../src/http/SchedulerName.ts"
import { Lifecycle } from "../src/Lifecycle.ts"
import { resolveLimits } from "../src/LimitSettings.ts"
import { memoryStore, storeLayer } from "../src/store/Stores.ts"
import { worker } from "./ServiceProcess.ts"

const services = Layer.mergeAll(
  accessLayer(openAccess).pipe(Layer.provideMerge(Fleet.layerWith({ maxUnfinished: 20_000 }))),
  Lifecycle.layer,
  Cluster.layerAlone.pipe(Layer.provideMerge(ListeningUrl.layer)),
  Layer.succeed(SchedulerName, "embedded")
).pipe(
  Layer.provideMerge(storeLayer(memoryStore)),
  Layer.provideMerge(EmbeddedScheduler.layer),
  Layer.provideMerge(RegistrationConfig.layer({})),
  Layer.provideMerge(Logger.layer([]))
)

const start = (patience: Patience) =>
  Effect.acquireRelease(
    Effect.flatMap(resolveLimits, (limits) =>
      startHttpService({
        host: "127.0.0.1",
        port: 0,
        shutdownTimeout: Duration.seconds(1),
        limits,
        patience
      })
    ),
    ({ stop }) => stop
  )

const impatient = start({ headerSeconds: 0.6, idleSeconds: 1 })

/** A connection, and all that it is told until it is closed. */
const open = (url: string): readonly [Socket, Promise<string>] => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1")
  let received = ""
  socket.on("data", (data) => (received += data.toString()))
  socket.on("error", () => {})
  return [socket, once(socket, "close").then(() => received)]
}

/** A connection on which nothing is read; gives what it has sent when it is closed. */
const sendOnly = (url: string, head: string, chunk: Buffer): Promise<number> => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1")
  socket.pause()
  const more = () => {
    while (socket.write(chunk));
  }
  socket.on("drain", more)
  socket.on("error", () => {})
  socket.write(head)
  more()
  return new Promise((resolve) => {
    socket.on("close", () => resolve(socket.bytesWritten - socket.writableLength))
  })
}

describe("a client that takes its time", () => {
  it.live("is answered with 408 where its headers do not come, or come byte by byte", () =>
    Effect.gen(function* () {
      const { url } = yield* impatient
      const [, silent] = open(url)
      const [half, halfAnswer] = open(url)
      half.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n")
      const [slow, slowAnswer] = open(url)
      slow.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n")
      const drip = setInterval(() => slow.write("x"), 50)
      for (const answer of [silent, halfAnswer, slowAnswer]) {
        const text = yield* Effect.promise(() => answer)
        if (answer !== silent || text !== "") assert.match(text, /^HTTP\/1\.1 408 .*request-timeout/s)
      }
      clearInterval(drip)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.live("loses its connection where a stream of lines stops, or its answers are not read", () =>
    Effect.gen(function* () {
      const { url } = yield* impatient
      const head =
        "POST /v1/workers/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n" +
        "transfer-encoding: chunked\r\n\r\n"
      const [stopped, answer] = open(url)
      stopped.write(`${head}3\r\n{}\n\r\n`)
      assert.include(yield* Effect.promise(() => answer), `"line":1`)
      // Each line is answered with a hundred times as much. What is not read stops what is sent.
      const lines = "{}\n".repeat(1000)
      const chunk = Buffer.from(`${lines.length.toString(16)}\r\n${lines}\r\n`)
      const sent = yield* Effect.promise(() => sendOnly(url, head, chunk))
      assert.isBelow(sent, 32 * 1024 * 1024)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.live("loses its connection where it follows the events and does not read them", () =>
    Effect.gen(function* () {
      const patient = yield* start(HttpLimits)
      for (let hundred = 0; hundred < 40; hundred++) {
        const workers = Array.from({ length: 100 }, (_, index) =>
          worker(`${"x".repeat(240)}${hundred}.${index}`)
        )
        const { status } = yield* Effect.promise(() =>
          fetch(`${patient.url}/v1/workers/batch`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(workers)
          })
        )
        assert.strictEqual(status, 200)
      }
      const { url } = yield* impatient
      const [follower, seen] = open(url)
      follower.pause()
      follower.write("GET /v1/events HTTP/1.1\r\nhost: localhost\r\nlast-event-id: 0\r\n\r\n")
      yield* Effect.sleep("3 seconds")
      follower.resume()
      // What was on the way still comes, and then the end.
      const text = yield* Effect.promise(() => seen)
      assert.include(text, "x0.0")
      assert.notInclude(text, "x39.99")
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})
