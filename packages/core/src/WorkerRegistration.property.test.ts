import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Effect, Exit, Fiber, Layer, References, Result, Schema } from "effect"
import { TestClock } from "effect/testing"
import { SchedulerUnavailable } from "./SchedulerError.ts"
import { Worker, WorkerCapabilities, WorkerId } from "./Worker.ts"
import { WorkerRegistration } from "./WorkerRegistration.ts"

const { applyThen, delay, fail, hang, succeed } = TestScheduler

const capabilities = new WorkerCapabilities({ cpuCores: 1, memoryMb: 1 })
const refused = fail(new SchedulerUnavailable({ message: "connection refused" }))

/** How the scheduler meets one attempt. */
const answers = {
  succeeds: succeed,
  "is slow": delay("2 seconds"),
  fails: refused,
  "fails slowly": delay("2 seconds", refused),
  hangs: hang,
  "does it and hangs": applyThen(hang),
  "does it and fails": applyThen(refused)
}
const Answer = Schema.Literals([
  "succeeds",
  "is slow",
  "fails",
  "fails slowly",
  "hangs",
  "does it and hangs",
  "does it and fails"
])

const Step = Schema.Struct({
  worker: Schema.Literals(["a", "b"]),
  call: Schema.Literals(["register", "unregister", "interrupt the last call"]),
  pauseMillis: Schema.Literals([0, 1, 100, 150, 5_000, 40_000])
})

const Run = Schema.Struct({
  steps: Schema.Array(Step).check(Schema.isMaxLength(12)),
  answers: Schema.Array(Answer).check(Schema.isMaxLength(20))
})

/** Whether a call that has ended was neither interrupted nor failed. */
const succeeded = (fiber: Fiber.Fiber<Result.Result<unknown, unknown>>) =>
  Effect.map(Fiber.await(fiber), (exit) => Exit.isSuccess(exit) && Result.isSuccess(exit.value))

describe("whatever is called, whenever, however the scheduler answers", () => {
  it.effect.prop(
    "calls for a worker never overlap, go in call order, and no registration outlives a later unregistration",
    [Run],
    ([run]) =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        const registration = yield* WorkerRegistration
        let given = 0
        const next = () => answers[run.answers[given++] ?? "succeeds"]
        yield* scheduler.onEvery("register", next)
        yield* scheduler.onEvery("unregister", next)

        const fibers: Array<{ id: string; call: string; fiber: Fiber.Fiber<Result.Result<void, unknown>> }> =
          []
        for (const { call, pauseMillis, worker } of run.steps) {
          if (call === "interrupt the last call") {
            const last = fibers.at(-1)
            if (last !== undefined) yield* Fiber.interrupt(last.fiber)
          } else {
            const id = WorkerId.make(worker)
            const effect =
              call === "register"
                ? Effect.asVoid(registration.register(new Worker({ id, capabilities })))
                : Effect.asVoid(registration.unregister(id))
            const fiber = yield* Effect.forkChild(Effect.result(effect), { startImmediately: true })
            fibers.push({ id: worker, call, fiber })
          }
          yield* TestClock.adjust(pauseMillis)
        }
        yield* Effect.repeat(TestClock.adjust("1 minute"), { times: 60 })
        assert.isTrue(
          fibers.every(({ fiber }) => fiber.pollUnsafe() !== undefined),
          "a call never ended"
        )

        for (const id of ["a", "b"]) {
          const calls = yield* scheduler.callsOf(id)
          assert.isTrue(
            calls.every(({ workerConcurrency }) => workerConcurrency === 1),
            "calls overlap"
          )
          const generations = calls.map(({ generation }) => generation ?? 0)
          assert.deepStrictEqual(
            generations,
            generations.toSorted((left, right) => left - right),
            "an older call came after a newer one"
          )
          const last = fibers.findLast((entry) => entry.id === id)
          if (last?.call === "unregister" && (yield* succeeded(last.fiber))) {
            const held = yield* scheduler.workers
            assert.isFalse(
              held.some(({ worker }) => worker.id === id),
              "a ghost"
            )
          }
        }
      }).pipe(
        Effect.provide(WorkerRegistration.layer.pipe(Layer.provideMerge(TestScheduler.layer))),
        Effect.provide(TestClock.layer()),
        Effect.provideService(References.MinimumLogLevel, "None")
      ),
    { arbitrary: { runs: 500 } }
  )
})
