import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Cause, Effect, Exit, Fiber, Logger, Schema } from "effect"
import { TestClock } from "effect/testing"
import { type SchedulerError, SchedulerRejected, SchedulerUnavailable } from "../SchedulerError.ts"
import type { SchedulerImplementation } from "../SchedulerPort.ts"
import { Worker, WorkerCapabilities, WorkerId } from "../Worker.ts"
import { MicroBatching } from "./MicroBatching.ts"

const { delay, die, fail, succeed } = TestScheduler

const capabilities = new WorkerCapabilities({ cpuCores: 1, memoryMb: 1 })

type BatchAnswer = ReturnType<NonNullable<SchedulerImplementation["registerBatch"]>>

const rejected = new SchedulerRejected({ message: "the batch is rejected" })
const away = new SchedulerUnavailable({ message: "the scheduler is away" })

/** How the scheduler meets one batch, given what its members would get. */
const batchAnswers = {
  answers: (own: BatchAnswer) => own,
  "is slow": (own: BatchAnswer) => Effect.delay(own, "1 second"),
  rejects: () => Effect.fail(rejected),
  "rejects slowly": () => Effect.delay(Effect.fail(rejected), "1 second"),
  "is away": () => Effect.fail(away),
  "is away, slowly": () => Effect.delay(Effect.fail(away), "1 second"),
  dies: () => Effect.die("the batch"),
  "does it and rejects": (own: BatchAnswer) => Effect.andThen(own, Effect.fail(rejected)),
  "forgets a result": (own: BatchAnswer) => Effect.map(own, (results) => results.slice(1))
}

/** How it meets one member, in a batch or not: each time in the same way. */
const ofItsOwn = (generation: number) => new SchedulerRejected({ message: `not at ${generation}` })
const memberAnswers = {
  accepts: () => succeed,
  "is slow": () => delay("700 millis"),
  rejects: (generation: number) => fail(ofItsOwn(generation)),
  "rejects slowly": (generation: number) => delay("700 millis", fail(ofItsOwn(generation))),
  dies: (generation: number) => die(generation)
}
const expected = (
  answer: keyof typeof memberAnswers,
  generation: number
): Exit.Exit<void, SchedulerError> => {
  switch (answer) {
    case "accepts":
    case "is slow":
      return Exit.void
    case "rejects":
    case "rejects slowly":
      return Exit.fail(ofItsOwn(generation))
    case "dies":
      return Exit.die(generation)
  }
}

const Step = Schema.Struct({
  worker: Schema.Literals(["a", "b", "c"]),
  answer: Schema.Literals(["accepts", "is slow", "rejects", "rejects slowly", "dies"]),
  /** Which of the earlier calls is interrupted before this one. */
  interrupts: Schema.Literals(["none", "the last", "the one before"]),
  then: Schema.Literals(["nothing", "a tick", "a moment", "a second"])
})

const Run = Schema.Struct({
  steps: Schema.Array(Step).check(Schema.isMaxLength(16)),
  batches: Schema.Array(
    Schema.Literals([
      "answers",
      "is slow",
      "rejects",
      "rejects slowly",
      "is away",
      "is away, slowly",
      "dies",
      "does it and rejects",
      "forgets a result"
    ])
  ).check(Schema.isMaxLength(8)),
  maxMembers: Schema.Literals([1, 2, 3, 128]),
  concurrency: Schema.Literals([1, 2, 4])
})

const pauses = {
  nothing: Effect.void,
  "a tick": Effect.yieldNow,
  "a moment": TestClock.adjust("300 millis"),
  "a second": TestClock.adjust("1 second")
}

interface Call {
  readonly id: string
  readonly generation: number
  readonly answer: keyof typeof memberAnswers
  readonly fiber: Fiber.Fiber<void, SchedulerError>
  isInterrupted: boolean
}

describe("MicroBatching, whatever is called and interrupted, whenever, however the scheduler answers", () => {
  it.effect.prop(
    "answers each caller for its own worker, and keeps the order of a worker's calls",
    [Run],
    ([{ batches, concurrency, maxMembers, steps }]) =>
      Effect.gen(function* () {
        const scheduler = TestScheduler.make({ comparesGenerations: false })
        yield* scheduler.onEvery("register", ({ generation = 0 }) =>
          memberAnswers[steps[generation]?.answer ?? "accepts"](generation)
        )
        const { registerBatch } = scheduler.port
        assert(registerBatch !== undefined)
        let batchesSent = 0
        let wasAway = false
        const port = MicroBatching.make({ concurrency, maxMembers })({
          ...scheduler.port,
          registerBatch: (members) => {
            const answer = batches[batchesSent++] ?? "answers"
            wasAway ||= answer.startsWith("is away")
            return batchAnswers[answer](registerBatch(members))
          }
        })

        const calls: Array<Call> = []
        for (const [generation, { answer, interrupts, then, worker: id }] of steps.entries()) {
          const interrupted = { none: undefined, "the last": calls.at(-1), "the one before": calls.at(-2) }[
            interrupts
          ]
          if (interrupted !== undefined) {
            interrupted.isInterrupted ||= interrupted.fiber.pollUnsafe() === undefined
            yield* Fiber.interrupt(interrupted.fiber)
          }
          const worker = new Worker({ id: WorkerId.make(id), capabilities })
          const fiber = yield* Effect.forkChild(port.register(worker, { generation }), {
            startImmediately: true
          })
          calls.push({ id, generation, answer, fiber, isInterrupted: false })
          yield* pauses[then]
        }
        yield* Effect.repeat(TestClock.adjust("1 second"), { times: 60 })

        for (const { answer, fiber, generation, isInterrupted } of calls) {
          const exit = fiber.pollUnsafe()
          assert.isDefined(exit, "a call never ended")
          if (isInterrupted) continue
          const isAway = wasAway && Exit.isFailure(exit) && Cause.squash(exit.cause) === away
          if (!isAway) assert.deepStrictEqual(exit, expected(answer, generation))
        }
        assert.isAtMost(yield* scheduler.peakConcurrency, concurrency)

        const held = yield* scheduler.workers
        for (const id of ["a", "b", "c"]) {
          const arrivals = Array.from(
            new Set((yield* scheduler.callsOf(id)).map(({ generation = -1 }) => generation))
          )
          assert.deepStrictEqual(
            arrivals,
            arrivals.toSorted((left, right) => left - right),
            "a call has overtaken an earlier one"
          )
          const own = calls.filter((call) => call.id === id)
          const last = own.at(-1)
          const exit = last?.fiber.pollUnsafe()
          // The test scheduler runs the members of a batch side by side: a slow one may be the last to be done.
          if (own.some(({ answer }) => answer === "is slow") || exit === undefined || Exit.isFailure(exit))
            continue
          assert.strictEqual(
            held.find(({ worker }) => worker.id === id)?.generation,
            last?.generation,
            "an earlier state of a worker has replaced a later one"
          )
        }
      }).pipe(Effect.provide(TestClock.layer()), Effect.provide(Logger.layer([]))),
    { arbitrary: { runs: 500 } }
  )
})
