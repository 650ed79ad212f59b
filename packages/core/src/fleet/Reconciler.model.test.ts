import { assert, describe, it } from "@effect/vitest"
import { TestFleet } from "@muster/testing"
import { Duration, Effect, Exit, Option, Random, References, Result, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { type SchedulerError, SchedulerRejected, SchedulerUnavailable } from "../SchedulerError.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import { WorkerId } from "../WorkerId.ts"
import type { NotAccepted } from "./Fleet.ts"
import type { Accepted } from "./Once.ts"
import { isUnfinished } from "./WorkerRecord.ts"

const names = ["a", "b", "leased"] as const

const Step = Schema.Struct({
  worker: Schema.Literals(names),
  happens: Schema.Literals([
    "wanted",
    "wanted larger",
    "wanted urgently",
    "ready",
    "terminated",
    "dropped",
    "retried",
    "given up",
    "heartbeat",
    "the scheduler forgets",
    "crash"
  ]),
  thenMillis: Schema.Literals([0, 1, 50, 150, 1_000, 40_000, 600_000])
})
type Step = typeof Step.Type

/** How the scheduler meets a call. */
const SchedulerAnswer = Schema.Literals([
  "succeeds",
  "is slow",
  "fails",
  "asks for time",
  "rejects",
  "dies",
  "hangs",
  "does it and hangs",
  "does it and fails",
  "does it long after it was given up"
])
type SchedulerAnswer = typeof SchedulerAnswer.Type

/** How the store meets a transaction, or a question. */
const StoreAnswer = Schema.Literals(["succeeds", "fails", "does it and fails", "is slow"])

const Run = Schema.Struct({
  /** Whether the fleet compares itself with the scheduler from time to time. */
  compares: Schema.Boolean,
  /** Of the fleet's own dice. */
  seed: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 })),
  steps: Schema.Array(Step).check(Schema.isMaxLength(14)),
  scheduler: Schema.Array(SchedulerAnswer).check(Schema.isMaxLength(20)),
  transactions: Schema.Array(StoreAnswer).check(Schema.isMaxLength(20)),
  questions: Schema.Array(StoreAnswer).check(Schema.isMaxLength(10))
})

const unavailable = new SchedulerUnavailable({ message: "connection refused" })

const answered = <A>(
  answer: SchedulerAnswer,
  call: Effect.Effect<A, SchedulerError>
): Effect.Effect<A, SchedulerError> => {
  switch (answer) {
    case "succeeds":
      return call
    case "is slow":
      return Effect.delay(call, "2 seconds")
    case "fails":
      return Effect.fail(unavailable)
    case "asks for time":
      return Effect.fail(new SchedulerUnavailable({ message: "busy", retryAfter: Duration.minutes(2) }))
    case "rejects":
      return Effect.fail(new SchedulerRejected({ message: "no such pool" }))
    case "dies":
      return Effect.die("a bug")
    case "hangs":
      return Effect.never
    case "does it and hangs":
      return Effect.andThen(call, Effect.never)
    case "does it and fails":
      return Effect.andThen(call, Effect.fail(unavailable))
    case "does it long after it was given up":
      return Effect.andThen(Effect.forkDetach(Effect.exit(Effect.delay(call, "45 seconds"))), Effect.never)
  }
}

/** A port before which each call meets the next answer. */
const misbehaving =
  (next: () => SchedulerAnswer) =>
  (port: SchedulerPort["Service"]): SchedulerPort["Service"] => {
    const { get, list } = port
    return SchedulerPort.make({
      register: (worker, options) => answered(next(), port.register(worker, options)),
      unregister: (workerId, options) => answered(next(), port.unregister(workerId, options)),
      ...(get === undefined ? undefined : { get: (workerId) => answered(next(), get(workerId)) }),
      ...(list === undefined
        ? undefined
        : { list: Stream.unwrap(Effect.suspend(() => answered(next(), Effect.succeed(list)))) })
    })
  }

/** What can be so of a worker after all that was answered. */
interface Expected {
  readonly possible: ReadonlyArray<State>
  /** The generations under which it was wanted, as they were answered. */
  readonly provisioned: ReadonlyArray<number>
  readonly lastGeneration: number
  /** It was given up that it would not be unregistered, and nothing came since: the scheduler may still have it. */
  readonly isAbandoned: boolean
}

type State = "unknown" | "gone" | "small" | "large"

const nothingYet: Expected = { possible: ["unknown"], provisioned: [], lastGeneration: 0, isAbandoned: false }

/** What a step makes of a worker that is so, if it is accepted. */
const after = (state: State, { happens }: Step): State => {
  switch (happens) {
    case "wanted":
    case "wanted urgently":
      return "small"
    case "wanted larger":
      return "large"
    case "terminated":
    case "given up":
      return state === "unknown" ? state : "gone"
    case "dropped":
      return "gone"
    default:
      return state
  }
}

