/**
 * The Hodei adapter in front of a server of Hodei's definitions: what it tells it, and what it makes of its answers.
 */
import { ServerCredentials, status as Code } from "@grpc/grpc-js"
import { assert, describe, it } from "@effect/vitest"
import { RegistrationConfig, type SchedulerError, SchedulerPort, Worker, WorkerId } from "@muster/core"
import * as Hodei from "@muster/server/schedulers/Hodei"
import { ConfigProvider, Context, Effect, Layer, Option, Queue, Schema, type Scope, Stream } from "effect"
import { createServer } from "node:net"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fromStrings } from "../src/schedulers/hodei/CapabilityStrings.ts"
import { schedulerLayer } from "../src/Schedulers.ts"
import { Authority, hasOpenssl, whyNoOpenssl } from "./Certificates.ts"
import { type HodeiAnswer, HodeiServer, type HodeiServerOptions } from "./hodei/HodeiServer.ts"

type Port = SchedulerPort["Service"]

const portOf = <E>(layer: Layer.Layer<SchedulerPort, E>) =>
  Effect.map(Layer.build(layer), (context) => Context.get(context, SchedulerPort))

const addressOf = ({ port }: HodeiServer) => `127.0.0.1:${port}`

const start = Effect.fnUntraced(function* (
  server: HodeiServerOptions = {},
  options: Partial<Hodei.HodeiOptions> = {}
) {
  const hodei = yield* HodeiServer.start(server)
  return { hodei, port: yield* portOf(Hodei.layer({ addresses: [addressOf(hodei)], ...options })) }
})

const decode = (id: string, capabilities: object = {}, metadata: object = {}) =>
  Effect.orDie(
    Worker.decode({
      id,
      capabilities: { cpuCores: 8, memoryMb: 16_384, ...capabilities },
      metadata: { provisionedAt: "2026-01-31T12:00:00Z", ...metadata }
    })
  )

const register = (port: Port, worker: Worker) => port.register(worker, { generation: 1 })
const unregister = (port: Port, worker: Worker) => port.unregister(worker.id, { generation: 2 })

const kindOf = (error: SchedulerError): string => {
  switch (error._tag) {
    case "SchedulerUnavailable":
      return "unavailable"
    case "SchedulerRejected":
      return `rejected as ${error.code}`
    case "SchedulerFault":
      return error.retryable ? "fault, retried" : "fault"
  }
}

const failure = <A>(call: Effect.Effect<A, SchedulerError>) => Effect.map(Effect.flip(call), kindOf)

