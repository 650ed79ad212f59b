import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Option,
  Result,
  Schedule,
  Schema,
  type Scope
} from "effect"
import { TestClock } from "effect/testing"
import { RegistrationConfig } from "../RegistrationConfig.ts"
import {
  type SchedulerError,
  SchedulerFault,
  SchedulerRejected,
  SchedulerUnavailable,
  wasNotSent
} from "../SchedulerError.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import { Worker, WorkerCapabilities, WorkerId } from "../Worker.ts"
import { AdaptiveConcurrency } from "./AdaptiveConcurrency.ts"
import { CircuitBreaker } from "./CircuitBreaker.ts"
import { MicroBatching } from "./MicroBatching.ts"
import { Pacing } from "./Pacing.ts"
import { RetryBudget } from "./RetryBudget.ts"

/** What the scheduler has to say to one call. */
const failures = {
  rejects: new SchedulerRejected({ message: "no such partition" }),
  "is away": new SchedulerUnavailable({ message: "connection refused" }),
  "has enough": new SchedulerUnavailable({ message: "overloaded", retryAfter: Duration.millis(700) }),
  "has enough for long": new SchedulerUnavailable({ message: "overloaded", retryAfter: Duration.seconds(4) }),
  "lets the worker wait": new SchedulerUnavailable({ message: "the node is busy", concerns: "worker" }),
  "fails for now": new SchedulerFault({ message: "a strange answer", retryable: true }),
  "fails for good": new SchedulerFault({ message: "a strange answer", retryable: false })
}
type Answer = "accepts" | "is slow" | "hangs" | "dies" | keyof typeof failures
const answers = [
  "accepts",
  "is slow",
  "hangs",
  "dies",
  "rejects",
  "is away",
  "has enough",
  "has enough for long",
  "lets the worker wait",
  "fails for now",
  "fails for good"
] as const satisfies ReadonlyArray<Answer>

const isFailure = (answer: Answer): answer is keyof typeof failures => answer in failures

interface SentCall {
  readonly workerId: string
  readonly generation: number
  readonly members: number
  readonly startedAt: number
  readonly answer: Answer
  endedAt: number | undefined
}

/** A scheduler that answers its calls one by one as it is told, over and over, until it is well and accepts. */
class Scripted {
  readonly sent: Array<SentCall> = []
  inFlight = 0
  peak = 0
  isWell = false
  private readonly script: ReadonlyArray<Answer>
  private readonly onCall: (call: SentCall) => Effect.Effect<void>

  constructor(
    script: ReadonlyArray<Answer>,
    onCall: (call: SentCall) => Effect.Effect<void> = () => Effect.void
  ) {
    this.script = script
    this.onCall = onCall
  }

  private answer(workerId: string, generation: number, members: number): Effect.Effect<void, SchedulerError> {
    return Effect.clockWith((clock) => {
      const answer = this.isWell
        ? "accepts"
        : (this.script[this.sent.length % this.script.length] ?? "accepts")
      const call: SentCall = {
        workerId,
        generation,
        members,
        startedAt: clock.currentTimeMillisUnsafe(),
        answer,
        endedAt: undefined
      }
      this.sent.push(call)
      this.peak = Math.max(this.peak, ++this.inFlight)
      return Effect.andThen(this.onCall(call), says(answer)).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            this.inFlight--
            call.endedAt = clock.currentTimeMillisUnsafe()
          })
        )
      )
    })
  }

  get port(): SchedulerPort["Service"] {
    return SchedulerPort.make({
      register: ({ id }, { generation }) => this.answer(id, generation, 1),
      unregister: (id, { generation }) => this.answer(id, generation, 1),
      registerBatch: (members) =>
        Effect.map(
          this.answer(members[0]?.worker.id ?? "", members[0]?.generation ?? 0, members.length),
          () => members.map(() => Result.void)
        )
    })
  }
}

const says = (answer: Answer): Effect.Effect<void, SchedulerError> => {
  if (isFailure(answer)) return Effect.fail(failures[answer])
  switch (answer) {
    case "accepts":
      return Effect.void
    case "is slow":
      return Effect.sleep("700 millis")
    case "hangs":
      return Effect.never
    case "dies":
      return Effect.die("an adapter's bug")
  }
}

const Step = Schema.Struct({
  worker: Schema.Literals(["a", "b", "c", "d"]),
  operation: Schema.Literals(["register", "register", "unregister", "batch"]),
  /** Whether this worker has changed since its last call; if not, this call tries that one again. */
  isNew: Schema.Boolean,
  /** How many make this call at the same moment, each for a worker of its own. */
  callers: Schema.Literals([1, 1, 2, 30]),
  /** Whether the callers of the step before leave. */
  leave: Schema.Boolean,
  then: Schema.Literals([0, 0, 10, 300, 1000, 5000])
})
const Steps = Schema.Array(Step).check(Schema.isMaxLength(24))
const Answers = Schema.Array(Schema.Literals(answers)).check(Schema.isMaxLength(60))

