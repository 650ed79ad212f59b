import { assert, describe, it } from "@effect/vitest"
import { schedulerPortContract, TestScheduler, workerArbitrary } from "@muster/testing"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Logger, Option, Result, Schema, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { EmbeddedScheduler } from "../EmbeddedScheduler.ts"
import { RegistrationConfig } from "../RegistrationConfig.ts"
import {
  type SchedulerError,
  SchedulerFault,
  SchedulerRejected,
  SchedulerUnavailable
} from "../SchedulerError.ts"
import { type BatchMember, SchedulerPort } from "../SchedulerPort.ts"
import { Worker, WorkerCapabilities, WorkerId, WorkerMetadata } from "../Worker.ts"
import { WorkerRegistration } from "../WorkerRegistration.ts"
import { MicroBatching, type MicroBatchingOptions } from "./MicroBatching.ts"

const { always, applyThen, delay, die, fail, hang } = TestScheduler

const capabilities = new WorkerCapabilities({ cpuCores: 8, memoryMb: 16384 })
const named = (id: string, labels: Record<string, string> = {}) =>
  new Worker({ id: WorkerId.make(id), capabilities, metadata: new WorkerMetadata({ labels }) })

const refused = new SchedulerUnavailable({ message: "connection refused" })
const rejected = new SchedulerRejected({ message: "no such pool" })

type Port = Required<SchedulerPort["Service"]>
type BatchAnswer = ReturnType<Port["registerBatch"]>

/**
 * The policy over a scheduler whose calls are written down as they begin: `a` is one of worker a, `a+b` a batch.
 * `batch`, if it is given, takes the place of the scheduler's own `registerBatch`.
 */
const make = (
  options: MicroBatchingOptions = {},
  batch?: (members: ReadonlyArray<BatchMember>, answer: BatchAnswer) => BatchAnswer
) => {
  const scheduler = TestScheduler.make()
  const calls: Array<string> = []
  const { register, registerBatch } = scheduler.port
  assert(registerBatch !== undefined)
  const port = MicroBatching.make(options)({
    ...scheduler.port,
    register: (worker, options) => {
      calls.push(worker.id)
      return register(worker, options)
    },
    registerBatch: (members) => {
      calls.push(members.map(({ worker }) => worker.id).join("+"))
      const answer = registerBatch(members)
      return batch === undefined ? answer : batch(members, answer)
    }
  })
  let generation = 0
  const call = (id: string) => port.register(named(id), { generation: ++generation })
  /** Makes a call of each worker, in this order, and lets everything happen that takes no time. */
  const begin = (...ids: ReadonlyArray<string>) =>
    Effect.forEach(ids, (id) => Effect.forkChild(call(id), { startImmediately: true })).pipe(
      Effect.tap(() => settle)
    )
  return { begin, call, calls, port, scheduler }
}

const settle = Effect.repeat(Effect.yieldNow, { times: 50 })

/** What the members of a batch whose worker is `poison` do to it. */
const poisonedBy =
  (poison: string, answer: BatchAnswer) => (members: ReadonlyArray<BatchMember>, own: BatchAnswer) =>
    members.some(({ worker }) => worker.id === poison) ? answer : own

const join = (fibers: ReadonlyArray<Fiber.Fiber<void, SchedulerError>>) =>
  Effect.forEach(fibers, (fiber) => Effect.result(Fiber.join(fiber)))

const pending = (fibers: ReadonlyArray<Fiber.Fiber<void, SchedulerError>>) =>
  fibers.map((fiber) => fiber.pollUnsafe() === undefined)

