import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, type Duration, Effect, Fiber, Layer, Semaphore } from "effect"
import { TestClock } from "effect/testing"
import { RegistrationConfig } from "../RegistrationConfig.ts"
import { type SchedulerError, SchedulerRejected, SchedulerUnavailable } from "../SchedulerError.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import { Worker } from "../Worker.ts"
import { AdaptiveConcurrency, type AdaptiveConcurrencyOptions } from "./AdaptiveConcurrency.ts"

const make = Effect.fnUntraced(function* (
  register: Effect.Effect<void, SchedulerError>,
  options: AdaptiveConcurrencyOptions = {}
) {
  const scheduler = SchedulerPort.make({ register: () => register, unregister: () => register })
  const context = yield* Layer.build(
    AdaptiveConcurrency.layerWith(options).pipe(
      Layer.provide(Layer.succeed(SchedulerPort, scheduler)),
      Layer.provide(RegistrationConfig.layer({ attemptTimeout: "1 second" }))
    )
  )
  const port = Context.get(context, SchedulerPort)
  const worker = yield* Effect.orDie(Worker.decode({ id: "a", capabilities: { cpuCores: 1, memoryMb: 1 } }))
  const { state } = Context.get(context, AdaptiveConcurrency)
  return { call: port.register(worker, { generation: 1 }), state }
})

/** So many callers, each of which calls again and again. */
const callers = (count: number, call: Effect.Effect<void, SchedulerError>) =>
  Effect.forkChild(
    Effect.forEach(Array.from({ length: count }), () => Effect.forever(Effect.ignore(call)), {
      concurrency: "unbounded",
      discard: true
    })
  )

const seconds = (count: number) => Effect.repeat(TestClock.adjust("10 millis"), { times: count * 100 - 1 })

describe("adaptive concurrency", () => {
  it.effect("grows to its ceiling before a scheduler that is as fast with many calls as with one", () =>
    Effect.gen(function* () {
      const { call, state } = yield* make(Effect.sleep("50 millis"), { ceiling: 40 })
      yield* callers(100, call)
      yield* seconds(5)
      assert.deepStrictEqual(state(), { limit: 40, inFlight: 40, waiting: 60 })
    })
  )

  it.effect("stays near what a scheduler does at a time, when more would only queue up there", () =>
    Effect.gen(function* () {
      const places = Semaphore.makeUnsafe(10)
      const { call, state } = yield* make(places.withPermit(Effect.sleep("50 millis")), { ceiling: 200 })
      yield* callers(400, call)
      yield* seconds(20)
      assert.isAtLeast(state().limit, 10)
      assert.isAtMost(state().limit, 40)
    })
  )

  it.effect("does not grow while it is not used", () =>
    Effect.gen(function* () {
      const { call, state } = yield* make(Effect.sleep("50 millis"))
      yield* callers(2, call)
      yield* seconds(5)
      assert.deepStrictEqual(state(), { limit: 8, inFlight: 2, waiting: 0 })
    })
  )

  it.effect.each([
    ["shrinks to its floor when the scheduler is away", new SchedulerUnavailable({ message: "refused" }), 2],
    [
      "stays where only the worker has to wait",
      new SchedulerUnavailable({ message: "drains", concerns: "worker" }),
      8
    ],
    ["takes a rejection as an answer", new SchedulerRejected({ message: "no" }), 8]
  ] as const)("%s", ([, error, limit]) =>
    Effect.gen(function* () {
      const { call, state } = yield* make(Effect.fail(error), { floor: 2, ceiling: 8 })
      yield* Effect.repeat(Effect.ignore(call), { times: 99 })
      assert.deepStrictEqual(state(), { limit, inFlight: 0, waiting: 0 })
    })
  )

  it.effect("shrinks when calls are given up after the whole time-out, not when callers leave", () =>
    Effect.gen(function* () {
      const { call, state } = yield* make(Effect.never)
      const leaveAfter = Effect.fnUntraced(function* (wait: Duration.Input) {
        const fiber = yield* callers(8, call)
        yield* TestClock.adjust(wait)
        yield* Fiber.interrupt(fiber)
      })
      yield* leaveAfter("900 millis")
      assert.strictEqual(state().limit, 8)
      yield* leaveAfter("1 second")
      assert.isBelow(state().limit, 5)
      assert.strictEqual(state().inFlight, 0)
    })
  )

  it.effect("gives the place of whoever leaves to the next, at whatever moment", () =>
    Effect.gen(function* () {
      const answer = yield* Deferred.make<void>()
      const { call, state } = yield* make(Deferred.await(answer), { ceiling: 1 })
      yield* Effect.forkChild(call, { startImmediately: true })
      for (let turns = 0; turns < 10; turns++) {
        const leaves = yield* Effect.forkChild(call, { startImmediately: true })
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        leaves.interruptUnsafe()
      }
      const last = yield* Effect.forkChild(call, { startImmediately: true })
      // One is let go by the answer in the same moment in which it leaves.
      const leaves = yield* Effect.forkChild(call, { startImmediately: true })
      yield* Deferred.succeed(answer, undefined)
      leaves.interruptUnsafe()
      yield* Fiber.join(last)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(state(), { limit: 1, inFlight: 0, waiting: 0 })
    })
  )

  it("refuses options that make no sense", () => {
    const building = make(Effect.void, { floor: 3, ceiling: 2 }).pipe(
      Effect.scoped,
      Effect.exit,
      Effect.runSync
    )
    assert.match(String(building), /floor and ceiling of AdaptiveConcurrency/)
  })
})
