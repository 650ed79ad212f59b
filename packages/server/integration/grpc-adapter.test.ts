import { assert, describe, it } from "@effect/vitest"
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  ServerCredentials,
  status,
  type UntypedServiceImplementation
} from "@grpc/grpc-js"
import { RegistrationConfig, SchedulerPort, type Worker as WorkerType, Worker } from "@muster/core"
import { Deferred, Duration, Effect, Fiber, Layer, Option, Result, Schedule, Stream } from "effect"
import { type GrpcOptions, layer } from "@muster/server/schedulers/Grpc"
import type {
  GetRequest,
  GetResponse,
  ListRequest,
  ListResponse,
  RegisterBatchRequest,
  RegisterBatchResponse,
  RegisterRequest,
  RegisterResponse
} from "../src/schedulers/generated/muster/scheduler/v1/scheduler.ts"
import { toHeldMessage } from "../src/schedulers/grpc/WorkerMessage.ts"
import { Authority, hasOpenssl, whyNoOpenssl } from "./Certificates.ts"
import { rawScheduler } from "./RawScheduler.ts"

type Register = handleUnaryCall<RegisterRequest, RegisterResponse>

const decode = (id: string, cpuCores = 8) =>
  Effect.orDie(
    Worker.decode({
      id,
      capabilities: { cpuCores, memoryMb: 1024 },
      metadata: { provisionedAt: "2026-01-31T12:00:00Z" }
    })
  )

const portTo = (options: GrpcOptions, attemptTimeout: Duration.Input = "30 seconds") =>
  Effect.map(
    Layer.build(layer(options).pipe(Layer.provide(RegistrationConfig.layer({ attemptTimeout })))),
    (context) => Effect.provideContext(SchedulerPort, context)
  ).pipe(Effect.flatten)

/** The adapter before a server of these methods alone. */
const against = Effect.fnUntraced(function* (
  methods: UntypedServiceImplementation,
  attemptTimeout?: Duration.Input
) {
  const { port } = yield* rawScheduler(methods)
  return yield* portTo({ addresses: [`127.0.0.1:${port}`] }, attemptTimeout)
})

const generation = 7

const register = (port: SchedulerPort["Service"], worker: WorkerType) => port.register(worker, { generation })

const accept: Register = (_, callback) => callback(null, {})

