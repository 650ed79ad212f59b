/**
 * The etcd adapter against a real etcd that is killed, full, asks for a password, or is set up otherwise than was
 * thought.
 */
import { assert, describe, it } from "@effect/vitest"
import {
  type SchedulerError,
  type SchedulerFault,
  SchedulerPort,
  Worker,
  WorkerCapabilities,
  WorkerId,
  WorkerMetadata
} from "@muster/core"
import { type EtcdOptions, layer } from "@muster/server/schedulers/Etcd"
import {
  Context,
  Effect,
  Layer,
  Logger,
  Option,
  Redacted,
  Result,
  Schedule,
  type Scope,
  Stream
} from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type EtcdServer, hasEtcd, startEtcd, startEtcdCluster, whyNoEtcd } from "./EtcdServer.ts"

type Port = Required<SchedulerPort["Service"]>

const connect = (
  etcd: EtcdServer,
  options: Partial<EtcdOptions> = {}
): Effect.Effect<Port, never, Scope.Scope> =>
  layer({ addresses: [etcd.address], ...options }).pipe(
    Layer.build,
    Effect.orDie,
    Effect.map((context) => complete(Context.get(context, SchedulerPort)))
  )

const complete = ({
  get,
  health,
  list,
  reconnections = Stream.never,
  registerBatch,
  ...port
}: SchedulerPort["Service"]): Port => {
  assert(get !== undefined && health !== undefined && list !== undefined && registerBatch !== undefined)
  return { ...port, get, health, list, reconnections, registerBatch }
}

const capabilities = WorkerCapabilities.make({ cpuCores: 8, memoryMb: 16_384 })

/** A worker whose JSON has about so many bytes more than it needs. */
const workerOf = (id: string, bytes = 0, letter = "x"): Worker => {
  const labels = Object.fromEntries(
    Array.from({ length: Math.ceil(bytes / 1024) }, (_, index) => [`label-${index}`, letter.repeat(1010)])
  )
  return Worker.make({ id: WorkerId.make(id), capabilities, metadata: WorkerMetadata.make({ labels }) })
}
const workersOf = (count: number, bytes = 0) =>
  Array.from({ length: count }, (_, index) => workerOf(`w${index}`, bytes))
const membersOf = (workers: ReadonlyArray<Worker>, generation = 1) =>
  workers.map((worker) => ({ worker, generation }))

const listedIds = ({ list }: Port) =>
  Effect.map(Stream.runCollect(list), (held) => held.map(({ worker }) => String(worker.id)).toSorted())

/** Asks again and again until it is so; the test's own time-out is the end. */
const eventually = <A, E>(effect: Effect.Effect<A, E>, until: (value: A) => boolean) =>
  Effect.repeat(effect, { schedule: Schedule.spaced("50 millis"), until })

/** What was logged as warnings while this ran. */
const warningsOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn") warnings.push(String(message))
  })
  return Effect.map(Effect.provide(effect, Logger.layer([logger])), (value) => ({ value, warnings }))
}