const capabilities = new WorkerCapabilities({ cpuCores: 1, memoryMb: 1 })
const workerOf = (id: string) => new Worker({ id: WorkerId.make(id), capabilities })

/** As long as a caller waits for one call. */
const patience = Duration.seconds(8)

type Fate = Exit.Exit<Option.Option<void>, SchedulerError>
interface MadeCall {
  readonly fiber: Fiber.Fiber<Option.Option<void>, SchedulerError>
  hasLeft: boolean
}

/** Makes the calls of these steps, and waits until all of them have ended. */
const drive = Effect.fnUntraced(function* (
  port: SchedulerPort["Service"],
  steps: typeof Steps.Type,
  onMade: (fate: Fate) => Effect.Effect<void> = () => Effect.void
) {
  const { registerBatch } = port
  assert(registerBatch !== undefined)
  const call = (operation: (typeof Step.Type)["operation"], id: string, generation: number) => {
    const worker = workerOf(id)
    switch (operation) {
      case "register":
        return port.register(worker, { generation })
      case "unregister":
        return port.unregister(worker.id, { generation })
      case "batch":
        return Effect.asVoid(
          registerBatch([
            { worker, generation },
            { worker: workerOf(`${id}-2`), generation }
          ])
        )
    }
  }
  const generations = new Map<string, number>()
  const made: Array<MadeCall> = []
  let latest: ReadonlyArray<MadeCall> = []
  for (const [index, { callers, isNew, leave, operation, then, worker }] of steps.entries()) {
    if (leave) {
      for (const call of latest) {
        call.hasLeft ||= call.fiber.pollUnsafe() === undefined
        yield* Fiber.interrupt(call.fiber)
      }
    }
    const generation = isNew ? index + 1 : (generations.get(worker) ?? index + 1)
    generations.set(worker, generation)
    latest = yield* Effect.forEach(Array.from({ length: callers }).keys(), (caller) =>
      Effect.timeoutOption(call(operation, `${worker}-${caller}`, generation), patience).pipe(
        Effect.onExit(onMade),
        Effect.forkChild({ startImmediately: true }),
        Effect.map((fiber): MadeCall => ({ fiber, hasLeft: false }))
      )
    )
    made.push(...latest)
    yield* TestClock.adjust(then)
  }
  yield* Effect.repeat(TestClock.adjust("500 millis"), { times: 40 })
  return made
})

const pass = (millis: number) => Effect.repeat(TestClock.adjust("100 millis"), { times: millis / 100 })