describe("MicroBatching", () => {
  describe("gathers", () => {
    it.effect("calls of the same moment into one batch, in their order and with their generations", () =>
      Effect.gen(function* () {
        const { begin, calls, scheduler } = make()
        assert.deepStrictEqual(yield* join(yield* begin("c", "a", "b")), [
          Result.void,
          Result.void,
          Result.void
        ])
        assert.deepStrictEqual(calls, ["c+a+b"])
        const held = yield* scheduler.workers
        assert.deepStrictEqual(
          held.map(({ generation, worker }) => `${worker.id} at ${generation}`),
          ["c at 1", "a at 2", "b at 3"]
        )
      })
    )

    it.effect("nobody with a lone call, which goes out as a plain registration in the same tick", () =>
      Effect.gen(function* () {
        const { call, calls } = make()
        const fiber = yield* Effect.forkChild(call("a"), { startImmediately: true })
        yield* Effect.yieldNow
        assert.deepStrictEqual(calls, ["a"])
        assert.isDefined(fiber.pollUnsafe())
      })
    )

    it.effect("nothing before a call is run", () =>
      Effect.gen(function* () {
        const { call, calls } = make()
        call("a")
        yield* settle
        assert.deepStrictEqual(calls, [])
      })
    )

    it.effect("the next calls of those who were answered together", () =>
      Effect.gen(function* () {
        const { call, calls, scheduler } = make()
        yield* scheduler.onEvery("registerBatch", [always(delay("1 second"))])
        const ids = Array.from({ length: 100 }, (_, index) => `ci-${index}`)
        const all = yield* Effect.forkChild(Effect.forEach(ids, call, { concurrency: 10 }))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(all)
        assert.lengthOf(calls, 10)
        assert.strictEqual(calls[9], ids.slice(90).join("+"))
      })
    )

    it.effect("those who come while as many calls are under way as are allowed, until one has ended", () =>
      Effect.gen(function* () {
        const { begin, calls, scheduler } = make({ concurrency: 2 })
        yield* scheduler.onRegister("slow", [hang])
        yield* scheduler.onRegister("b", [delay("1 second")])
        const slow = yield* begin("slow", "a")
        yield* begin("b")
        const waiting = [...(yield* begin("c")), ...(yield* begin("d")), ...(yield* begin("e"))]
        assert.deepStrictEqual(calls, ["slow+a", "b"])

        yield* TestClock.adjust("1 second")
        yield* settle
        assert.deepStrictEqual(calls, ["slow+a", "b", "c+d+e"])
        assert.deepStrictEqual(pending([...slow, ...waiting]), [true, true, false, false, false])
      })
    )

    it.effect("no more members than are allowed", () =>
      Effect.gen(function* () {
        const { begin, calls } = make({ maxMembers: 3 })
        yield* join(yield* begin(..."abcdefg"))
        assert.deepStrictEqual(calls, ["a+b+c", "d+e+f", "g"])
      })
    )

    it.effect("at most 128 members, in at most 4 calls at the same time, unless it is told otherwise", () =>
      Effect.gen(function* () {
        const { begin, calls, scheduler } = make()
        yield* scheduler.onEvery("registerBatch", [always(delay("1 second"))])
        yield* begin(...Array.from({ length: 1000 }, (_, index) => `ci-${index}`))
        assert.deepStrictEqual(
          calls.map((call) => call.split("+").length),
          [128, 128, 128, 128]
        )
      })
    )

    const bytes = (members: ReadonlyArray<BatchMember>) =>
      new TextEncoder().encode(
        JSON.stringify(
          members.map(({ generation, worker }) => ({ worker: Schema.encodeSync(Worker)(worker), generation }))
        )
      ).length

    it.effect("no more bytes than are allowed, and a worker of more than that alone", () =>
      Effect.gen(function* () {
        const { calls, port } = make({ maxBytes: 5_000 })
        const large = Object.fromEntries(Array.from("123456789", (name) => [name, "x".repeat(1_000)]))
        const workers = ["a", "b", "c", "d"].map((id) =>
          named(id, id === "c" ? large : { text: "x".repeat(1_000) })
        )
        yield* Effect.forEach(workers, (worker) => port.register(worker, { generation: 1 }), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(calls, ["a+b", "c", "d"])
      })
    )

    it.effect.each(["x", "é", "\u6f22", "\u{1f600}", '"', "\\", "\n", "\u0001"])(
      "no more bytes than are allowed, whatever they are written in: %j",
      (character) =>
        Effect.gen(function* () {
          const workers = [
            named("a", { text: character.repeat(500) }),
            named("b", { text: character.repeat(500) })
          ]
          const size = bytes(workers.map((worker) => ({ worker, generation: 1 })))
          const together = (maxBytes: number) =>
            Effect.gen(function* () {
              const { calls, port } = make({ maxBytes })
              yield* Effect.forEach(workers, (worker) => port.register(worker, { generation: 1 }), {
                concurrency: "unbounded"
              })
              return calls
            })
          assert.deepStrictEqual(yield* together(size - 1), ["a", "b"])
          assert.deepStrictEqual(yield* together(4 * size), ["a+b"])
        })
    )

    it.effect.prop(
      "no more bytes than are allowed, whatever the workers are",
      [workerArbitrary],
      ([worker]) =>
        Effect.gen(function* () {
          const sizes: Array<number> = []
          const { port } = make({ maxBytes: 4_000 }, (members, answer) => {
            sizes.push(bytes(members))
            return answer
          })
          const register = port.register(worker, { generation: Number.MAX_SAFE_INTEGER })
          yield* Effect.replicateEffect(register, 8, { concurrency: "unbounded" })
          assert.isTrue(sizes.every((size) => size <= 4_000))
        })
    )

    it.effect("one batch in each tick, though the scheduler answers at once: others get a turn", () =>
      Effect.gen(function* () {
        const { call, calls } = make()
        const ids = Array.from({ length: 1000 }, (_, index) => `ci-${index}`)
        const all = yield* Effect.forkChild(Effect.forEach(ids, call, { concurrency: 2 }))
        yield* settle
        assert.isAtMost(calls.length, 50)
        yield* Fiber.join(all)
        assert.lengthOf(calls, 500)
      })
    )
  })

  describe("answers", () => {
    it.effect("each member with its own result", () =>
      Effect.gen(function* () {
        const { begin, calls, scheduler } = make()
        yield* scheduler.onRegister("b", [fail(rejected)])
        yield* scheduler.onRegister("d", [fail(refused)])
        assert.deepStrictEqual(yield* join(yield* begin("a", "b", "c", "d")), [
          Result.void,
          Result.fail(rejected),
          Result.void,
          Result.fail(refused)
        ])
        assert.deepStrictEqual(calls, ["a+b+c+d"])
      })
    )

    it.effect("a lone call with whatever becomes of it", () =>
      Effect.gen(function* () {
        const { begin, scheduler } = make()
        yield* scheduler.onRegister("a", [fail(rejected), die("boom")])
        assert.deepStrictEqual(yield* join(yield* begin("a")), [Result.fail(rejected)])
        const [dying] = yield* begin("a")
        assert.deepStrictEqual(dying?.pollUnsafe(), Exit.die("boom"))
        assert.deepStrictEqual(yield* join(yield* begin("a")), [Result.void])
      })
    )
  })

  describe("a batch that fails as a whole", () => {
    const hostile = (answer: unknown): BatchAnswer =>
      Effect.map(Effect.succeed(answer), (any) => JSON.parse(String(any)))
    const failures: ReadonlyArray<readonly [string, BatchAnswer]> = [
      ["a rejection", Effect.fail(rejected)],
      [
        "a fault that is not to be retried",
        Effect.fail(new SchedulerFault({ message: "?", retryable: false }))
      ],
      ["a defect", Effect.die("boom")],
      ["a defect beside an error", Effect.failCause(Cause.combine(Cause.fail(refused), Cause.die("boom")))],
      ["an interruption from inside", Effect.interrupt],
      ["too few results", Effect.succeed([Result.void])],
      ["too many results", Effect.succeed(Array.from({ length: 200 }, () => Result.void))],
      ["results that are none", hostile("[1,2,3,4,5,6,7,8]")],
      ["something else", hostile("null")]
    ]
    it.effect.each(failures)("with %s is tried in halves: only the poisonous member fails", ([, failure]) =>
      Effect.gen(function* () {
        const { begin, calls, scheduler } = make({}, poisonedBy("f", failure))
        yield* scheduler.onRegister("f", [fail(rejected)])
        const results = yield* join(yield* begin(..."abcdefgh"))
        assert.deepStrictEqual(
          results,
          Array.from("abcdefgh", (id) => (id === "f" ? Result.fail(rejected) : Result.void))
        )
        assert.deepStrictEqual(calls, ["a+b+c+d+e+f+g+h", "a+b+c+d", "e+f+g+h", "e+f", "e", "f", "g+h"])
      }).pipe(Effect.provide(Logger.layer([])))
    )

    it.effect("because its adapter throws is tried in halves too", () =>
      Effect.gen(function* () {
        const { begin, scheduler } = make({}, () => {
          throw new Error("not even an Effect")
        })
        yield* scheduler.onRegister("b", [die("boom")])
        const fibers = yield* begin("a", "b", "c")
        assert.deepStrictEqual(
          fibers.map((fiber) => fiber.pollUnsafe()),
          [Exit.void, Exit.die("boom"), Exit.void]
        )
      }).pipe(Effect.provide(Logger.layer([])))
    )

    it.effect("costs 14 calls more where 128 have one poisonous member, one after another", () =>
      Effect.gen(function* () {
        const { begin, calls, scheduler } = make({}, poisonedBy("ci-77", Effect.fail(rejected)))
        yield* scheduler.onEvery("registerBatch", [always(delay("1 second"))])
        const fibers = yield* begin(...Array.from({ length: 128 }, (_, index) => `ci-${index}`))
        yield* TestClock.adjust("1 minute")
        assert.isTrue((yield* join(fibers)).every(Result.isSuccess))
        assert.lengthOf(calls, 15)
        assert.strictEqual(yield* scheduler.peakConcurrency, 1)
      }).pipe(Effect.provide(Logger.layer([])))
    )

    it.effect("does not hold up other calls meanwhile", () =>
      Effect.gen(function* () {
        const { begin } = make({}, poisonedBy("b", Effect.delay(Effect.fail(rejected), "1 second")))
        const poisoned = yield* begin("a", "b", "c")
        const others = yield* begin("d", "e")
        assert.deepStrictEqual(pending([...poisoned, ...others]), [true, true, true, false, false])
      })
    )

    it.effect("is logged once, since its members may all succeed", () =>
      Effect.gen(function* () {
        const messages: Array<unknown> = []
        const logger = Logger.make(({ logLevel, message }) => void messages.push(logLevel, message))
        const { begin } = make({}, poisonedBy("a", Effect.fail(rejected)))
        yield* Effect.provide(begin(..."abcdefgh"), Logger.layer([logger]))
        assert.deepStrictEqual(messages, [
          "Warn",
          ["A batch of 8 registrations failed as a whole and is tried in halves: no such pool"]
        ])
      })
    )

    const away: ReadonlyArray<SchedulerError> = [
      refused,
      new SchedulerFault({ message: "502 Bad Gateway", retryable: true })
    ]
    it.effect.each(away)(
      "because the scheduler is away fails all members at once, with one call: %s",
      (error) =>
        Effect.gen(function* () {
          const { begin, calls } = make({}, () => Effect.fail(error))
          assert.deepStrictEqual(
            yield* join(yield* begin("a", "b", "c")),
            [1, 2, 3].map(() => Result.fail(error))
          )
          assert.deepStrictEqual(calls, ["a+b+c"])
        })
    )

    it.effect("is given up, rest and all, when the scheduler goes away while its halves are tried", () =>
      Effect.gen(function* () {
        const { begin, calls, scheduler } = make()
        yield* scheduler.onEvery("registerBatch", [fail(rejected), always(fail(refused))])
        const results = yield* join(yield* begin(..."abcdefgh"))
        assert.isTrue(results.every((result) => Result.isFailure(result) && result.failure === refused))
        assert.lengthOf(calls, 2)
      }).pipe(Effect.provide(Logger.layer([])))
    )
  })

  describe("an interrupted caller", () => {
    it.effect("is withdrawn while it waits", () =>
      Effect.gen(function* () {
        const { begin, calls, scheduler } = make({ concurrency: 1 })
        yield* scheduler.onRegister("a", [delay("1 second")])
        yield* begin("a")
        const [b, c, d] = yield* begin("b", "c", "d")
        assert(b !== undefined && c !== undefined && d !== undefined)
        yield* Fiber.interrupt(c)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* join([b, d]), [Result.void, Result.void])
        assert.deepStrictEqual(calls, ["a", "b+d"])
      })
    )

    it.effect("is withdrawn in the tick of its call, though nobody else waits", () =>
      Effect.gen(function* () {
        const { call, calls } = make()
        const fiber = yield* Effect.forkChild(call("a"), { startImmediately: true })
        yield* Fiber.interrupt(fiber)
        yield* settle
        assert.deepStrictEqual(calls, [])
      })
    )

    it.effect("leaves a batch under way to the others", () =>
      Effect.gen(function* () {
        const { begin, scheduler } = make()
        yield* scheduler.onEvery("registerBatch", [delay("1 second")])
        const [a, b, c] = yield* begin("a", "b", "c")
        assert(a !== undefined && b !== undefined && c !== undefined)
        yield* Fiber.interrupt(b)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* join([a, c]), [Result.void, Result.void])
      })
    )

    it.effect("interrupts the call when nobody else waits for it, and makes room for the next", () =>
      Effect.gen(function* () {
        const { begin, scheduler } = make({ concurrency: 1 })
        yield* scheduler.onEvery("registerBatch", [hang])
        const hanging = yield* begin("a", "b")
        const next = yield* begin("c")
        yield* Fiber.interruptAll(hanging)
        yield* settle
        assert.deepStrictEqual(
          (yield* scheduler.calls).map(({ outcome }) => outcome),
          ["interrupted", "succeeded"]
        )
        assert.deepStrictEqual(yield* join(next), [Result.void])
      })
    )

    it.effect("waits for the end of the call that it was the last one of, but the others do not", () =>
      Effect.gen(function* () {
        const stopped = yield* Deferred.make<void>()
        const { begin } = make({ concurrency: 1 }, (_, answer) =>
          Effect.andThen(
            Effect.onInterrupt(Effect.never, () => Deferred.await(stopped)),
            answer
          )
        )
        const [a, b] = yield* begin("a", "b")
        assert(a !== undefined && b !== undefined)
        const next = yield* begin("c")
        yield* Fiber.interrupt(a)
        const interrupting = yield* Effect.forkChild(Fiber.interrupt(b))
        yield* settle
        assert.isUndefined(interrupting.pollUnsafe())
        assert.deepStrictEqual(yield* join(next), [Result.void])
        yield* Deferred.succeed(stopped, undefined)
        yield* Fiber.join(interrupting)
      })
    )

    it.effect("leaves a call behind whose late end changes nothing for the rest of its batch", () =>
      Effect.gen(function* () {
        const stopped = yield* Deferred.make<void>()
        const { begin, calls } = make({ concurrency: 1 }, (members, answer) => {
          if (members.length > 2) return Effect.fail(rejected)
          return members[0]?.worker.id === "a"
            ? Effect.onInterrupt(Effect.never, () => Deferred.await(stopped))
            : Effect.delay(answer, "1 second")
        })
        const [a, b, ...rest] = yield* begin("a", "b", "c", "d")
        assert(a !== undefined && b !== undefined)
        rest.push(...(yield* begin("e")))
        yield* Effect.forkChild(Fiber.interruptAll([a, b]))
        yield* settle
        yield* Deferred.succeed(stopped, undefined)
        yield* settle
        assert.deepStrictEqual(calls, ["a+b+c+d", "a+b", "c+d"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* join(rest), [Result.void, Result.void, Result.void])
      }).pipe(Effect.provide(Logger.layer([])))
    )

    it.effect("may be interrupted by the adapter itself, as it begins", () =>
      Effect.gen(function* () {
        const callers: Array<Fiber.Fiber<void, SchedulerError>> = []
        const { begin, call, scheduler } = make({ concurrency: 1 }, () =>
          Effect.suspend(() => {
            callers.forEach((caller) => caller.interruptUnsafe())
            return Effect.never
          })
        )
        callers.push(yield* Effect.forkChild(call("a"), { startImmediately: true }))
        callers.push(yield* Effect.forkChild(call("b"), { startImmediately: true }))
        yield* settle
        assert.deepStrictEqual(pending(callers), [false, false])
        assert.deepStrictEqual(yield* join(yield* begin("c")), [Result.void])
        assert.strictEqual(yield* scheduler.peakConcurrency, 1)
      })
    )

    it.effect("may be interrupted by its own call, and its batch still goes on one call after another", () =>
      Effect.gen(function* () {
        const calls: Array<string> = []
        const port = MicroBatching.make({ concurrency: 1 })(
          SchedulerPort.make({
            register: ({ id }) => {
              calls.push(id)
              return Effect.delay(id === "a" ? Effect.interrupt : Effect.void, "1 second")
            },
            unregister: () => Effect.void,
            registerBatch: () => Effect.fail(rejected)
          })
        )
        const begin = (id: string) =>
          Effect.forkChild(port.register(named(id), { generation: 1 }), { startImmediately: true })
        const [a] = yield* Effect.all([begin("a"), begin("b"), begin("c")])
        yield* settle
        const next = yield* begin("d")
        yield* TestClock.adjust("1 second")
        yield* settle
        const exit = a.pollUnsafe()
        assert.isTrue(exit !== undefined && Exit.hasInterrupts(exit))
        assert.deepStrictEqual(calls, ["a", "b"])
        yield* TestClock.adjust("3 seconds")
        yield* Fiber.join(next)
        assert.deepStrictEqual(calls, ["a", "b", "c", "d"])
      }).pipe(Effect.provide(Logger.layer([])))
    )

    it.effect("may be interrupted by another one of its batch, as that is answered", () =>
      Effect.gen(function* () {
        const { begin, call, calls, scheduler } = make({ concurrency: 1 }, (members, answer) => {
          if (members.length > 2) return Effect.delay(Effect.fail(rejected), "1 second")
          return Effect.delay(answer, "1 second")
        })
        yield* Effect.forkChild(
          Effect.andThen(
            call("a"),
            Effect.suspend(() => Fiber.interrupt(b))
          ),
          { startImmediately: true }
        )
        const b = yield* Effect.forkChild(call("b"), { startImmediately: true })
        const rest = yield* begin("c", "d")
        rest.push(...(yield* begin("e")))
        yield* TestClock.adjust("2 seconds")
        yield* settle
        assert.deepStrictEqual(calls, ["a+b+c+d", "a+b", "c+d"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* join(rest), [Result.void, Result.void, Result.void])
        assert.strictEqual(yield* scheduler.peakConcurrency, 1)
      }).pipe(Effect.provide(Logger.layer([])))
    )

    it.effect("does not hold up the rest of a batch that was split, though its own call hangs", () =>
      Effect.gen(function* () {
        const { begin, calls, scheduler } = make({}, poisonedBy("b", Effect.fail(rejected)))
        yield* scheduler.onRegister("b", [hang])
        const [a, b, c, d] = yield* begin("a", "b", "c", "d")
        assert(a !== undefined && b !== undefined && c !== undefined && d !== undefined)
        assert.deepStrictEqual(pending([a, b, c, d]), [false, true, true, true])
        yield* Fiber.interrupt(c)
        yield* Fiber.interrupt(b)
        assert.deepStrictEqual(yield* join([d]), [Result.void])
        assert.deepStrictEqual(calls, ["a+b+c+d", "a+b", "a", "b", "d"])
      }).pipe(Effect.provide(Logger.layer([])))
    )
  })

  describe("calls for one worker", () => {
    it.effect("travel in their order in one batch", () =>
      Effect.gen(function* () {
        const { begin, calls, scheduler } = make()
        yield* join(yield* begin("a", "b", "a"))
        assert.deepStrictEqual(calls, ["a+b+a"])
        const [a] = yield* scheduler.workers
        assert.strictEqual(a?.generation, 3)
      })
    )

    it.effect("wait for each other, but nobody else does", () =>
      Effect.gen(function* () {
        const { begin, calls, scheduler } = make()
        yield* scheduler.onRegister("a", [delay("1 second")])
        yield* begin("a", "b")
        yield* begin("a", "c")
        yield* begin("a")
        assert.deepStrictEqual(calls, ["a+b", "c"])
        yield* TestClock.adjust("1 second")
        yield* settle
        assert.deepStrictEqual(calls, ["a+b", "c", "a+a"])
        assert.deepStrictEqual(
          (yield* scheduler.callsOf("a")).map(({ generation }) => generation),
          [1, 3, 5]
        )
      })
    )

    it.effect("do not overtake one that is tried again in a half of its batch", () =>
      Effect.gen(function* () {
        const { begin, scheduler } = make(
          {},
          poisonedBy("b", Effect.delay(Effect.fail(rejected), "1 second"))
        )
        yield* begin("a", "b")
        yield* begin("a")
        yield* TestClock.adjust("1 second")
        yield* settle
        assert.deepStrictEqual(
          (yield* scheduler.callsOf("a")).map(({ generation, outcome }) => [generation, outcome]),
          [
            [1, "succeeded"],
            [3, "succeeded"]
          ]
        )
      }).pipe(Effect.provide(Logger.layer([])))
    )

    it.effect("wait for one that was given up too, as long as its batch goes on", () =>
      Effect.gen(function* () {
        const { begin, calls, scheduler } = make()
        yield* scheduler.onEvery("registerBatch", [delay("1 second")])
        const [a] = yield* begin("a", "b")
        assert(a !== undefined)
        yield* Fiber.interrupt(a)
        yield* begin("a")
        assert.deepStrictEqual(calls, ["a+b"])
        yield* TestClock.adjust("1 second")
        yield* settle
        assert.deepStrictEqual(calls, ["a+b", "a"])
        assert.strictEqual((yield* scheduler.workers)[0]?.generation, 3)
      })
    )

    it.effect("do not wait for a batch that everybody has given up", () =>
      Effect.gen(function* () {
        const { begin, scheduler } = make()
        yield* scheduler.onEvery("registerBatch", [hang])
        const hanging = yield* begin("a", "b")
        const next = yield* begin("a")
        yield* Fiber.interruptAll(hanging)
        yield* settle
        assert.deepStrictEqual(pending(next), [false])
      })
    )

    it.effect("that wait can be interrupted", () =>
      Effect.gen(function* () {
        const { begin, calls, scheduler } = make()
        yield* scheduler.onRegister("a", [delay("1 second")])
        yield* begin("a", "b")
        const [second, third] = yield* begin("a", "a")
        assert(second !== undefined && third !== undefined)
        yield* Fiber.interrupt(second)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* join([third]), [Result.void])
        assert.deepStrictEqual(calls, ["a+b", "a"])
      })
    )
  })

  it("passes everything else through, and a port that takes no batches as a whole", () => {
    const { port } = EmbeddedScheduler.make()
    const { register, ...others } = port
    const { register: gathering, ...passed } = MicroBatching.make()(port)
    assert.deepStrictEqual(passed, others)
    assert.notStrictEqual(gathering, register)

    const simple = TestScheduler.make({ capabilities: ["list"] }).port
    assert.strictEqual(MicroBatching.make()(simple), simple)
  })

  it.effect.each([
    [{ maxMembers: 0 }, "maxMembers"],
    [{ maxBytes: Number.NaN }, "maxBytes"],
    [{ concurrency: 1.5 }, "concurrency"]
  ] as const)("refuses options that make no sense: %o", ([options, name]) =>
    Effect.gen(function* () {
      const layer = MicroBatching.layerWith(options).pipe(Layer.provide(EmbeddedScheduler.layer))
      const exit = yield* Effect.exit(Effect.provide(SchedulerPort, layer))
      assert(Exit.isFailure(exit))
      assert.match(Cause.pretty(exit.cause), new RegExp(`${name} of MicroBatching must be a whole number`))
    })
  )

  it.effect("runs a batch in a span of its own, that is linked to those of its members", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.Span> = []
      const { call } = make({}, (_, answer) =>
        Effect.tap(answer, () => Effect.map(Effect.orDie(Effect.currentSpan), (span) => spans.push(span)))
      )
      yield* Effect.forEach(["a", "b"], (id) => Effect.withSpan(call(id), id), { concurrency: 2 })
      const [span] = spans
      assert(span !== undefined)
      assert.strictEqual(span.parent._tag, "None")
      assert.deepStrictEqual(
        span.links.map(({ span }) => span._tag === "Span" && span.name),
        ["a", "b"]
      )
      assert.strictEqual(span.attributes.get("muster.batch.size"), 2)
    }).pipe(
      Effect.provideService(Tracer.Tracer, Tracer.make({ span: (options) => new Tracer.NativeSpan(options) }))
    )
  )

  it.effect("hands the trace of its callers on where nobody traces, if all of them have the same", () =>
    Effect.gen(function* () {
      const seen: Array<string | undefined> = []
      const { call } = make({}, (_, answer) =>
        Effect.tap(answer, () =>
          Effect.map(Effect.option(Effect.currentParentSpan), (span) =>
            seen.push(Option.getOrUndefined(span)?.spanId)
          )
        )
      )
      const callIn = (id: string, spanId: string) =>
        Effect.withParentSpan(call(id), Tracer.externalSpan({ traceId: "1".repeat(32), spanId }))
      yield* Effect.all([callIn("a", "a".repeat(16)), callIn("b", "a".repeat(16))], { concurrency: 2 })
      yield* Effect.all([callIn("c", "a".repeat(16)), callIn("d", "b".repeat(16))], { concurrency: 2 })
      assert.deepStrictEqual(seen, ["a".repeat(16), undefined])
    })
  )

  describe("under WorkerRegistration", () => {
    const layer = WorkerRegistration.layer.pipe(
      Layer.provide(RegistrationConfig.layer({ batchConcurrency: 20 })),
      Layer.provide(MicroBatching.layer),
      Layer.provideMerge(TestScheduler.layer)
    )

    it.effect("a batch costs as few calls as its concurrency allows", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        const registration = yield* WorkerRegistration
        const workers = Array.from({ length: 100 }, (_, index) => named(`ci-${index}`))
        const results = yield* registration.registerBatch(workers)
        assert.isTrue(results.every(Result.isSuccess))
        const batches = (yield* scheduler.calls).filter(({ batch }) => batch === undefined)
        assert.deepStrictEqual(
          batches.map(({ operation }) => operation),
          Array.from({ length: 5 }, () => "registerBatch")
        )
      }).pipe(Effect.provide(layer), Effect.provide(Logger.layer([])))
    )

    it.effect("attempts that time out interrupt their batch when all of them have, and are made again", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        const registration = yield* WorkerRegistration
        yield* scheduler.onEvery("registerBatch", [applyThen(hang)])
        const all = yield* Effect.forkChild(registration.registerBatch([named("a"), named("b"), named("c")]))
        yield* TestClock.adjust("31 seconds")
        const results = yield* Fiber.join(all)
        assert.deepStrictEqual(
          results.map((result) => Result.isSuccess(result) && result.success.attempts),
          [2, 2, 2]
        )
        const [batch] = yield* scheduler.calls
        assert(batch !== undefined)
        assert.strictEqual(batch.outcome, "interrupted")
        assert.strictEqual(batch.endedAt, 30_000)
        assert.deepStrictEqual(
          (yield* scheduler.callsOf("c")).map(({ startedAt }) => startedAt),
          [0, 30_100]
        )
      }).pipe(Effect.provide(layer), Effect.provide(Logger.layer([])))
    )
  })
})

schedulerPortContract(
  "MicroBatching over EmbeddedScheduler",
  MicroBatching.layer.pipe(Layer.provide(EmbeddedScheduler.layer))
)
