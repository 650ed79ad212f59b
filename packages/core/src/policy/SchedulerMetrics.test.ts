import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Context, Effect, Fiber, Layer, Metric, Result } from "effect"
import { TestClock } from "effect/testing"
import { SchedulerFault, SchedulerRejected, SchedulerUnavailable } from "../SchedulerError.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import { Worker } from "../Worker.ts"
import { AdaptiveConcurrency } from "./AdaptiveConcurrency.ts"
import { CircuitBreaker } from "./CircuitBreaker.ts"
import { MeasuredCalls } from "./MeasuredCalls.ts"
import { MicroBatching } from "./MicroBatching.ts"
import { Pacing } from "./Pacing.ts"
import { RetryBudget } from "./RetryBudget.ts"

type Policy = Layer.Layer<SchedulerPort, never, SchedulerPort>

const away = new SchedulerUnavailable({ message: "connection refused" })
const no = new SchedulerRejected({ message: "no" })

const decode = (id: string) => Effect.orDie(Worker.decode({ id, capabilities: { cpuCores: 1, memoryMb: 1 } }))

type Shown = Readonly<Record<string, unknown>>

/** A scheduler behind a policy, and what the metrics show of it. */
const make = Effect.fnUntraced(function* (policy: Policy) {
  const registry: typeof Metric.MetricRegistry.Service = new Map()
  const context = yield* Layer.build(
    policy.pipe(
      Layer.provideMerge(TestScheduler.layer),
      Layer.provideMerge(Layer.succeed(Metric.MetricRegistry, registry))
    )
  )
  const port = Context.get(context, SchedulerPort)
  const shown = (name: string): Effect.Effect<Array<Shown>> =>
    Effect.sync(() =>
      Metric.snapshotUnsafe(context).flatMap(({ attributes = {}, id, state }) => {
        if (id !== name) return []
        const value = "value" in state ? state.value : "count" in state ? state.count : undefined
        return [{ ...attributes, value }]
      })
    )
  const value = (name: string) => Effect.map(shown(name), ([series]) => series?.value)
  const register = (id: string) =>
    Effect.flatMap(decode(id), (worker) =>
      Effect.provideContext(Effect.result(port.register(worker, { generation: 1 })), context)
    )
  return { context, port, register, scheduler: Context.get(context, TestScheduler), shown, value }
})

describe("the metrics of the calls to a scheduler", () => {
  it.effect("tell how each ended", () =>
    Effect.gen(function* () {
      const { port, register, scheduler, shown } = yield* make(MeasuredCalls.layer)
      yield* scheduler.onRegister("refused", [TestScheduler.fail(no)])
      yield* scheduler.onRegister("away", [TestScheduler.fail(away)])
      yield* scheduler.onRegister("strange", [
        TestScheduler.fail(new SchedulerFault({ message: "what?", retryable: false }))
      ])
      yield* scheduler.onRegister("hangs", [TestScheduler.hang])
      for (const id of ["a", "refused", "away", "strange"]) yield* register(id)
      const hanging = yield* Effect.forkChild(register("hangs"), { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.interrupt(hanging)
      yield* port.unregister((yield* decode("a")).id, { generation: 2 })
      assert.sameDeepMembers(yield* shown("scheduler_calls_total"), [
        { call: "register", result: "success", value: 1 },
        { call: "register", result: "rejected", value: 1 },
        { call: "register", result: "unavailable", value: 1 },
        { call: "register", result: "fault", value: 1 },
        { call: "register", result: "no_answer", value: 1 },
        { call: "unregister", result: "success", value: 1 }
      ])
      assert.sameDeepMembers(yield* shown("scheduler_call_duration_seconds"), [
        { call: "register", value: 5 },
        { call: "unregister", value: 1 }
      ])
    })
  )

  it.effect.each([
    ["success", "of which a member was taken", [undefined, away, no]],
    ["rejected", "whose members were refused, or not answered", [no, away]],
    ["unavailable", "of which no member was answered", [away, away]]
  ] as const)("give a batch the result %s, %s", ([result, , answers]) =>
    Effect.gen(function* () {
      const { port, scheduler, shown } = yield* make(MeasuredCalls.layer)
      const members = yield* Effect.forEach(answers, (answer, index) =>
        Effect.gen(function* () {
          const worker = yield* decode(`w-${index}`)
          if (answer !== undefined) yield* scheduler.onRegister(worker.id, [TestScheduler.fail(answer)])
          return { worker, generation: 1 }
        })
      )
      const results = yield* port.registerBatch?.(members) ?? Effect.succeed([])
      assert.deepStrictEqual(
        results.map(Result.isSuccess),
        answers.map((answer) => answer === undefined)
      )
      assert.deepStrictEqual(yield* shown("scheduler_calls_total"), [
        { call: "register_batch", result, value: 1 }
      ])
    })
  )
})

describe("the metrics of the policies", () => {
  it.effect("show the circuit closed from the beginning, and open when it opens", () =>
    Effect.gen(function* () {
      const { register, scheduler, value } = yield* make(CircuitBreaker.layer)
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* value("scheduler_circuit_state"), 0)
      yield* scheduler.onEvery("register", [TestScheduler.always(TestScheduler.fail(away))])
      for (let call = 0; call < 5; call++) yield* register("a")
      yield* Effect.repeat(TestClock.adjust(0), { times: 20 })
      assert.strictEqual(yield* value("scheduler_circuit_state"), 2)
    })
  )

  it.effect("show the limit on concurrency as it is", () =>
    Effect.gen(function* () {
      const { register, scheduler, value } = yield* make(AdaptiveConcurrency.layerWith({ initial: 8 }))
      assert.strictEqual(yield* value("scheduler_concurrency_limit"), 8)
      yield* scheduler.onEvery("register", [TestScheduler.always(TestScheduler.fail(away))])
      yield* register("a")
      assert.strictEqual(yield* value("scheduler_concurrency_limit"), 7)
    })
  )

  it.effect("show the rate as it is, 0 without one", () =>
    Effect.gen(function* () {
      const unlimited = yield* make(Pacing.layer)
      assert.strictEqual(yield* unlimited.value("scheduler_rate_limit"), 0)
      const limited = yield* make(Pacing.layerWith({ maxRate: 12.5 }))
      assert.strictEqual(yield* limited.value("scheduler_rate_limit"), 12.5)
    })
  )

  it.effect("show the retries that are left, and how they come back", () =>
    Effect.gen(function* () {
      const { register, scheduler, value } = yield* make(RetryBudget.layer)
      assert.strictEqual(yield* value("scheduler_retry_budget"), 100)
      yield* scheduler.onEvery("register", [TestScheduler.always(TestScheduler.fail(away))])
      for (let call = 0; call < 31; call++) yield* register("a")
      assert.strictEqual(yield* value("scheduler_retry_budget"), 70)
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(yield* value("scheduler_retry_budget"), 100)
    })
  )

  it.effect("count how many workers travel together", () =>
    Effect.gen(function* () {
      const { context, register } = yield* make(MicroBatching.layer)
      yield* Effect.forEach(["a", "b", "c"], register, { concurrency: "unbounded" })
      yield* register("d")
      const sizes = Metric.snapshotUnsafe(context).find(({ id }) => id === "scheduler_batch_size")
      assert.strictEqual(sizes?.type, "Histogram")
      if (sizes?.type !== "Histogram") return
      const { count, max, sum } = sizes.state
      assert.deepStrictEqual({ count, max, sum }, { count: 2, max: 3, sum: 4 })
    })
  )
})