describe.skipIf(!hasEtcd)(`a real etcd${whyNoEtcd}`, () => {
  it.live("that is killed is unavailable, and goes on with what it had when it is back", () =>
    Effect.gen(function* () {
      const etcd = yield* startEtcd()
      const port = yield* connect(etcd)
      yield* port.registerBatch(membersOf(workersOf(3), 10))
      yield* port.unregister(WorkerId.make("w2"), { generation: 20 })
      yield* etcd.kill
      const calls = [
        port.register(workerOf("w0"), { generation: 11 }),
        port.unregister(WorkerId.make("w0"), { generation: 11 }),
        port.get(WorkerId.make("w0")),
        Stream.runDrain(port.list),
        port.health
      ]
      for (const call of calls) assert.strictEqual((yield* Effect.flip(call))._tag, "SchedulerUnavailable")
      const [result] = yield* port.registerBatch(membersOf(workersOf(1), 11))
      assert(result !== undefined && Result.isFailure(result))
      assert.strictEqual(result.failure._tag, "SchedulerUnavailable")

      yield* etcd.start
      const registered = port.register(workerOf("w0"), { generation: 12 })
      yield* eventually(Effect.result(registered), Result.isSuccess)
      assert.deepStrictEqual(yield* listedIds(port), ["w0", "w1"])
      // It remembers who has gone; that somebody is gone cannot be too late.
      yield* port.unregister(WorkerId.make("w2"), { generation: 15 })
      const late = yield* Effect.flip(port.register(workerOf("w2"), { generation: 15 }))
      assert(late._tag === "SchedulerRejected" && late.isOlderGeneration)
      assert.strictEqual(late.message, "generation 15 is older than 20, which the scheduler already has")
    })
  )

  it.live(
    "of three members is spoken to by way of those that are there, and is unavailable without most of them",
    () =>
      Effect.gen(function* () {
        const cluster = yield* startEtcdCluster(3)
        const [first, second, third] = cluster
        assert(first !== undefined && second !== undefined && third !== undefined)
        const port = yield* connect(first, { addresses: cluster.map(({ address }) => address) })
        let generation = 0
        const register = Effect.suspend(() => port.register(workerOf("w0"), { generation: ++generation }))
        yield* register
        yield* first.kill
        yield* eventually(Effect.result(register), Result.isSuccess)
        yield* second.kill
        assert.strictEqual((yield* Effect.flip(register))._tag, "SchedulerUnavailable")
        // It may believe for a moment that it still leads; then it says that it does not, instead of waiting.
        const alone = (yield* connect(third)).get(WorkerId.make("w0"))
        const failure = yield* eventually(Effect.flip(alone), ({ message }) => message.includes("no leader"))
        assert.strictEqual(failure._tag, "SchedulerUnavailable")
        yield* second.start
        yield* eventually(Effect.result(register), Result.isSuccess)
        assert.deepStrictEqual(yield* listedIds(port), ["w0"])
      })
  )

  it.live("that has lost its data takes all calls, also those that need a lease it had", () =>
    Effect.gen(function* () {
      const etcd = yield* startEtcd()
      const port = yield* connect(etcd, { lease: "1 hour" })
      yield* port.register(workerOf("w0"), { generation: 10 })
      yield* port.unregister(WorkerId.make("w1"), { generation: 10 })
      yield* etcd.kill
      yield* etcd.loseData
      yield* etcd.start
      yield* eventually(Effect.result(port.health), Result.isSuccess)
      assert.deepStrictEqual(yield* listedIds(port), [])
      yield* port.unregister(WorkerId.make("w1"), { generation: 9 })
      yield* port.register(workerOf("w0"), { generation: 9 })
      assert.deepStrictEqual(yield* listedIds(port), ["w0"])
    })
  )

  it.live("whose quota is full is unavailable and degraded, says why, and goes on when there is room", () =>
    Effect.gen(function* () {
      const etcd = yield* startEtcd({ "quota-backend-bytes": String(2 ** 20) })
      const port = yield* connect(etcd)
      const members = membersOf(workersOf(20, 100 * 1024))
      assert.isTrue((yield* port.registerBatch(members)).every(Result.isSuccess))
      // etcd looks at the size that its file has, which follows.
      yield* eventually(port.registerBatch(members), (results) => results.some(Result.isFailure))
      const failure = yield* Effect.flip(port.register(workerOf("one-more"), { generation: 3 }))
      assert.strictEqual(failure._tag, "SchedulerUnavailable")
      assert.match(failure.message, /database space exceeded \(compact and defragment etcd, /)
      // A worker that is gone is taken away at once; that this is remembered needs room.
      const { id } = workerOf("w0")
      assert.strictEqual(
        (yield* Effect.flip(port.unregister(id, { generation: 3 })))._tag,
        "SchedulerUnavailable"
      )
      assert.deepStrictEqual(yield* port.get(id), Option.none())
      const health = yield* port.health
      assert.strictEqual(health.status, "degraded")
      assert.match(health.message ?? "", /^etcd 3\.\d+\.\d+ says: .*NOSPACE/)

      yield* etcd.remove("/muster/")
      const { header } = yield* etcd.post("/kv/range", { key: "eA==" })
      yield* etcd.post("/kv/compaction", { revision: header.revision, physical: true })
      yield* etcd.post("/maintenance/defragment", {})
      yield* etcd.post("/maintenance/alarm", {
        action: "DEACTIVATE",
        memberID: header.member_id,
        alarm: "NOSPACE"
      })
      yield* port.register(workerOf("one-more"), { generation: 3 })
      assert.deepStrictEqual(yield* port.health, { status: "healthy" })
    })
  )

  it.live("lets workers go when their lease has ended, and takes them in again under a new one", () =>
    Effect.gen(function* () {
      const etcd = yield* startEtcd()
      const options = { lease: "5 seconds", prefix: "/leased" } as const
      yield* connect(etcd, options).pipe(
        Effect.flatMap((port) => port.register(workerOf("w0"), { generation: 10 })),
        Effect.scoped
      )
      // Its time is a little longer than what was asked for, and nobody renews it any more.
      assert.deepStrictEqual(yield* listedIds(yield* connect(etcd, { prefix: "/leased" })), ["w0"])
      yield* eventually(etcd.values("/leased/"), ({ size }) => size === 0)

      const { warnings } = yield* warningsOf(
        Effect.gen(function* () {
          const again = yield* connect(etcd, options)
          yield* again.register(workerOf("w0"), { generation: 9 })
          const [id] = yield* etcd.leases
          assert.isDefined(id)
          // Revoked, it is as one that has ended while etcd could not be reached.
          yield* etcd.post("/lease/revoke", { ID: id })
          assert.deepStrictEqual(yield* listedIds(again), [])
          yield* again.register(workerOf("w1"), { generation: 9 })
          assert.deepStrictEqual(yield* listedIds(again), ["w1"])
          assert.deepStrictEqual(yield* etcd.leases, [id])
        })
      )
      assert.deepStrictEqual(warnings, ["The lease of the workers of /leased is missing, and they with it"])
    })
  )

  it.live("keeps workers while their lease is renewed, also by the next process, which finds it", () =>
    Effect.gen(function* () {
      const etcd = yield* startEtcd()
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const port = yield* connect(etcd, { lease: "5 seconds" })
          yield* port.register(workerOf("w0"), { generation: 10 })
          return yield* etcd.leases
        })
      )
      assert.lengthOf(first, 1)
      const { warnings } = yield* warningsOf(
        Effect.gen(function* () {
          yield* connect(etcd, { lease: "5 seconds" })
          const left = Effect.map(etcd.post("/lease/timetolive", { ID: first[0] }), ({ TTL }) => Number(TTL))
          yield* eventually(left, (seconds) => seconds <= 3)
          yield* eventually(left, (seconds) => seconds > 3)
          assert.deepStrictEqual(yield* etcd.leases, first)
          // Another duration does not change a lease that is there, but is said.
          const port = yield* connect(etcd, { lease: "1 minute" })
          yield* port.register(workerOf("w1"), { generation: 10 })
          assert.deepStrictEqual(yield* etcd.leases, first)
        })
      )
      assert.deepStrictEqual(warnings, [
        "The lease of the workers of /muster was granted for 5 seconds; it stays so until it has ended"
      ])
    })
  )

  it.live(
    "with authentication is signed in to, again when it has forgotten that, and never tells the password",
    () =>
      Effect.gen(function* () {
        const etcd = yield* startEtcd()
        yield* etcd.post("/auth/user/add", { name: "root", password: "root-password" })
        yield* etcd.post("/auth/user/grant", { user: "root", role: "root" })
        yield* etcd.post("/auth/role/add", { name: "muster" })
        yield* etcd.post("/auth/role/grant", {
          name: "muster",
          perm: { permType: "READWRITE", key: btoa("/muster/"), range_end: btoa("/muster0") }
        })
        yield* etcd.post("/auth/user/add", { name: "muster", password: "first-secret" })
        yield* etcd.post("/auth/user/grant", { user: "muster", role: "muster" })

        const directory = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-etcd-password-"))),
          (path) => Effect.sync(() => rmSync(path, { recursive: true }))
        )
        const file = join(directory, "password")
        writeFileSync(file, "first-secret\n")
        const port = yield* connect(etcd, { user: { name: "muster", password: { file } } })
        // A password that nobody asks for does no harm, and is used when it is asked for.
        yield* port.register(workerOf("w0"), { generation: 10 })
        yield* etcd.post("/auth/enable", {})
        yield* port.register(workerOf("w1"), { generation: 10 })
        assert.deepStrictEqual(yield* listedIds(port), ["w0", "w1"])
        assert.deepStrictEqual(yield* port.health, { status: "healthy" })

        // Its tokens are gone with the process, and the password is another one now.
        const { token } = yield* etcd.post("/auth/authenticate", { name: "root", password: "root-password" })
        yield* etcd.post("/auth/user/changepw", { name: "muster", password: "second-secret" }, token)
        yield* etcd.kill
        yield* etcd.start
        const refused = yield* eventually(
          Effect.flip(port.register(workerOf("w2"), { generation: 10 })),
          isFault
        )
        assert.match(refused.message, /authentication failed, .* \(check MUSTER_SCHEDULER_USER/)
        assert.isTrue(isFault(refused) && refused.retryable)
        assert.notInclude(JSON.stringify(refused), "first-secret")
        writeFileSync(file, "second-secret\n")
        yield* port.register(workerOf("w2"), { generation: 10 })

        const password = Redacted.make("second-secret")
        const elsewhere = yield* connect(etcd, { user: { name: "muster", password }, prefix: "/elsewhere" })
        const denied = yield* Effect.flip(elsewhere.register(workerOf("w0"), { generation: 10 }))
        assert.isTrue(isFault(denied) && denied.retryable)
        assert.match(denied.message, /permission denied \(grant the user's role/)

        const nobody = yield* connect(etcd)
        const unknown = yield* Effect.flip(nobody.register(workerOf("w3"), { generation: 10 }))
        assert.match(unknown.message, /user name is empty \(check MUSTER_SCHEDULER_USER/)
      })
  )

  it.live(
    "that takes fewer operations in a transaction, or fewer bytes, than was thought gets smaller ones",
    () =>
      Effect.gen(function* () {
        const etcd = yield* startEtcd({ "max-txn-ops": "16", "max-request-bytes": String(64 * 1024) })
        const port = yield* connect(etcd)
        const workers = workersOf(150)
        assert.isTrue((yield* port.registerBatch(membersOf(workers))).every(Result.isSuccess))
        assert.lengthOf(yield* listedIds(port), 150)

        const mixed = [...workersOf(20, 10 * 1024), workerOf("too-large", 100 * 1024), workerOf("small")]
        const results = yield* port.registerBatch(membersOf(mixed, 2))
        const failures = results.flatMap((result, index) =>
          Result.isFailure(result) ? [{ index, error: result.failure }] : []
        )
        assert.lengthOf(failures, 1)
        const [failure] = failures
        assert(failure?.error._tag === "SchedulerRejected")
        assert.strictEqual(failure.index, 20)
        assert.strictEqual(failure.error.code, "too_large")
        assert.match(failure.error.message, /needs a larger --max-request-bytes of etcd/)
        // Much too large is refused by the server's gRPC before etcd sees it.
        const huge = yield* Effect.flip(port.register(workerOf("huge", 250 * 1024, "漢"), { generation: 2 }))
        assert(huge._tag === "SchedulerRejected")
        assert.strictEqual(huge.code, "too_large")
      })
  )

  it.live("lists at one moment, in answers as large as may be, and begins anew when that is compacted", () =>
    Effect.gen(function* () {
      const etcd = yield* startEtcd({ "max-request-bytes": String(8 * 2 ** 20) })
      const port = yield* connect(etcd)
      yield* port.registerBatch(membersOf(workersOf(1500)))
      const change = Effect.gen(function* () {
        yield* port.unregister(WorkerId.make("w999"), { generation: 2 })
        yield* port.register(workerOf("w9999"), { generation: 2 })
      })
      let seen = 0
      const during = Stream.tap(port.list, () => (seen++ === 0 ? change : Effect.void))
      const ids = (yield* Stream.runCollect(during)).map(({ worker }) => String(worker.id))
      assert.sameMembers(
        ids,
        workersOf(1500).map(({ id }) => String(id))
      )
      assert.include(yield* listedIds(port), "w9999")
      assert.notInclude(yield* listedIds(port), "w999")

      const { header } = yield* etcd.post("/kv/range", { key: "eA==" })
      const compaction = Effect.andThen(
        change,
        etcd.post("/kv/compaction", { revision: Number(header.revision) + 2 })
      )
      yield* port.register(workerOf("w999"), { generation: 2 })
      seen = 0
      const cut = Stream.tap(port.list, () => (seen++ === 0 ? compaction : Effect.void))
      const failure = yield* Effect.flip(Stream.runDrain(cut))
      assert.strictEqual(failure._tag, "SchedulerUnavailable")
      assert.match(failure.message, /has been compacted/)

      // A page of a thousand of these would be more than a message may be.
      const large = yield* port.registerBatch(membersOf(workersOf(450, 250 * 1024), 3))
      assert.isTrue(large.every(Result.isSuccess))
      assert.lengthOf(yield* listedIds(port), 1500)
    })
  )

  it.live("may hold other things among the workers: they are left out, and said", () =>
    Effect.gen(function* () {
      const etcd = yield* startEtcd()
      const port = yield* connect(etcd)
      yield* port.register(workerOf("w0"), { generation: 1 })
      yield* etcd.put("/muster/workers/notes", "not a worker")
      yield* etcd.put("/muster/workers/w1", JSON.stringify({ worker: { id: "w1", capabilities } }))
      yield* etcd.put("/muster/generations/w2", "x")
      const { value, warnings } = yield* warningsOf(listedIds(port))
      assert.deepStrictEqual(value, ["w0", "w1"])
      assert.deepStrictEqual(warnings, ["1 key among the workers in etcd holds no worker; left out"])
      assert.strictEqual((yield* Effect.flip(port.get(WorkerId.make("notes"))))._tag, "SchedulerFault")
      assert.isUndefined(Option.getOrThrow(yield* port.get(WorkerId.make("w1"))).generation)
      const fault = yield* Effect.flip(port.register(workerOf("w2"), { generation: 1 }))
      assert(isFault(fault))
      assert.match(fault.message, /somebody else has written it/)
    })
  )
})

const isFault = (error: SchedulerError): error is SchedulerFault => error._tag === "SchedulerFault"