describe("the gRPC adapter", () => {
  it.live("sends the whole worker, and a generation as large as there is", () =>
    Effect.gen(function* () {
      const seen: Array<RegisterRequest> = []
      const handler: Register = (call, callback) => {
        seen.push(call.request)
        callback(null, {})
      }
      const port = yield* against({ register: handler })
      const worker = yield* decode("ci-1")
      yield* port.register(worker, { generation: Number.MAX_SAFE_INTEGER })
      assert.strictEqual(seen[0]?.generation, Number.MAX_SAFE_INTEGER)
      assert.deepStrictEqual(seen[0]?.worker, toHeldMessage({ worker }).worker)
    })
  )

  it.live("tells the server its deadline, and says afterwards that there was no answer in time", () =>
    Effect.gen(function* () {
      let left = 0
      const hang: Register = (call) => {
        const deadline = call.getDeadline()
        left = (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now()
      }
      const port = yield* against({ register: hang }, "300 millis")
      const error = yield* Effect.flip(register(port, yield* decode("ci-1")))
      assert(error._tag === "SchedulerUnavailable")
      assert.deepStrictEqual(error.timeout, Duration.millis(300))
      assert.isAbove(left, 0)
      assert.isAtMost(left, 300)
    })
  )

  it.live("cancels the call when it is interrupted", () =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const cancelled = yield* Deferred.make<void>()
      const hang: Register = (call) => {
        call.on("cancelled", () => Deferred.doneUnsafe(cancelled, Effect.void))
        Deferred.doneUnsafe(arrived, Effect.void)
      }
      const port = yield* against({ register: hang })
      const call = yield* Effect.forkChild(register(port, yield* decode("ci-1")))
      yield* Deferred.await(arrived)
      yield* Fiber.interrupt(call)
      yield* Deferred.await(cancelled)
    })
  )

  it.live("sends the trace along", () =>
    Effect.gen(function* () {
      let traceparent: unknown
      const handler: Register = (call, callback) => {
        traceparent = call.metadata.get("traceparent")[0]
        callback(null, {})
      }
      const port = yield* against({ register: handler })
      const worker = yield* decode("ci-1")
      const span = yield* Effect.withSpan(Effect.andThen(register(port, worker), Effect.currentSpan), "test")
      assert.strictEqual(traceparent, `00-${span.traceId}-${span.spanId}-01`)
      yield* register(port, worker)
      assert.isUndefined(traceparent)
    })
  )

  it.live("says in the span of a call whom it asked for what, and in no other span", () =>
    Effect.gen(function* () {
      const { port: number } = yield* rawScheduler({
        register: ((_, callback) => callback({ code: status.UNAVAILABLE })) satisfies Register
      })
      const port = yield* portTo({ addresses: [`127.0.0.1:${number}`] })
      const worker = yield* decode("ci-1")
      const attributesOf = (kind: "client" | "server") =>
        Effect.currentSpan.pipe(
          Effect.tap(() => Effect.ignore(register(port, worker))),
          Effect.map(({ attributes }) => Object.fromEntries(attributes)),
          Effect.withSpan("test", { kind })
        )
      assert.deepStrictEqual(yield* attributesOf("client"), {
        "rpc.system.name": "grpc",
        "rpc.method": "muster.scheduler.v1.SchedulerService/Register",
        "server.address": "127.0.0.1",
        "server.port": number,
        "rpc.response.status_code": "UNAVAILABLE"
      })
      assert.deepStrictEqual(yield* attributesOf("server"), {})
    })
  )

  it.live("an absent worker is unregistered, whatever the scheduler calls it", () =>
    Effect.gen(function* () {
      const unregister: handleUnaryCall<unknown, unknown> = (_, callback) =>
        callback({ code: status.NOT_FOUND })
      const port = yield* against({ register: accept, unregister })
      yield* port.unregister((yield* decode("ci-1")).id, { generation })
    })
  )

  describe("a scheduler that does not replace", () => {
    const exists: Register = (_, callback) =>
      callback({ code: status.ALREADY_EXISTS, details: "there is one" })
    const holds =
      (worker: WorkerType): handleUnaryCall<GetRequest, GetResponse> =>
      (_, callback) =>
        callback(null, { held: toHeldMessage({ worker, generation }) })

    it.live("has registered a worker that it holds as it is", () =>
      Effect.gen(function* () {
        const worker = yield* decode("ci-1")
        const port = yield* against({ register: exists, get: holds(worker) })
        yield* register(port, worker)
      })
    )

    it.live("rejects one that it holds differently, or cannot show", () =>
      Effect.gen(function* () {
        const worker = yield* decode("ci-1")
        for (const methods of [{ get: holds(yield* decode("ci-1", 4)) }, {}]) {
          const error = yield* Effect.flip(register(yield* against({ register: exists, ...methods }), worker))
          assert(error._tag === "SchedulerRejected")
          assert.strictEqual(error.code, "already_exists")
        }
      })
    )
  })

  describe("a scheduler with the required methods alone", () => {
    it.live("gets the members of a batch one by one", () =>
      Effect.gen(function* () {
        const handler: Register = ({ request }, callback) =>
          request.worker?.id === "bad" ? callback({ code: status.INVALID_ARGUMENT }) : callback(null, {})
        const port = yield* against({ register: handler })
        assert.isTrue(port.capabilities.has("registerBatch"))
        assert(port.registerBatch !== undefined)
        const members = yield* Effect.forEach(["a", "bad", "c"], (id) =>
          Effect.map(decode(id), (worker) => ({ worker, generation }))
        )
        for (const _ of [1, 2]) {
          const results = yield* port.registerBatch(members)
          assert.deepStrictEqual(results.map(Result.isSuccess), [true, false, true])
          assert.isFalse(port.capabilities.has("registerBatch"))
        }
      })
    )

    it.live("cannot list or get, and says so", () =>
      Effect.gen(function* () {
        const port = yield* against({ register: accept })
        assert(port.list !== undefined && port.get !== undefined)
        const worker = yield* decode("ci-1")
        for (const call of [Stream.runDrain(port.list), port.get(worker.id)]) {
          const error = yield* Effect.flip(call)
          assert(error._tag === "SchedulerRejected")
          assert.strictEqual(error.code, "unimplemented")
        }
        assert.sameMembers(Array.from(port.capabilities), ["registerBatch", "health"])
      })
    )

    it.live("is healthy as long as it answers", () =>
      Effect.gen(function* () {
        const server = yield* rawScheduler({ register: accept })
        const port = yield* portTo({ addresses: [`127.0.0.1:${server.port}`] })
        assert(port.health !== undefined)
        assert.strictEqual((yield* port.health).status, "healthy")
        yield* server.crash
        assert.strictEqual((yield* Effect.flip(port.health))._tag, "SchedulerUnavailable")
      })
    )
  })

  describe("answers that make no sense", () => {
    it.live("a batch with the wrong number of results is a fault", () =>
      Effect.gen(function* () {
        const registerBatch: handleUnaryCall<RegisterBatchRequest, RegisterBatchResponse> = (_, callback) =>
          callback(null, { results: [] })
        const port = yield* against({ register: accept, registerBatch })
        assert(port.registerBatch !== undefined)
        const error = yield* Effect.flip(port.registerBatch([{ worker: yield* decode("ci-1"), generation }]))
        assert(error._tag === "SchedulerFault")
        assert.isFalse(error.retryable)
      })
    )

    it.live("an entry of a list that is not a worker is left out", () =>
      Effect.gen(function* () {
        const worker = yield* decode("ci-1")
        const held = toHeldMessage({ worker, generation })
        const list: handleServerStreamingCall<ListRequest, ListResponse> = (call) => {
          call.write({ workers: [{ ...held, worker: undefined }, held] })
          call.write({
            workers: [{ generation, worker: { id: "-", capabilities: undefined, metadata: undefined } }]
          })
          call.end()
        }
        const port = yield* against({ list })
        assert(port.list !== undefined)
        const listed = yield* Stream.runCollect(port.list)
        assert.deepStrictEqual(listed, [{ worker, generation }])
      })
    )

    it.live("a list that breaks off fails", () =>
      Effect.gen(function* () {
        const held = toHeldMessage({ worker: yield* decode("ci-1"), generation })
        const list: handleServerStreamingCall<ListRequest, ListResponse> = (call) => {
          call.write({ workers: [held] })
          call.emit("error", { code: status.ABORTED, details: "changed meanwhile" })
        }
        const port = yield* against({ list })
        assert(port.list !== undefined)
        const error = yield* Effect.flip(Stream.runDrain(port.list))
        assert.strictEqual(error.message, "ABORTED: changed meanwhile")
      })
    )

    it.live("a held worker that is none is a fault", () =>
      Effect.gen(function* () {
        const get: handleUnaryCall<GetRequest, GetResponse> = (_, callback) =>
          callback(null, { held: undefined })
        const port = yield* against({ get })
        assert(port.get !== undefined)
        assert.strictEqual((yield* Effect.flip(port.get((yield* decode("ci-1")).id)))._tag, "SchedulerFault")
      })
    )
  })

  describe("connections", () => {
    const soon = { schedule: Schedule.spaced("50 millis"), times: 200 }

    it.live("goes on with the scheduler when it comes back", () =>
      Effect.gen(function* () {
        const first = yield* rawScheduler({ register: accept })
        const port = yield* portTo({ addresses: [`127.0.0.1:${first.port}`] })
        const worker = yield* decode("ci-1")
        yield* register(port, worker)
        yield* first.crash
        assert.strictEqual((yield* Effect.flip(register(port, worker)))._tag, "SchedulerUnavailable")
        yield* rawScheduler({ register: accept }, { port: first.port })
        yield* Effect.retry(register(port, worker), soon)
      })
    )

    it.live("tells when the connection was lost and is there again, though nothing is asked meanwhile", () =>
      Effect.gen(function* () {
        const first = yield* rawScheduler({ register: accept })
        const port = yield* portTo({ addresses: [`127.0.0.1:${first.port}`] })
        assert(port.reconnections !== undefined)
        let told = 0
        const listening = yield* Effect.forkChild(
          Stream.runForEach(Stream.take(port.reconnections, 2), () => Effect.sync(() => told++))
        )
        yield* register(port, yield* decode("ci-1"))
        yield* first.crash
        const second = yield* rawScheduler({ register: accept }, { port: first.port })
        yield* Effect.repeat(Effect.sleep("10 millis"), { until: () => told === 1 })
        yield* second.crash
        yield* rawScheduler({ register: accept }, { port: first.port })
        yield* Fiber.join(listening)
        assert.strictEqual(told, 2)
      })
    )

    it.live("speaks to the next address when one cannot be reached, without a failure in between", () =>
      Effect.gen(function* () {
        const calls = { first: 0, second: 0 }
        const counting =
          (name: keyof typeof calls): Register =>
          (_, callback) => {
            calls[name]++
            callback(null, {})
          }
        const gone = yield* Effect.scoped(rawScheduler({}))
        const first = yield* rawScheduler({ register: counting("first") })
        const second = yield* rawScheduler({ register: counting("second") })
        const port = yield* portTo({
          addresses: [gone, first, second].map(({ port }) => `127.0.0.1:${port}`)
        })
        const worker = yield* decode("ci-1")
        yield* register(port, worker)
        yield* register(port, worker)
        assert.deepStrictEqual(calls, { first: 2, second: 0 })
        yield* first.crash
        yield* register(port, worker)
        assert.deepStrictEqual(calls, { first: 2, second: 1 })
      })
    )

    it("refuses options that make no channel", () =>
      Effect.gen(function* () {
        const tls = { ca: "not a certificate", cert: "x", key: "y" }
        const error = yield* Effect.flip(portTo({ addresses: ["127.0.0.1:1"], tls }))
        assert.strictEqual(error._tag, "InvalidSchedulerOptions")
        assert.match((yield* Effect.flip(portTo({ addresses: [] }))).message, /at least one address/)
      }).pipe(Effect.scoped, Effect.runPromise))
  })

  describe.skipIf(!hasOpenssl)(`TLS${whyNoOpenssl}`, () => {
    const secured = Effect.fnUntraced(function* (checksClients: boolean) {
      const authority = new Authority()
      const ca = authority.pem
      const [client, server] = [authority.issue().pem, authority.issue({ names: "DNS:scheduler.test" }).pem]
      const pair = { cert_chain: Buffer.from(server.cert), private_key: Buffer.from(server.key) }
      const credentials = ServerCredentials.createSsl(Buffer.from(ca), [pair], checksClients)
      const { port } = yield* rawScheduler({ register: accept }, { credentials })
      const call = Effect.fnUntraced(function* (tls: GrpcOptions["tls"]) {
        const adapter = yield* portTo({ addresses: [`127.0.0.1:${port}`], tls }, "5 seconds")
        return yield* Effect.option(register(adapter, yield* decode("ci-1")))
      })
      return { call, ca, client, serverName: "scheduler.test" }
    })

    it.live("trusts whom it was told to, by the name that it was told", () =>
      Effect.gen(function* () {
        const { ca, call, serverName } = yield* secured(false)
        assert.isTrue(Option.isSome(yield* call({ ca, serverName })))
        assert.isTrue(Option.isNone(yield* call({ ca, serverName: "other.test" })))
        assert.isTrue(Option.isNone(yield* call({ serverName })))
        assert.isTrue(Option.isNone(yield* call(undefined)))
      })
    )

    it.live("shows who it is, where the scheduler asks", () =>
      Effect.gen(function* () {
        const { ca, call, client, serverName } = yield* secured(true)
        assert.isTrue(Option.isSome(yield* call({ ca, serverName, ...client })))
        assert.isTrue(Option.isNone(yield* call({ ca, serverName })))
      })
    )
  })
})
