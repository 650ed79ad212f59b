import { assert, describe, it } from "@effect/vitest"
import { TestFleet, TestScheduler } from "@muster/testing"
import { Context, Duration, Effect, Fiber, Layer, Option, Result } from "effect"
import { TestClock } from "effect/testing"
import { RegistrationConfig } from "../RegistrationConfig.ts"
import { SchedulerFault, SchedulerRejected, SchedulerUnavailable } from "../SchedulerError.ts"
import { type CallOptions, SchedulerPort } from "../SchedulerPort.ts"
import { Worker } from "../Worker.ts"
import { WorkerRegistration } from "../WorkerRegistration.ts"
import { CircuitBreaker, type CircuitBreakerOptions } from "./CircuitBreaker.ts"
import { MicroBatching } from "./MicroBatching.ts"

const away = new SchedulerUnavailable({ message: "connection refused" })

const decode = (id: string) => Effect.orDie(Worker.decode({ id, capabilities: { cpuCores: 1, memoryMb: 1 } }))

const make = Effect.fnUntraced(function* (options: CircuitBreakerOptions = {}) {
  const layer = CircuitBreaker.layerWith(options).pipe(
    Layer.provideMerge(TestScheduler.layer),
    Layer.provideMerge(RegistrationConfig.layer({ attemptTimeout: "1 second" }))
  )
  const context = yield* Layer.build(WorkerRegistration.layer.pipe(Layer.provideMerge(layer)))
  const scheduler = Context.get(context, TestScheduler)
  const port = Context.get(context, SchedulerPort)
  const { state } = Context.get(context, CircuitBreaker)
  const worker = yield* decode("a")
  const call = Effect.result(port.register(worker, { generation: 1 }))
  const sent = Effect.map(scheduler.calls, (calls) => calls.length)
  const always = (error: SchedulerUnavailable | SchedulerRejected | SchedulerFault) =>
    scheduler.onEvery("register", [TestScheduler.always(TestScheduler.fail(error))])
  const trip = Effect.andThen(always(away), Effect.repeat(call, { times: 4 }))
  return {
    always,
    call,
    port,
    registration: Context.get(context, WorkerRegistration),
    scheduler,
    sent,
    state,
    trip,
    worker
  }
})

const failureOf = <A, E>(result: Result.Result<A, E>): E => {
  assert(Result.isFailure(result))
  return result.failure
}