const isWanting = ({ happens }: Step) => happens.startsWith("wanted")

/** Brings a change to the fleet. `None`: it is none, or there was nothing to change. */
const bring = (test: TestFleet, step: Step): Effect.Effect<Option.Option<Accepted>, NotAccepted> => {
  const { fleet } = test
  const { happens, worker } = step
  const id = WorkerId.make(worker)
  const lease = worker === "leased" ? { leaseTtl: Duration.minutes(1) } : {}
  const orNone = <E extends { readonly _tag: string }>(
    change: Effect.Effect<Accepted, E | NotAccepted>
  ): Effect.Effect<Option.Option<Accepted>, NotAccepted> =>
    Effect.matchEffect(change, {
      onSuccess: (accepted) => Effect.succeedSome(accepted),
      onFailure: (error) => (isNotAccepted(error) ? Effect.fail(error) : Effect.succeedNone)
    })
  switch (happens) {
    case "wanted":
      return Effect.asSome(test.want(worker, { cpuCores: 1, ...lease }))
    case "wanted urgently":
      return Effect.asSome(test.want(worker, { cpuCores: 1, priority: "critical", ...lease }))
    case "wanted larger":
      return Effect.asSome(test.want(worker, { cpuCores: 2, ...lease }))
    case "ready":
      return orNone(fleet.ready(id, {}))
    case "terminated":
      return orNone(fleet.terminate(id))
    case "dropped":
      return Effect.asSome(fleet.drop(id, {}))
    case "retried":
      return orNone(fleet.retry(id))
    case "given up":
      return orNone(fleet.giveUp(id))
    case "heartbeat":
      return Effect.as(Effect.exit(fleet.heartbeat(id)), Option.none())
    case "the scheduler forgets":
      return Effect.as(test.scheduler.forget, Option.none())
    case "crash":
      return Effect.as(Effect.andThen(test.crash, Effect.orDie(test.start)), Option.none())
  }
}

const isNotAccepted = (error: { readonly _tag: string }): error is NotAccepted =>
  error._tag === "FleetFull" || error._tag === "KeyReused" || error._tag === "StoreUnavailable"

/** Waits for it, in steps of a tenth of a second and not for longer than it can take. */
const inTime = Effect.fnUntraced(function* <A, E>(effect: Effect.Effect<A, E>, what: string) {
  const fiber = yield* Effect.forkChild(Effect.result(effect))
  for (let i = 0; i < 200 && fiber.pollUnsafe() === undefined; i++) yield* TestClock.adjust("100 millis")
  const exit = fiber.pollUnsafe()
  if (exit === undefined || Exit.isFailure(exit)) return assert.fail(`${what} did not end: ${String(exit)}`)
  return exit.value
})

/** What can be so of a worker after a step that was answered in this way. */
const follow = (
  expected: Expected,
  step: Step,
  result: Result.Result<Option.Option<Accepted>, NotAccepted>
): Expected => {
  const changed = expected.possible.map((state) => after(state, step))
  const isLeased = step.worker === "leased"
  const all = (states: ReadonlyArray<State>): ReadonlyArray<State> =>
    Array.from(new Set(isLeased && states.some(isWanted) ? [...states, "gone"] : states))
  const isGivenUp = step.happens === "given up"
  if (Result.isFailure(result)) {
    const isAbandoned = expected.isAbandoned || isGivenUp
    return { ...expected, possible: all([...expected.possible, ...changed]), isAbandoned }
  }
  if (Option.isNone(result.success)) return { ...expected, possible: all(expected.possible) }
  const { generation, phase } = result.success.value
  assert.isAtLeast(generation, expected.lastGeneration, "a generation went back")
  const isNew = generation > expected.lastGeneration
  return {
    possible: all(changed),
    provisioned: isNew && isWanting(step) ? [...expected.provisioned, generation] : expected.provisioned,
    lastGeneration: generation,
    isAbandoned: !isNew && (expected.isAbandoned || (isGivenUp && phase === "terminated"))
  }
}

const isWanted = (state: State) => state === "small" || state === "large"