const live = (behaviour: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(behaviour, () => Effect.scoped(body()))

/** A folder that is gone with the scope. */
const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-hodei-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

describe("tokens", () => {
  /** A server that takes each token once, and the file from which the adapter reads. */
  const withTokens = Effect.fnUntraced(function* () {
    const file = join(yield* folder, "token")
    const good = new Set<string>()
    const test = yield* start({ useToken: (token) => good.delete(token) }, { token: { file } })
    const issue = (token: string) => {
      good.add(token)
      writeFileSync(file, `${token}\n`)
    }
    return { ...test, issue, file, good }
  })

  live("are read anew for every registration", () =>
    Effect.gen(function* () {
      const { hodei, issue, port } = yield* withTokens()
      for (const name of ["a", "b"]) {
        issue(`token-of-${name}`)
        yield* register(port, yield* decode(name))
      }
      assert.deepStrictEqual(
        hodei.received.map(({ authToken }) => authToken),
        ["token-of-a", "token-of-b"]
      )
      assert.deepStrictEqual(Array.from(hodei.workers.keys()), ["a", "b"])
    })
  )

  live("that were used are refused, for good", () =>
    Effect.gen(function* () {
      const { issue, port } = yield* withTokens()
      issue("one")
      yield* register(port, yield* decode("a"))
      const error = yield* Effect.flip(register(port, yield* decode("b")))
      assert.strictEqual(kindOf(error), "rejected as unauthenticated")
      assert.notInclude(error.message, "one")
    })
  )

  live("are needed again where the worker has changed, or is registered for the second time", () =>
    Effect.gen(function* () {
      const { hodei, issue, port } = yield* withTokens()
      const worker = yield* decode("a")
      issue("one")
      yield* register(port, worker)
      const larger = yield* decode("a", { cpuCores: 16 })
      assert.strictEqual(yield* failure(register(port, larger)), "rejected as unauthenticated")
      issue("two")
      yield* register(port, larger)
      assert.strictEqual(hodei.workers.get("a")?.info.capacity?.cpuCoresTotal, 16)
      yield* unregister(port, larger)
      assert.strictEqual(yield* failure(register(port, larger)), "rejected as unauthenticated")
    })
  )

  live("are not needed to say the same again: without a good one the session is sent", () =>
    Effect.gen(function* () {
      const { file, hodei, issue, port } = yield* withTokens()
      const worker = yield* decode("a")
      issue("one")
      yield* register(port, worker)
      yield* register(port, worker)
      rmSync(file)
      yield* register(port, worker)
      assert.deepStrictEqual(proofs(hodei), [
        ["one", ""],
        ["one", ""],
        ["", "session-1"],
        ["", "session-1"]
      ])
    })
  )

  live("come first: a server may remember the session of a worker that it has lost", () =>
    Effect.gen(function* () {
      const { hodei, issue, port } = yield* withTokens()
      const worker = yield* decode("a")
      issue("one")
      yield* register(port, worker)
      issue("two")
      yield* register(port, worker)
      assert.deepStrictEqual(proofs(hodei), [
        ["one", ""],
        ["two", ""]
      ])
      assert.strictEqual(hodei.workers.get("a")?.sessionId, "session-2")
    })
  )

  live("that are refused in words are as refused", () =>
    Effect.gen(function* () {
      const { hodei, issue, port } = yield* withTokens()
      const worker = yield* decode("a")
      issue("one")
      yield* register(port, worker)
      hodei.answerNext({ success: false, message: "token already used" })
      yield* register(port, worker)
      hodei.answerNext({ success: false, message: "no such provider" })
      assert.strictEqual(yield* failure(register(port, worker)), "rejected as not_found")
    })
  )

  live("are used where the server has forgotten the session", () =>
    Effect.gen(function* () {
      const { file, hodei, issue, port } = yield* withTokens()
      const worker = yield* decode("a")
      issue("one")
      yield* register(port, worker)
      hodei.forget()
      issue("two")
      yield* register(port, worker)
      assert.deepStrictEqual(Array.from(hodei.workers.keys()), ["a"])
      hodei.forget()
      rmSync(file)
      const error = yield* Effect.flip(register(port, worker))
      assert.strictEqual(kindOf(error), "fault, retried")
      assert.include(error.message, file)
    })
  )
})

const proofs = ({ received }: HodeiServer) =>
  received.map(({ authToken, sessionId }) => [authToken, sessionId])

describe("what a server answers", () => {
  const cases: ReadonlyArray<readonly [HodeiAnswer, string]> = [
    [{ success: false, message: "scheduler overloaded, try again later" }, "unavailable"],
    [{ success: false, message: "OTP token expired" }, "rejected as token_refused"],
    [{ success: false, message: "memory must be positive" }, "rejected as invalid_argument"],
    [{ success: false, message: "the database is gone" }, "fault, retried"],
    [{ success: false, message: "nope" }, "rejected as refused"],
    [{ success: true, assignedWorkerId: { value: "someone-else" } }, "fault"],
    [{ code: Code.UNAVAILABLE, details: "" }, "unavailable"],
    [{ code: Code.RESOURCE_EXHAUSTED, details: "" }, "unavailable"],
    [{ code: Code.UNAUTHENTICATED, details: "" }, "rejected as unauthenticated"],
    [{ code: Code.INVALID_ARGUMENT, details: "" }, "rejected as invalid_argument"],
    [{ code: Code.FAILED_PRECONDITION, details: "" }, "rejected as failed_precondition"],
    [{ code: Code.INTERNAL, details: "" }, "fault, retried"],
    [{ code: Code.UNIMPLEMENTED, details: "" }, "rejected as unimplemented"]
  ]
  it.live.each(cases)("%j is %s", ([answer, kind]) =>
    Effect.gen(function* () {
      const { hodei, port } = yield* start()
      const worker = yield* decode("a")
      hodei.answerNext(answer)
      assert.strictEqual(yield* failure(register(port, worker)), kind)
      yield* register(port, worker)
    }).pipe(Effect.scoped)
  )

  live("without an id is for the worker that was asked about", () =>
    Effect.gen(function* () {
      const { hodei, port } = yield* start()
      hodei.answerNext({ success: true })
      yield* register(port, yield* decode("a"))
      assert.lengthOf(hodei.received, 1)
    })
  )

  live("to ids that are no UUIDs, where it takes nothing else", () =>
    Effect.gen(function* () {
      const { port } = yield* start({ onlyUuids: true })
      const uuid = yield* decode("0b6cf7e6-1f2d-4f3c-9a51-2d8f8f1f3d77")
      yield* register(port, uuid)
      assert.strictEqual(
        yield* failure(register(port, yield* decode("ci-1"))),
        "rejected as invalid_argument"
      )
    })
  )

  live("is waited for as long as an attempt may take", () =>
    Effect.gen(function* () {
      const silent = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const server = createServer()
          server.listen(0, "127.0.0.1")
          await once(server, "listening")
          return server
        }),
        (server) => Effect.sync(() => server.close())
      )
      const sockets = yield* Queue.unbounded<() => void>()
      silent.on("connection", (socket) => Queue.offerUnsafe(sockets, () => socket.destroy()))
      const address = silent.address()
      assert(address !== null && typeof address === "object")
      const port = yield* portOf(
        Hodei.layer({ addresses: [`127.0.0.1:${address.port}`] }).pipe(
          Layer.provide(RegistrationConfig.layer({ attemptTimeout: "300 millis" }))
        )
      )
      assert.strictEqual(yield* failure(register(port, yield* decode("a"))), "unavailable")
      for (const destroy of yield* Queue.clear(sockets)) destroy()
    })
  )
})