describe("the circuit breaker", () => {
  it.effect("lets calls through while the scheduler answers", () =>
    Effect.gen(function* () {
      const { call, sent, state } = yield* make()
      yield* Effect.repeat(call, { times: 99 })
      assert.strictEqual(yield* sent, 100)
      assert.strictEqual(yield* state, "closed")
    })
  )

  it.effect("opens when five calls have failed, and makes no further ones", () =>
    Effect.gen(function* () {
      const { call, sent, state, trip } = yield* make()
      yield* trip
      assert.strictEqual(yield* state, "open")
      const error = failureOf(yield* call)
      assert(error._tag === "SchedulerUnavailable")
      assert.isTrue(error.notSent)
      assert.deepStrictEqual(error.retryAfter, Duration.millis(500))
      assert.strictEqual(yield* sent, 5)
    })
  )

  it.effect("opens when half of the latest calls have failed, however many went well before", () =>
    Effect.gen(function* () {
      const { always, call, state } = yield* make()
      yield* Effect.repeat(call, { times: 99 })
      yield* always(away)
      yield* Effect.repeat(call, { times: 8 })
      assert.strictEqual(yield* state, "closed")
      yield* call
      assert.strictEqual(yield* state, "open")
    })
  )

  it.effect("opens after failures in a row, if that is what is asked for", () =>
    Effect.gen(function* () {
      const { always, call, state } = yield* make({ consecutiveFailures: 2 })
      yield* Effect.repeat(call, { times: 99 })
      yield* always(away)
      yield* call
      assert.strictEqual(yield* state, "closed")
      yield* call
      assert.strictEqual(yield* state, "open")
    })
  )

  it.effect("lets one call find out whether the scheduler is back, and closes if it is", () =>
    Effect.gen(function* () {
      const { call, scheduler, sent, state, trip } = yield* make()
      yield* trip
      yield* TestClock.adjust("500 millis")
      yield* scheduler.onEvery("register", [
        TestScheduler.always(TestScheduler.delay("50 millis", TestScheduler.succeed))
      ])
      const probe = yield* Effect.forkChild(call, { startImmediately: true })
      assert.strictEqual(yield* state, "half_open")
      const meanwhile = failureOf(yield* call)
      assert.isTrue(meanwhile._tag === "SchedulerUnavailable" && meanwhile.notSent)
      assert.strictEqual(yield* sent, 6)
      yield* TestClock.adjust("50 millis")
      assert.isTrue(Result.isSuccess(yield* Fiber.join(probe)))
      assert.strictEqual(yield* state, "closed")
    })
  )

  it.effect("stays open twice as long with each probe that fails, up to a bound", () =>
    Effect.gen(function* () {
      const { call, sent, trip } = yield* make({ openFor: "1 second", maxOpenFor: "3 seconds" })
      yield* trip
      for (const seconds of [1, 2, 3, 3]) {
        const before = yield* sent
        yield* TestClock.adjust(Duration.millis(seconds * 1000 - 1))
        yield* call
        assert.strictEqual(yield* sent, before)
        yield* TestClock.adjust("1 millis")
        yield* call
        assert.strictEqual(yield* sent, before + 1)
      }
    })
  )

  it.effect.each([
    ["a rejection", new SchedulerRejected({ message: "no" })],
    [
      "being told when to come again",
      new SchedulerUnavailable({ message: "busy", retryAfter: Duration.seconds(1) })
    ],
    ["what concerns only this worker", new SchedulerUnavailable({ message: "draining", concerns: "worker" })],
    ["a fault that is not the moment's", new SchedulerFault({ message: "odd", retryable: false })]
  ] as const)("takes %s as an answer", ([, error]) =>
    Effect.gen(function* () {
      const { always, call, sent, state } = yield* make()
      yield* always(error)
      yield* Effect.repeat(call, { times: 49 })
      assert.strictEqual(yield* state, "closed")
      assert.strictEqual(yield* sent, 50)
    })
  )

  it.effect("opens before a scheduler that never answers, but not for callers that leave early", () =>
    Effect.gen(function* () {
      const { call, scheduler, state } = yield* make()
      yield* scheduler.onEvery("register", [TestScheduler.always(TestScheduler.hang)])
      const giveUpAfter = Effect.fnUntraced(function* (wait: Duration.Input) {
        const calls = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 20 }, () => call),
            { concurrency: 20 }
          )
        )
        yield* TestClock.adjust(wait)
        yield* Fiber.interrupt(calls)
      })
      yield* giveUpAfter("900 millis")
      assert.strictEqual(yield* state, "closed")
      yield* giveUpAfter("1 second")
      assert.strictEqual(yield* state, "open")
      // The probe hangs as well.
      yield* TestClock.adjust("500 millis")
      yield* giveUpAfter("1 second")
      assert.strictEqual(yield* state, "open")
    })
  )

  it.effect("does not wait for a probe as long as for other calls", () =>
    Effect.gen(function* () {
      const { call, scheduler, state, trip } = yield* make({ probeTimeout: "300 millis" })
      yield* trip
      yield* TestClock.adjust("500 millis")
      yield* scheduler.onEvery("register", [TestScheduler.hang])
      const probe = yield* Effect.forkChild(call, { startImmediately: true })
      yield* TestClock.adjust("300 millis")
      const error = failureOf(yield* Fiber.join(probe))
      assert.deepStrictEqual(error._tag === "SchedulerUnavailable" && error.timeout, Duration.millis(300))
      assert.strictEqual(yield* state, "open")
      yield* TestClock.adjust("1 second")
      assert.isTrue(Result.isSuccess(yield* call))
      assert.strictEqual(yield* state, "closed")
    })
  )

  it.effect("looks at a batch as one call, which fails when none of its members was answered", () =>
    Effect.gen(function* () {
      const { port, scheduler, state, worker } = yield* make()
      const members = [worker, yield* decode("b")].map((worker) => ({ worker, generation: 1 }))
      assert(port.registerBatch !== undefined)
      yield* scheduler.onEvery("register", [TestScheduler.always(TestScheduler.fail(away))])
      yield* scheduler.onRegister("b", [
        TestScheduler.always(TestScheduler.fail(new SchedulerRejected({ message: "no" })))
      ])
      yield* Effect.repeat(Effect.result(port.registerBatch(members)), { times: 9 })
      assert.strictEqual(yield* state, "closed")
      yield* Effect.repeat(Effect.result(port.registerBatch(members.slice(0, 1))), { times: 9 })
      assert.strictEqual(yield* state, "open")
      const error = failureOf(yield* Effect.result(port.registerBatch(members)))
      assert.isTrue(error._tag === "SchedulerUnavailable" && error.notSent)
    })
  )

  it.effect("is not retried, and counts no attempt", () =>
    Effect.gen(function* () {
      const { registration, sent, trip, worker } = yield* make()
      yield* trip
      const error = yield* Effect.flip(registration.register(worker))
      assert(error._tag === "SchedulerUnavailable")
      assert.deepInclude(error, {
        attempts: 0,
        retryable: true,
        notSent: true,
        retryAfter: Duration.millis(500)
      })
      assert.match(
        error.message,
        /^Worker a was not sent to the scheduler: the circuit is open.* in 500ms or later\.$/
      )
      assert.strictEqual(yield* sent, 5)
    })
  )
})

describe("a fleet before an open circuit", () => {
  it.effect("waits, and neither calls nor writes, however many workers there are", () =>
    Effect.gen(function* () {
      let asked = 0
      const counted = Layer.effect(
        SchedulerPort,
        Effect.map(SchedulerPort, (port) => ({
          ...port,
          register: (worker: Worker, options: CallOptions) => {
            asked++
            return port.register(worker, options)
          }
        }))
      ).pipe(Layer.provide(MicroBatching.layer), Layer.provide(CircuitBreaker.layer))
      const test = yield* TestFleet.make({
        policies: counted,
        fleet: { checkAfter: Duration.infinity, driftInterval: Duration.infinity }
      })
      yield* test.scheduler.onEvery("register", [TestScheduler.always(TestScheduler.fail(away))])
      for (let index = 0; index < 500; index++) yield* test.want(`w-${index}`)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* test.fleet.load).unfinished, 500)
      const writes = test.store.count("modify")
      const calls = (yield* test.scheduler.calls).length
      const askedBefore = asked
      yield* TestClock.adjust("9 seconds")
      // A single one at a time, not all that there is room for.
      assert.isAtMost(asked - askedBefore, 10)
      // Probes alone, each of which is one worker's: after 0.5, 1, 2, 4 seconds.
      assert.isAtMost((yield* test.scheduler.calls).length - calls, 5)
      assert.isAtMost(test.store.count("modify") - writes, 20)
      yield* test.scheduler.onEvery("register", [TestScheduler.always(TestScheduler.succeed)])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* test.fleet.load).unfinished, 0)
      assert.lengthOf(yield* test.scheduler.workers, 500)
      assert.isTrue(Option.isSome(yield* test.fleet.get(yield* Effect.map(decode("w-1"), ({ id }) => id))))
    })
  )
})