const inTestTime = <A, E>(run: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.scoped(run).pipe(Effect.provide(TestClock.layer()), Effect.provide(Logger.layer([])))

const configuration = Layer.orDie(RegistrationConfig.layer({ attemptTimeout: patience }))

/** A policy before the scripted scheduler, with whatever else it provides. */
const build = <R, E>(
  policy: Layer.Layer<SchedulerPort | R, E, SchedulerPort>,
  scheduler: Scripted
): Effect.Effect<Context.Context<SchedulerPort | R>, E, Scope.Scope> =>
  Layer.build(
    policy.pipe(Layer.provide(Layer.succeed(SchedulerPort, scheduler.port)), Layer.provide(configuration))
  )

const policies = {
  breaker: CircuitBreaker.layer,
  pacing: Pacing.layer,
  budget: RetryBudget.layerWith({ minPerSecond: 2 }),
  batching: MicroBatching.layerWith({ maxMembers: 8, concurrency: 2 }),
  adaptive: AdaptiveConcurrency.layerWith({ ceiling: 4, initial: 2 })
} satisfies Record<string, Layer.Layer<SchedulerPort, never, SchedulerPort>>

const Stack = Schema.Array(Schema.Literals(["breaker", "pacing", "budget", "batching", "adaptive"])).check(
  Schema.isMaxLength(6)
)

/** What an answer may be: the scheduler's own, or a refusal that says that nothing was sent. */
const isHonest = (fate: Fate): boolean => {
  if (Exit.isSuccess(fate)) return true
  const error = Option.getOrUndefined(Exit.findErrorOption(fate))
  if (error === undefined) return Cause.hasDies(fate.cause) || Cause.hasInterruptsOnly(fate.cause)
  if (wasNotSent(error)) return true
  if (error._tag === "SchedulerUnavailable" && error.timeout !== undefined) return true
  return Object.values(failures).some(({ message }) => error.message.includes(message))
}

describe("policies, in whatever number and order, whatever is called and left, however the scheduler answers", () => {
  it.effect.prop(
    "end every call with an answer of the scheduler's, and let calls through again once it is well",
    [Stack, Steps, Answers],
    ([stack, steps, script]) =>
      inTestTime(
        Effect.gen(function* () {
          const scheduler = new Scripted(script)
          const layer = stack.reduce<Layer.Layer<SchedulerPort, never, SchedulerPort>>(
            (below, name) => policies[name].pipe(Layer.provide(below)),
            Layer.effect(SchedulerPort, SchedulerPort)
          )
          const port = Context.get(yield* build(layer, scheduler), SchedulerPort)
          const made = yield* drive(port, steps)
          for (const { fiber, hasLeft } of made) {
            const fate = fiber.pollUnsafe()
            assert.isDefined(fate, "a call never ended")
            assert.isTrue(hasLeft || isHonest(fate), `never the scheduler's answer: ${String(fate)}`)
          }
          assert.strictEqual(scheduler.inFlight, 0, "a call went on although nobody waited for it")

          scheduler.isWell = true
          const before = scheduler.sent.length
          const tried = yield* port
            .register(workerOf("late"), { generation: 1_000 })
            .pipe(Effect.retry(Schedule.spaced("1 second")), Effect.forkChild({ startImmediately: true }))
          yield* pass(60_000)
          assert.deepStrictEqual(tried.pollUnsafe(), Exit.void, "nothing gets through any more")
          assert.isAbove(scheduler.sent.length, before)
        })
      ),
    { arbitrary: { runs: 300 } }
  )
})

describe("the circuit breaker, however the scheduler answers", () => {
  it.effect.prop(
    "makes no call while it is open, and one at a time until the scheduler answers",
    [Steps, Answers, Schema.Literals(["a rate", "a row"])],
    ([steps, script, trip]) =>
      inTestTime(
        Effect.gen(function* () {
          const probes: Array<SentCall> = []
          const circuit: { state: Effect.Effect<string> } = { state: Effect.succeed("closed") }
          const scheduler = new Scripted(script, (call) =>
            Effect.map(circuit.state, (state) => {
              assert.notStrictEqual(state, "open", "a call was made while the circuit was open")
              if (state === "closed") return
              assert.isTrue(
                probes.every(({ endedAt }) => endedAt !== undefined),
                "two calls at a time find out whether the scheduler is back"
              )
              probes.push(call)
            })
          )
          const context = yield* build(
            CircuitBreaker.layerWith(trip === "a rate" ? {} : { consecutiveFailures: 2 }),
            scheduler
          )
          circuit.state = Context.get(context, CircuitBreaker).state
          const refusedUntil: Array<readonly [from: number, until: number]> = []
          yield* drive(Context.get(context, SchedulerPort), steps, (fate) =>
            Effect.clockWith((clock) => {
              const error = Exit.isFailure(fate)
                ? Option.getOrUndefined(Exit.findErrorOption(fate))
                : undefined
              if (error?._tag === "SchedulerUnavailable" && error.message.startsWith("the circuit is open")) {
                assert(error.retryAfter !== undefined)
                const now = clock.currentTimeMillisUnsafe()
                refusedUntil.push([now, now + Duration.toMillis(error.retryAfter)])
              }
              return Effect.void
            })
          )
          for (const [from, until] of refusedUntil) {
            const early = scheduler.sent.filter(({ startedAt }) => startedAt > from && startedAt < until)
            assert.deepStrictEqual(early, [], `a call was made before ${until}, as it was said at ${from}`)
          }
          const unanswered = ["hangs", "is away", "fails for now"]
          if (!scheduler.sent.some(({ answer }) => unanswered.includes(answer))) {
            assert.isEmpty(probes, "the circuit has opened before a scheduler that answers")
          }
        })
      ),
    { arbitrary: { runs: 300 } }
  )
})

/** The most members of calls that began within any so many milliseconds. */
const mostWithin = (sent: ReadonlyArray<SentCall>, millis: number): number =>
  Math.max(
    0,
    ...sent.map(({ startedAt }) =>
      sent
        .filter((call) => call.startedAt >= startedAt && call.startedAt < startedAt + millis)
        .reduce((sum, { members }) => sum + members, 0)
    )
  )

describe("pacing, however the scheduler answers", () => {
  it.effect.prop(
    "never exceeds the rate that it was told, and lets the scheduler alone for as long as that asks",
    [Steps, Answers, Schema.Literals([2, 5, 20])],
    ([steps, script, maxRate]) =>
      inTestTime(
        Effect.gen(function* () {
          const scheduler = new Scripted(script)
          const context = yield* build(Pacing.layerWith({ maxRate }), scheduler)
          yield* drive(Context.get(context, SchedulerPort), steps)
          // One may go at once; a batch of two borrows one from what comes.
          assert.isAtMost(mostWithin(scheduler.sent, 1000), maxRate + 2)
          for (const { answer, endedAt, members } of scheduler.sent) {
            if (endedAt === undefined || !answer.startsWith("has enough") || members > 1) continue
            const pause = answer === "has enough" ? 700 : 4000
            const early = scheduler.sent.filter(
              ({ startedAt }) => startedAt > endedAt && startedAt < endedAt + pause
            )
            assert.deepStrictEqual(early, [], `a call was made within ${pause} ms of ${endedAt}`)
          }
          assert.strictEqual(Context.get(context, Pacing).state().waiting, 0)
        })
      ),
    { arbitrary: { runs: 300 } }
  )
})

/** A scheduler before which much is tried again. */
const FailedOften = Schema.Array(
  Schema.Literals(["is away", "has enough", "fails for now", "accepts", "rejects"])
).check(Schema.isMinLength(1), Schema.isMaxLength(30))

describe("the retry budget, however the scheduler answers", () => {
  it.effect.prop(
    "lets no more be tried again than it says",
    [Steps, FailedOften],
    ([steps, script]) =>
      inTestTime(
        Effect.gen(function* () {
          const [ratio, minPerSecond] = [0.2, 0.1]
          const scheduler = new Scripted(script)
          const context = yield* build(RetryBudget.layerWith({ ratio, minPerSecond }), scheduler)
          const insistent = steps.map((step, index) => ({
            ...step,
            worker: "a" as const,
            callers: 30 as const,
            isNew: index % 3 === 0
          }))
          yield* drive(Context.get(context, SchedulerPort), insistent)

          const seen = new Map<string, SentCall>()
          const retries: Array<SentCall> = []
          for (const call of scheduler.sent) {
            const key = `${call.workerId} ${call.generation}`
            const before = seen.get(key)
            const canPass = ["is away", "fails for now", "has enough", "has enough for long"]
            if (before?.endedAt !== undefined && canPass.includes(before.answer)) retries.push(call)
            seen.set(key, call)
          }
          const firstAttempts = mostWithin(scheduler.sent, 10_000)
          assert.isAtMost(
            mostWithin(
              retries.map((call) => ({ ...call, members: 1 })),
              9000
            ),
            // A batch goes when anything of the budget is left.
            minPerSecond * 10 + ratio * firstAttempts + 1
          )
        })
      ),
    { arbitrary: { runs: 300 } }
  )
})

describe("the retry budget, whatever has failed", () => {
  it.effect.prop(
    "holds up no first attempt",
    [Steps, FailedOften],
    ([steps, script]) =>
      inTestTime(
        Effect.gen(function* () {
          const scheduler = new Scripted(script)
          const context = yield* build(RetryBudget.layerWith({ minPerSecond: 0.1 }), scheduler)
          const changes = steps.map((step) => ({ ...step, isNew: true }))
          yield* drive(Context.get(context, SchedulerPort), changes)
          let now = 0
          const madeAt = changes.flatMap(({ callers, then }) => {
            const calls = Array.from({ length: callers }, () => now)
            now += then
            return calls
          })
          assert.deepStrictEqual(
            scheduler.sent.map(({ startedAt }) => startedAt),
            madeAt
          )
        })
      ),
    { arbitrary: { runs: 200 } }
  )
})

describe("adaptive concurrency, however fast the scheduler answers", () => {
  it.effect.prop(
    "keeps the calls under way between its bounds, and gives every place back",
    [Steps, Answers, Schema.Literals([1, 2]), Schema.Literals([2, 4, 64])],
    ([steps, script, floor, ceiling]) =>
      inTestTime(
        Effect.gen(function* () {
          const { state } = yield* Effect.gen(function* () {
            const scheduler = new Scripted(script)
            const context = yield* build(AdaptiveConcurrency.layerWith({ floor, ceiling }), scheduler)
            const { state } = Context.get(context, AdaptiveConcurrency)
            yield* drive(Context.get(context, SchedulerPort), steps, () =>
              Effect.sync(() => {
                assert.isAtLeast(state().limit, floor)
                assert.isAtMost(state().limit, ceiling)
              })
            )
            assert.isAtMost(scheduler.peak, ceiling)
            return { state }
          })
          assert.deepInclude(state(), { inFlight: 0, waiting: 0 })
        })
      ),
    { arbitrary: { runs: 300 } }
  )
})
