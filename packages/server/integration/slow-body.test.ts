/**
 * A body that does not arrive, against a real server on a clock that the test moves.
 */
import { assert, describe, it } from "@effect/vitest"
import { EmbeddedScheduler, RegistrationConfig } from "@muster/core"
import { Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { once } from "node:events"
import { connect } from "node:net"
import { vi } from "vitest"
import { Fleet } from "@muster/core/fleet"
import { accessLayer, openAccess } from "../src/access/AccessServices.ts"
import { Cluster } from "../src/cluster/Cluster.ts"
import { ListeningUrl } from "../src/cluster/ListeningUrl.ts"
import { startHttpService } from "../src/http/HttpService.ts"
import { SchedulerName } from "../src/http/SchedulerName.ts"
import { resolveLimits } from "../src/LimitSettings.ts"
import { Lifecycle } from "../src/Lifecycle.ts"
import { memoryStore, storeLayer } from "../src/store/Stores.ts"

const services = Layer.mergeAll(
  accessLayer(openAccess).pipe(Layer.provideMerge(Fleet.layer)),
  Lifecycle.layer,
  Cluster.layerAlone.pipe(Layer.provideMerge(ListeningUrl.layer)),
  Layer.succeed(SchedulerName, "embedded")
).pipe(
  Layer.provideMerge(storeLayer(memoryStore)),
  Layer.provideMerge(EmbeddedScheduler.layer),
  Layer.provideMerge(RegistrationConfig.layer({}))
)

const started = Effect.gen(function* () {
  const { stop, url } = yield* startHttpService({
    host: "127.0.0.1",
    port: 0,
    shutdownTimeout: Duration.seconds(1),
    limits: yield* resolveLimits
  })
  return { port: Number(new URL(url).port), stop }
})

describe("a body that does not arrive", () => {
  it.effect("is answered with 408 after 30 seconds", () =>
    Effect.gen(function* () {
      const { port, stop } = yield* started
      const socket = connect(port, "127.0.0.1")
      const answer = Promise.withResolvers<string>()
      let received = ""
      socket.on("data", (data) => (received += data.toString()))
      socket.on("close", () => answer.resolve(received))
      // The server says that it begins to read the body.
      socket.write(
        "POST /v1/workers HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n" +
          "content-type: application/json\r\ncontent-length: 9\r\n\r\n"
      )
      yield* Effect.promise(() => once(socket, "data"))
      socket.write("{")
      yield* TestClock.adjust("30 seconds")
      socket.end()
      const text = yield* Effect.promise(() => answer.promise)
      assert.match(text, /^HTTP\/1.1 100 .*\r\n\r\nHTTP\/1.1 408 /s)
      assert.include(text, "urn:muster:problem:request-timeout")
      yield* stop
    }).pipe(Effect.provide(services))
  )

  it.effect("is answered with 408 then, too, where nobody asked whether it may come", () =>
    Effect.gen(function* () {
      const { port, stop } = yield* started
      // This time-out is Node's.
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
      const socket = connect(port, "127.0.0.1")
      const answered = once(socket, "data")
      socket.write(
        "POST /v1/workers HTTP/1.1\r\nhost: localhost\r\n" +
          "content-type: application/json\r\ncontent-length: 9\r\n\r\n{"
      )
      yield* Effect.promise(() => vi.waitFor(() => assert.isAbove(vi.getTimerCount(), 0)))
      vi.advanceTimersByTime(30_000)
      const [text] = yield* Effect.promise(() => answered)
      assert.match(String(text), /^HTTP\/1.1 408 /)
      socket.destroy()
      yield* stop
    }).pipe(Effect.ensuring(Effect.sync(() => vi.useRealTimers())), Effect.provide(services))
  )
})