describe("unregistering", () => {
  live("says which worker is gone, and that it is gone with what runs on it", () =>
    Effect.gen(function* () {
      const { hodei, port } = yield* start()
      const worker = yield* decode("a")
      yield* register(port, worker)
      yield* unregister(port, worker)
      assert.deepStrictEqual(hodei.unregistered, [
        { workerId: { value: "a" }, force: true, reason: "unregistered by Muster" }
      ])
      assert.strictEqual(hodei.workers.size, 0)
    })
  )

  live("succeeds where the server does not know the worker", () =>
    Effect.gen(function* () {
      const { hodei, port } = yield* start()
      yield* unregister(port, yield* decode("a"))
      assert.lengthOf(hodei.unregistered, 1)
    })
  )

  live("is rejected where the server cannot", () =>
    Effect.gen(function* () {
      const { port } = yield* start({ without: ["unregisterWorker"] })
      assert.strictEqual(yield* failure(unregister(port, yield* decode("a"))), "rejected as unimplemented")
    })
  )
})

describe("the list", () => {
  const listed = ({ list = Stream.die("no list") }: Port) => Stream.runCollect(list)

  live("is of ids, without those that no worker of Muster can have", () =>
    Effect.gen(function* () {
      const { hodei, port } = yield* start()
      yield* register(port, yield* decode("a"))
      const held = hodei.workers.get("a")
      assert.isDefined(held)
      for (const id of ["", "not an id", "b"]) hodei.workers.set(id, held)
      assert.deepStrictEqual(yield* listed(port), [
        { worker: { id: WorkerId.make("a") } },
        { worker: { id: WorkerId.make("b") } }
      ])
    })
  )

  live("that is only a part of it is none: what is missing would look lost", () =>
    Effect.gen(function* () {
      const { port } = yield* start({ mostListed: 1 })
      yield* register(port, yield* decode("a"))
      assert.lengthOf(yield* listed(port), 1)
      yield* register(port, yield* decode("b"))
      assert.strictEqual(yield* failure(listed(port)), "fault")
    })
  )

  live("is not counted among what the server has once it has said that it cannot", () =>
    Effect.gen(function* () {
      const { port } = yield* start({ without: ["getAvailableWorkers"] })
      assert.isTrue(port.capabilities.has("list"))
      assert.strictEqual(yield* failure(listed(port)), "rejected as unimplemented")
      assert.deepStrictEqual(Array.from(port.capabilities), ["health"])
    })
  )
})

