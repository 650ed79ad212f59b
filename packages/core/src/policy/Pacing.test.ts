import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Context, Duration, Effect, Fiber, Layer, Queue, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import { RegistrationConfig } from "../RegistrationConfig.ts"
import { SchedulerUnavailable } from "../SchedulerError.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import { Worker } from "../Worker.ts"
import { WorkerRegistration } from "../WorkerRegistration.ts"
import { MicroBatching } from "./MicroBatching.ts"
import { Pacing, type PacingOptions } from "./Pacing.ts"
import { SchedulerShare } from "./SchedulerShare.ts"

const decode = (id: string) => Effect.orDie(Worker.decode({ id, capabilities: { cpuCores: 1, memoryMb: 1 } }))

const workers = (count: number) =>
  Effect.forEach(Array.from({ length: count }).keys(), (index) => decode(`w-${index}`))

const make = Effect.fnUntraced(function* (options: PacingOptions = {}, maxRate?: number) {
  const layer = WorkerRegistration.layer.pipe(
    Layer.provideMerge(Pacing.layerWith(options).pipe(Layer.provide(MicroBatching.layer))),
    Layer.provideMerge(TestScheduler.layer),
    Layer.provideMerge(RegistrationConfig.layer({ batchConcurrency: 64, maxRetries: 10, jitter: "full" }))
  )
  const context = yield* Layer.build(layer)
  const scheduler = Context.get(context, TestScheduler)
  if (maxRate !== undefined) yield* scheduler.setMaxRate(maxRate)
  const registration = Context.get(context, WorkerRegistration)
  const port = Context.get(context, SchedulerPort)
  const { state } = Context.get(context, Pacing)
  const registrations = Effect.map(scheduler.calls, (calls) =>
    calls.filter(({ operation }) => operation === "register")
  )
  return { port, registration, registrations, scheduler, state }
})

/** Runs to the end, and gives how many virtual milliseconds it took. */
const timed = Effect.fnUntraced(function* <A, E>(effect: Effect.Effect<A, E>) {
  const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
  let millis = 0
  while (fiber.pollUnsafe() === undefined) {
    yield* TestClock.adjust("10 millis")
    millis += 10
  }
  return { answer: yield* Fiber.join(fiber), millis }
})

const perSecond = (startedAt: ReadonlyArray<number>): number => {
  let most = 0
  for (let first = 0, last = 0; last < startedAt.length; last++) {
    while ((startedAt[last] ?? 0) - (startedAt[first] ?? 0) >= 1000) first++
    most = Math.max(most, last - first + 1)
  }
  return most
}

const away = new SchedulerUnavailable({ message: "connection refused" })