/** What is so of a worker, and whether everything says the same. */
const look = Effect.fnUntraced(function* (test: TestFleet, name: string, mayBeHeld: boolean) {
  const id = WorkerId.make(name)
  const [record] = yield* test.kept.get([id])
  const held = (yield* test.scheduler.workers).find(({ worker }) => worker.id === name)
  if (record === undefined) {
    assert.isUndefined(held, `${name} is a ghost`)
    return { state: "unknown", changes: [] } as const
  }
  assert.isFalse(isUnfinished(record), `${name} is unfinished: ${JSON.stringify(record)}`)
  const segments = yield* test.kept.timeline(id)
  const items = segments.flatMap((segment) => segment.items)
  let told = record.told - items.length
  for (const segment of segments) {
    told += segment.items.length
    assert.strictEqual(segment.last, told, `${name}: an item is missing, or counted twice`)
  }
  const phase = items.findLast(({ type }) => type === "phase")
  assert.strictEqual(
    phase?.type === "phase" ? phase.phase : undefined,
    record.phase,
    `the last phase of ${name}`
  )
  const changes = items.filter((item) => item.type === "change")
  const generations = changes.map(({ generation }) => generation)
  assert.deepStrictEqual(
    generations,
    generations.toSorted((left, right) => left - right),
    `the generations of ${name}`
  )
  if (record.desired === "unregistered") {
    assert.strictEqual(record.phase, "terminated")
    if (!mayBeHeld) assert.isUndefined(held, `${name} is a ghost`)
    return { state: "gone", changes } as const
  }
  assert.include(["registered", "ready"], record.phase)
  assert.strictEqual(held?.generation, record.generation, `${name} is not held as it is wanted`)
  assert.strictEqual(held?.worker.capabilities.cpuCores, record.stored?.worker.capabilities.cpuCores)
  return { state: held?.worker.capabilities.cpuCores === 1 ? "small" : "large", changes } as const
})

describe("whatever happens, however the scheduler and the store answer, and whenever the process crashes", () => {
  it.effect.prop(
    "once the faults stop, the scheduler has what is wanted and nothing else, and nothing that was accepted is lost",
    [Run],
    ([run]) =>
      Effect.gen(function* () {
        let isFaulty = true
        let calls = 0
        const test = yield* TestFleet.make({
          around: misbehaving(() => (isFaulty ? run.scheduler[calls++] : undefined) ?? "succeeds"),
          fleet: run.compares
            ? { checkAfter: Duration.minutes(1) }
            : { checkAfter: Duration.infinity, driftInterval: Duration.infinity }
        })
        let transactions = 0
        let questions = 0
        const misbehave = () => {
          test.store.answer = (operation) => {
            const answer =
              operation === "modify" || operation === "probe" || operation.startsWith("forget")
                ? run.transactions[transactions++]
                : run.questions[questions++]
            return answer === "is slow"
              ? { before: "700 millis", after: "700 millis" }
              : (answer ?? "succeeds")
          }
        }
        const expected = new Map<string, Expected>()
        misbehave()
        for (const step of run.steps) {
          // Of both, only a comparison can repair what they leave.
          const isForgetful = step.happens === "the scheduler forgets" || step.happens === "given up"
          if (isForgetful && !run.compares) continue
          const result = yield* inTime(bring(test, step), step.happens)
          if (step.happens === "crash") misbehave()
          expected.set(step.worker, follow(expected.get(step.worker) ?? nothingYet, step, result))
          yield* TestClock.adjust(step.thenMillis)
        }

        // The faults stop. The last call under way is given up, and late ones arrive.
        test.store.answer = () => "succeeds"
        isFaulty = false
        yield* TestClock.adjust("20 minutes")
        for (let i = 0; i < 21 && (yield* test.kept.list({ phases: ["failed"] }, 9, 0)).total > 0; i++) {
          yield* inTime(test.fleet.retryAll({}), "retrying all")
          yield* TestClock.adjust("5 minutes")
        }
        yield* TestClock.adjust("15 minutes")

        for (const name of names) {
          const { isAbandoned, possible, provisioned } = expected.get(name) ?? nothingYet
          const { changes, state } = yield* look(test, name, isAbandoned && !run.compares)
          assert.include(name === "leased" ? [...possible, "gone"] : possible, state, name)
          for (const generation of provisioned) {
            const told = changes.filter(
              (item) => item.generation === generation && item.change === "provisioned"
            )
            assert.lengthOf(told, 1, `${name} at ${generation}`)
          }
        }
        yield* inTime(test.fleet.drained, "draining")
        const overview = yield* test.kept.overview
        const { total } = yield* test.kept.list({}, 1, 0)
        assert.deepStrictEqual(yield* test.fleet.load, { unfinished: 0, inFlight: 0, known: total })
        assert.strictEqual(overview.unfinished, 0)
        assert.deepStrictEqual(yield* test.gauges, Object.fromEntries(overview.phases))
      }).pipe(
        Random.withSeed(run.seed),
        Effect.provide(TestClock.layer()),
        Effect.provideService(References.MinimumLogLevel, "None")
      ),
    { arbitrary: { runs: 300 } }
  )
})