describe("a server of package hodei", () => {
  live("is told of a worker what its fields can hold, and for which job it is", () =>
    Effect.gen(function* () {
      const { hodei, port } = yield* start({ package: "hodei" })
      const capabilities = { memoryMb: 2 ** 40, customResources: { gpu: 2, bandwidth: 2.5 } }
      yield* register(port, yield* decode("a", capabilities, { labels: { "hodei.dev/job-id": "j-1" } }))
      const held = hodei.workers.get("a")
      assert.isDefined(held)
      assert.deepStrictEqual(held.info.capacity, {
        cpuCoresTotal: 8,
        memoryBytesTotal: String(2n ** 60n),
        gpuCountTotal: 2
      })
      assert.deepStrictEqual(hodei.customResources, [{ gpu: 2, bandwidth: 2 }])
      assert.include(held.info.capabilities, "resource:bandwidth=2.5")
      assert.strictEqual(held.jobId, "j-1")
    })
  )

  live("is asked for no other package once it has answered", () =>
    Effect.gen(function* () {
      const { hodei, port } = yield* start({ package: "hodei" })
      const worker = yield* decode("a")
      yield* register(port, worker)
      hodei.answerNext({ code: Code.UNAVAILABLE, details: "" }, { success: false, message: "nope" })
      assert.strictEqual(yield* failure(register(port, worker)), "unavailable")
      assert.strictEqual(yield* failure(register(port, worker)), "rejected as refused")
      assert.lengthOf(hodei.received, 3)
    })
  )
})

describe("hwp", () => {
  const startHwp = Effect.fnUntraced(function* (unregister?: Hodei.HwpUnregister) {
    const hodei = yield* HodeiServer.start()
    return { hodei, port: yield* portOf(Hodei.layerHwp({ addresses: [addressOf(hodei)], unregister })) }
  })

  live("is told everything of a worker in strings", () =>
    Effect.gen(function* () {
      const { hodei, port } = yield* startHwp()
      const worker = yield* decode(
        "a",
        { customResources: { gpu: 8 } },
        { labels: { zone: "eu-1" }, tags: ["spot"] }
      )
      yield* register(port, worker)
      const strings = hodei.registrations.get("a")?.capabilities ?? []
      assert.include(strings, "tag:spot")
      const toJson = Schema.encodeSync(Worker)
      assert.deepStrictEqual(toJson(Option.getOrThrow(fromStrings(worker.id, strings))), toJson(worker))
    })
  )

  live("cannot unregister, and says so", () =>
    Effect.gen(function* () {
      const { port } = yield* startHwp()
      const worker = yield* decode("a")
      yield* register(port, worker)
      const error = yield* Effect.flip(unregister(port, worker))
      assert.strictEqual(kindOf(error), "rejected as not_available")
      assert.include(error.message, "MUSTER_HODEI_HWP_UNREGISTER=leave")
    })
  )

  live("may be left to notice by itself that a worker is gone", () =>
    Effect.gen(function* () {
      const { hodei, port } = yield* startHwp("leave")
      const worker = yield* decode("a")
      yield* register(port, worker)
      yield* unregister(port, worker)
      assert.isTrue(hodei.registrations.has("a"))
    })
  )

  live("is classified by the status of the call, and by whose state it answers", () =>
    Effect.gen(function* () {
      const { hodei, port } = yield* startHwp()
      const worker = yield* decode("a")
      hodei.answerNext(
        { code: Code.INVALID_ARGUMENT, details: "no" },
        { code: Code.UNAVAILABLE, details: "no" }
      )
      assert.strictEqual(yield* failure(register(port, worker)), "rejected as invalid_argument")
      assert.strictEqual(yield* failure(register(port, worker)), "unavailable")
      hodei.answerNext({ assignedWorkerId: { value: "b" } })
      assert.strictEqual(yield* failure(register(port, worker)), "fault")
    })
  )
})

