import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Context, Duration, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { SchedulerRejected, SchedulerUnavailable } from "../SchedulerError.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import { Worker } from "../Worker.ts"
import { RetryBudget, type RetryBudgetOptions } from "./RetryBudget.ts"
import { SchedulerShare } from "./SchedulerShare.ts"

const decode = (id: string) => Effect.orDie(Worker.decode({ id, capabilities: { cpuCores: 1, memoryMb: 1 } }))

const workers = (count: number) =>
  Effect.forEach(Array.from({ length: count }).keys(), (index) => decode(`w-${index}`))

const away = new SchedulerUnavailable({ message: "connection refused" })

const make = Effect.fnUntraced(function* (options: RetryBudgetOptions = {}) {
  const context = yield* Layer.build(
    RetryBudget.layerWith(options).pipe(Layer.provideMerge(TestScheduler.layer))
  )
  const scheduler = Context.get(context, TestScheduler)
  const port = Context.get(context, SchedulerPort)
  yield* scheduler.onEvery("register", [TestScheduler.always(TestScheduler.fail(away))])
  const registerAll = (workers: ReadonlyArray<Worker>, generation = 1) =>
    Effect.forEach(workers, (worker) => Effect.result(port.register(worker, { generation })), {
      concurrency: "unbounded",
      discard: true
    })
  const sent = Effect.map(scheduler.calls, (calls) => calls.length)
  return { port, registerAll, scheduler, sent }
})

describe("the retry budget", () => {
  it.effect("lets first attempts through, however many fail", () =>
    Effect.gen(function* () {
      const { registerAll, sent } = yield* make()
      yield* registerAll(yield* workers(1000))
      assert.strictEqual(yield* sent, 1000)
      yield* registerAll(yield* workers(1000), 2)
      assert.strictEqual(yield* sent, 2000)
    })
  )

  it.effect("has only its share of the retries that are there without first attempts", () =>
    Effect.gen(function* () {
      const { registerAll, sent } = yield* make({ ratio: 0, minPerSecond: 10 })
      const fleet = yield* workers(1000)
      yield* registerAll(fleet)
      const retries = yield* Effect.forkChild(registerAll(fleet), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      // Of ten seconds with ten each, a half.
      assert.strictEqual((yield* sent) - 1000, 50)
      yield* Fiber.interrupt(retries)
    }).pipe(Effect.provideService(SchedulerShare, () => 0.5))
  )

  it.effect("lets a fifth of them be retried, and ten a second besides; the others wait their time", () =>
    Effect.gen(function* () {
      const { registerAll, sent } = yield* make()
      const fleet = yield* workers(1000)
      yield* registerAll(fleet)
      const retries = yield* Effect.forkChild(registerAll(fleet), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* sent) - 1000, 200 + 100)
      yield* TestClock.adjust("8 seconds")
      assert.strictEqual((yield* sent) - 1000, 300)
      // The first attempts are long ago by now, and so are the retries that they paid for.
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* sent) - 1000, 400)
      yield* TestClock.adjust("60 seconds")
      assert.strictEqual(yield* sent, 2000)
      yield* Fiber.join(retries)
    })
  )

  it.effect("counts a call as a retry only after a failure that can pass, of the same generation", () =>
    Effect.gen(function* () {
      const { port, scheduler, sent } = yield* make({ ratio: 0, minPerSecond: 0.1 })
      const worker = yield* decode("a")
      const answers = [
        TestScheduler.succeed,
        TestScheduler.fail(new SchedulerRejected({ message: "no" })),
        TestScheduler.fail(new SchedulerUnavailable({ message: "draining", concerns: "worker" })),
        TestScheduler.fail(new SchedulerUnavailable({ message: "open", notSent: true }))
      ]
      for (const answer of answers) {
        yield* scheduler.onRegister("a", [TestScheduler.always(answer)])
        for (const _ of [1, 2, 3]) yield* Effect.result(port.register(worker, { generation: 1 }))
      }
      assert.strictEqual(yield* sent, 12)
      yield* scheduler.onRegister("a", [TestScheduler.always(TestScheduler.fail(away))])
      for (const generation of [2, 3, 4]) yield* Effect.result(port.register(worker, { generation }))
      assert.strictEqual(yield* sent, 15)
      // One retry in ten seconds is in the budget.
      for (const generation of [2, 3]) {
        yield* Effect.forkChild(Effect.result(port.register(worker, { generation })), {
          startImmediately: true
        })
      }
      assert.strictEqual(yield* sent, 16)
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(yield* sent, 17)
    })
  )

  it.effect("counts the members of a batch that were tried before, whoever tried them", () =>
    Effect.gen(function* () {
      const { port, registerAll, sent } = yield* make({ ratio: 0, minPerSecond: 1 })
      const fleet = yield* workers(10)
      yield* registerAll(fleet.slice(0, 6))
      const { registerBatch } = port
      assert(registerBatch !== undefined)
      const batch = registerBatch(fleet.map((worker) => ({ worker, generation: 1 })))
      yield* batch
      const calls = yield* sent
      // Six of the ten that there may be in ten seconds are used up; this batch has ten.
      const again = yield* Effect.forkChild(batch, { startImmediately: true })
      yield* TestClock.adjust("8 seconds")
      assert.strictEqual(yield* sent, calls)
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(again)
      assert.isAbove(yield* sent, calls)
    })
  )

  it.effect("forgets whoever leaves", () =>
    Effect.gen(function* () {
      const { port, sent } = yield* make({ ratio: 0, minPerSecond: 0.1 })
      const [a, b, c] = yield* workers(3)
      assert(a !== undefined && b !== undefined && c !== undefined)
      const call = (worker: Worker) => Effect.result(port.register(worker, { generation: 1 }))
      yield* Effect.forEach([a, b, c, a], call)
      const leaves = yield* Effect.forkChild(call(b), { startImmediately: true })
      yield* Effect.forkChild(call(c), { startImmediately: true })
      yield* Fiber.interrupt(leaves)
      yield* TestClock.adjust(Duration.seconds(11))
      assert.strictEqual(yield* sent, 5)
    })
  )

  it("refuses options that make no sense", () => {
    const building = make({ ratio: 0, minPerSecond: 0 }).pipe(Effect.scoped, Effect.exit, Effect.runSync)
    assert.match(String(building), /ratio and minPerSecond of RetryBudget/)
  })
})