describe("pacing", () => {
  it.effect("lets everything through at once where the scheduler takes it", () =>
    Effect.gen(function* () {
      const { registration, state } = yield* make()
      const { millis } = yield* timed(registration.registerBatch(yield* workers(1000)))
      // Some turns of the test's clock; at 5,000 a second it would be as many milliseconds.
      assert.isBelow(millis, 200)
      assert.deepStrictEqual(state(), { limit: undefined, waiting: 0 })
    })
  )

  it.effect("never exceeds a rate that it was told", () =>
    Effect.gen(function* () {
      const { registration, registrations } = yield* make({ maxRate: 100 })
      const { millis } = yield* timed(registration.registerBatch(yield* workers(500)))
      const startedAt = (yield* registrations).map(({ startedAt }) => startedAt)
      // A beat's worth more, in the beat in which a second begins.
      assert.isAtMost(perSecond(startedAt), 104)
      assert.closeTo(millis, 5000, 100)
    })
  )

  it.effect("takes only its share of a rate that it was told, at any moment", () => {
    let share = 0.25
    return Effect.gen(function* () {
      const { registration, registrations } = yield* make({ maxRate: 100 })
      const registering = yield* Effect.forkChild(registration.registerBatch(yield* workers(500)))
      yield* TestClock.adjust("4 seconds")
      assert.closeTo((yield* registrations).length, 100, 10)
      share = 1
      yield* TestClock.adjust("2 seconds")
      assert.closeTo((yield* registrations).length, 300, 15)
      yield* Fiber.interrupt(registering)
    }).pipe(Effect.provideService(SchedulerShare, () => share))
  })

  it.effect("finds the rate that the scheduler takes, with hardly a call in vain", () =>
    Effect.gen(function* () {
      const { registration, registrations, scheduler } = yield* make({}, 500)
      const fleet = yield* workers(20_000)
      const { answer, millis } = yield* timed(registration.registerBatch(fleet))
      assert.isTrue(answer.every(Result.isSuccess))
      const calls = yield* registrations
      const refused = calls.filter(({ outcome }) => outcome === "failed").length
      assert.lengthOf(yield* scheduler.workers, 20_000)
      assert.isBelow(millis, 40_000 * 1.05)
      assert.isBelow(refused, 200)
      assert.isBelow(calls.length, 20_000 * 1.01)
    })
  )

  it.effect("follows when the scheduler takes more, and when it takes less", () =>
    Effect.gen(function* () {
      const { registration, scheduler, state } = yield* make({}, 100)
      const fleet = yield* workers(60_000)
      const run = yield* Effect.forkChild(registration.registerBatch(fleet))
      const after = Effect.fnUntraced(function* (seconds: number) {
        for (let i = 0; i < seconds * 100; i++) yield* TestClock.adjust("10 millis")
        return state().limit ?? Infinity
      })
      assert.closeTo(yield* after(10), 100, 5)
      yield* scheduler.setMaxRate(1000)
      assert.closeTo(yield* after(25), 1000, 60)
      yield* scheduler.setMaxRate(200)
      const less = yield* after(5)
      assert.isAtLeast(less, 140)
      assert.isAtMost(less, 215)
      yield* Fiber.interrupt(run)
      assert.strictEqual(state().waiting, 0)
    })
  )

  it.effect("starts low after an outage, and doubles each second", () =>
    Effect.gen(function* () {
      const { registration, registrations, scheduler, state } = yield* make({ rampFrom: 10 })
      const [first, ...fleet] = yield* workers(5000)
      assert(first !== undefined)
      yield* scheduler.onRegister("w-0", [
        ...Array.from({ length: 3 }, () => TestScheduler.fail(away)),
        TestScheduler.succeed
      ])
      yield* timed(registration.register(first))
      assert.deepStrictEqual(state(), { limit: 10, waiting: 0 })
      const before = (yield* registrations).at(-1)?.endedAt ?? 0
      yield* timed(registration.registerBatch(fleet))
      const startedAt = (yield* registrations).slice(4).map(({ startedAt }) => startedAt - before)
      const within = (second: number) =>
        startedAt.filter((at) => at >= second * 1000 && at < (second + 1) * 1000).length
      // The mean of a rate that doubles within a second is 1 / ln 2 of what it began with.
      for (const second of [0, 1, 2, 3, 4]) {
        const expected = (10 * 2 ** second) / Math.LN2
        assert.closeTo(within(second), expected, expected * 0.2 + 2)
      }
    })
  )

  it.effect("starts low when the connection was lost and is there again, whoever noticed", () =>
    Effect.gen(function* () {
      const scheduler = TestScheduler.make()
      const lost = yield* Queue.unbounded<void>()
      const port = { ...scheduler.port, reconnections: Stream.fromQueue(lost) }
      const context = yield* Layer.build(Pacing.layer.pipe(Layer.provide(Layer.succeed(SchedulerPort, port))))
      const { state } = Context.get(context, Pacing)
      yield* Effect.yieldNow
      assert.isUndefined(state().limit)
      yield* Queue.offer(lost, undefined)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(state().limit, 50)
    })
  )

  it.effect("does not slow down for what concerns one worker, or was not sent", () =>
    Effect.gen(function* () {
      const { port, scheduler, state } = yield* make()
      const worker = yield* decode("a")
      const busy = new SchedulerUnavailable({
        message: "busy",
        retryAfter: Duration.seconds(9),
        concerns: "worker"
      })
      const notSent = new SchedulerUnavailable({
        message: "open",
        retryAfter: Duration.seconds(9),
        notSent: true
      })
      yield* scheduler.onRegister("a", [TestScheduler.fail(busy), TestScheduler.fail(notSent)])
      yield* Effect.repeat(Effect.result(port.register(worker, { generation: 1 })), { times: 2 })
      assert.deepStrictEqual(state(), { limit: undefined, waiting: 0 })
    })
  )

  it.effect("forgets a limit that nothing has run into for ten minutes", () =>
    Effect.gen(function* () {
      const { registration, scheduler, state } = yield* make({}, 100)
      const [last, ...fleet] = yield* workers(500)
      assert(last !== undefined)
      yield* timed(registration.registerBatch(fleet))
      assert.isDefined(state().limit)
      yield* scheduler.setMaxRate(1_000_000)
      yield* TestClock.adjust("5 minutes")
      yield* timed(registration.register(last))
      assert.isDefined(state().limit)
      yield* TestClock.adjust("6 minutes")
      yield* timed(registration.register(last))
      assert.isUndefined(state().limit)
    })
  )

  it.effect("asks again after half a minute, however long the scheduler asked to be left alone", () =>
    Effect.gen(function* () {
      const { port, registrations, scheduler } = yield* make()
      const worker = yield* decode("a")
      const forEver = new SchedulerUnavailable({ message: "later", retryAfter: Duration.days(1) })
      yield* scheduler.onRegister("a", [TestScheduler.fail(forEver)])
      const call = Effect.result(port.register(worker, { generation: 1 }))
      yield* call
      const { millis } = yield* timed(call)
      assert.closeTo(millis, 30_000, 20)
      assert.lengthOf(yield* registrations, 2)
    })
  )

  it.effect("counts each member of a batch", () =>
    Effect.gen(function* () {
      const { port } = yield* make({ maxRate: 10 })
      const members = (yield* workers(20)).map((worker) => ({ worker, generation: 1 }))
      const { registerBatch } = port
      assert(registerBatch !== undefined)
      const { millis } = yield* timed(Effect.repeat(registerBatch(members), { times: 1 }))
      assert.closeTo(millis, 2000, 50)
    })
  )

  it("refuses options that make no sense", () => {
    const building = make({ maxRate: 0 }).pipe(Effect.scoped, Effect.exit, Effect.runSync)
    assert.match(String(building), /maxRate of Pacing must be above 0/)
  })
})