describe("--scheduler", () => {
  const withVariables = (env: Readonly<Record<string, string>>) =>
    ConfigProvider.layer(ConfigProvider.fromEnv({ env }))
  const built = (spec: string, env: Readonly<Record<string, string>> = {}) =>
    portOf(schedulerLayer(spec)).pipe(Effect.provide(withVariables(env)))

  live("hodei:// takes the token from where the variables say", () =>
    Effect.gen(function* () {
      const hodei = yield* HodeiServer.start()
      const print = "console.log(process.argv[1])"
      const command = JSON.stringify([process.execPath, "-e", print, "a token for {id}".replaceAll(" ", "-")])
      const file = join(yield* folder, "a.token")
      writeFileSync(file, "from-a-file")
      for (const env of [
        { MUSTER_HODEI_TOKEN_COMMAND: command },
        { MUSTER_HODEI_TOKEN_COMMAND: `${process.execPath} -p "process.argv[1]+1" words-{id}` },
        { MUSTER_HODEI_TOKEN_FILE: file.replace("a.token", "{id}.token") },
        {}
      ]) {
        yield* register(yield* built(`hodei://${addressOf(hodei)}`, env), yield* decode("a")).pipe(
          Effect.ignore
        )
      }
      assert.deepStrictEqual(
        hodei.received.map(({ authToken }) => authToken),
        ["a-token-for-a", "process.argv[1]+1", "from-a-file", ""]
      )
    })
  )

  live("hodei+hwp:// is the older protocol, with what becomes of an unregistration", () =>
    Effect.gen(function* () {
      const hodei = yield* HodeiServer.start()
      const worker = yield* decode("a")
      const spec = `hodei+hwp://${addressOf(hodei)}`
      assert.strictEqual(yield* failure(unregister(yield* built(spec), worker)), "rejected as not_available")
      yield* unregister(yield* built(spec, { MUSTER_HODEI_HWP_UNREGISTER: "leave" }), worker)
      yield* register(yield* built(spec), worker)
      assert.isTrue(hodei.registrations.has("a"))
    })
  )

  it.live.skipIf(!hasOpenssl)(
    `hodeis:// is encrypted, with a server whose certificate is known${whyNoOpenssl}`,
    () =>
      Effect.gen(function* () {
        const authority = new Authority()
        const { cert, key } = authority.issue({ names: "DNS:hodei.test" }).pem
        const pair = { private_key: Buffer.from(key), cert_chain: Buffer.from(cert) }
        const hodei = yield* HodeiServer.start({ credentials: ServerCredentials.createSsl(null, [pair]) })
        const worker = yield* decode("a")
        const names = { MUSTER_SCHEDULER_SERVER_NAME: "hodei.test" }
        const trusting = { ...names, MUSTER_SCHEDULER_CA: authority.ca }
        for (const scheme of ["hodeis", "hodeis+hwp"]) {
          const spec = `${scheme}://${addressOf(hodei)}`
          assert.strictEqual(yield* failure(register(yield* built(spec, names), worker)), "unavailable")
          yield* register(yield* built(spec, trusting), worker)
        }
        assert.isTrue(hodei.workers.has("a"))
        assert.isTrue(hodei.registrations.has("a"))
      }).pipe(Effect.scoped)
  )

  const wrong: ReadonlyArray<readonly [string, string, Readonly<Record<string, string>>, RegExp]> = [
    ["no port", "hodei://here", {}, /HOST:PORT/],
    [
      "two sources",
      "hodei://h:1",
      { MUSTER_HODEI_TOKEN_FILE: "f", MUSTER_HODEI_TOKEN_COMMAND: "c" },
      /exclude each other/
    ],
    ["no program", "hodei://h:1", { MUSTER_HODEI_TOKEN_COMMAND: "[]" }, /TOKEN_COMMAND must be a program/],
    ["no JSON", "hodei://h:1", { MUSTER_HODEI_TOKEN_COMMAND: "[a" }, /TOKEN_COMMAND must be a program/],
    ["a token for hwp", "hodei+hwp://h:1", { MUSTER_HODEI_TOKEN_FILE: "f" }, /takes no tokens/],
    ["another word", "hodei+hwp://h:1", { MUSTER_HODEI_HWP_UNREGISTER: "no" }, /must be reject or leave/],
    ["no such file", "hodeis://h:1", { MUSTER_SCHEDULER_CA: "/no/such/ca" }, /MUSTER_SCHEDULER_CA/],
    ["half a pair", "hodeis+hwp://h:1", { MUSTER_SCHEDULER_CERT: "/dev/null" }, /go together/]
  ]
  it.live.each(wrong)("%s: %s is wrong usage", ([, spec, env, message]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(built(spec, env))
      assert.strictEqual(error._tag, "WrongUsage")
      assert.match(error.message, message)
    }).pipe(Effect.scoped)
  )
})
