/**
 * A scheduler for tests. It holds state like a real one, answers as its script says, for each worker and attempt,
 * and remembers every call with its time. All time is the `Clock`'s, so that under `TestClock` nothing waits.
 */
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Option, Stream, Struct } from "effect"
import {
  EmbeddedScheduler,
  type HeldWorker,
  RateLimit,
  type SchedulerCapability,
  type SchedulerError,
  type SchedulerImplementation,
  SchedulerPort,
  SchedulerUnavailable,
  type Worker,
  WorkerId
} from "@muster/core"
import { type BegunCall, type CallDetails, CallLog, type Operation, type RecordedCall } from "./CallLog.ts"
import {
  type Always,
  type Answer,
  always,
  applyThen,
  delay,
  die,
  fail,
  hang,
  type Script,
  Scripts,
  succeed,
  throws
} from "./Script.ts"

export type { Always, Answer, Operation, RecordedCall, Script }

export interface TestSchedulerOptions {
  /** The optional parts of the port that it has. Default: all of them. */
  readonly capabilities?: ReadonlyArray<SchedulerCapability> | undefined
  /** Whether it refuses calls of an older generation, as `EmbeddedScheduler` does. Default `true`. */
  readonly comparesGenerations?: boolean | undefined
  /**
   * The most registrations and unregistrations in any one second, an integer ≥ 1; a batch counts each of its
   * members. Above it a call fails with `SchedulerUnavailable` and the exact `retryAfter`, and its script stays
   * where it is. Default: no limit.
   */
  readonly maxRate?: number | undefined
}

/**
 * The scripted scheduler. What has no script succeeds.
 *
 * @example
 * ```ts
 * import { it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { SchedulerPort, SchedulerUnavailable } from "@muster/core"
 * import { TestScheduler } from "@muster/testing"
 *
 * it.effect("fails once, then succeeds", () =>
 *   Effect.gen(function* () {
 *     const scheduler = yield* TestScheduler
 *     const refused = new SchedulerUnavailable({ message: "connection refused" })
 *     yield* scheduler.onRegister("ci-1", [TestScheduler.fail(refused), TestScheduler.succeed])
 *     // … what is tested, and then: yield* scheduler.calls
 *   }).pipe(Effect.provide(TestScheduler.layer))
 * )
 * ```
 */
export class TestScheduler extends Context.Service<
  TestScheduler,
  {
    readonly port: SchedulerPort["Service"]

    /**
     * Scripts the registrations of one worker, those in a batch included, from the next one on. A worker's own
     * script takes the place of the one for every worker; an empty one makes it succeed.
     */
    readonly onRegister: (workerId: string, script: Script) => Effect.Effect<void>
    readonly onUnregister: (workerId: string, script: Script) => Effect.Effect<void>
    readonly onGet: (workerId: string, script: Script) => Effect.Effect<void>
    /**
     * Scripts an operation for every worker that has no script of its own; each goes through it from the
     * beginning. For `registerBatch` (the call as a whole), `list` and `health` it is the one script.
     */
    readonly onEvery: (operation: Operation, script: Script) => Effect.Effect<void>

    /** Every call so far, in the order in which they began. A snapshot. */
    readonly calls: Effect.Effect<ReadonlyArray<RecordedCall>>
    /** Those of one worker. */
    readonly callsOf: (workerId: string) => Effect.Effect<ReadonlyArray<RecordedCall>>
    /** The most calls that were in flight at the same time; a batch is one. */
    readonly peakConcurrency: Effect.Effect<number>

    /** What it holds, in the order of first registration. */
    readonly workers: Effect.Effect<ReadonlyArray<HeldWorker>>
    /** Holds a worker that nobody registered through the port: a ghost. Dies when a newer generation is held. */
    readonly hold: (worker: Worker, generation: number) => Effect.Effect<void>
    /** Loses one worker. */
    readonly drop: (workerId: string) => Effect.Effect<void>
    /** Loses everything that it held, and its memory of unregistrations, as if restarted without its disk. */
    readonly forget: Effect.Effect<void>

    /** Sets the maximum rate from now on; `undefined` lifts it. */
    readonly setMaxRate: (perSecond: number | undefined) => Effect.Effect<void>
    /** As new: no state, no scripts, no calls, and the rate of the options. For layers that tests share. */
    readonly reset: Effect.Effect<void>
  }
>()("@muster/testing/TestScheduler") {
  static readonly succeed = succeed
  static readonly fail = fail
  static readonly delay = delay
  static readonly hang = hang
  static readonly die = die
  static readonly throws = throws
  static readonly applyThen = applyThen
  static readonly always = always

  /** A scheduler of its own, outside any layer. */
  static make(options: TestSchedulerOptions = {}): TestScheduler["Service"] {
    return make(options)
  }

  static readonly layerWith = (options: TestSchedulerOptions): Layer.Layer<TestScheduler | SchedulerPort> =>
    Layer.syncContext(() => {
      const scheduler = make(options)
      return Context.make(TestScheduler, scheduler).pipe(Context.add(SchedulerPort, scheduler.port))
    })

  static readonly layer = TestScheduler.layerWith({})
}

const make = (options: TestSchedulerOptions): TestScheduler["Service"] => {
  const state = EmbeddedScheduler.make({ comparesGenerations: options.comparesGenerations })
  const session = new Session(options.maxRate)
  const forget = state.restart({ memory: "lost" })
  const on = (operation: Operation) => (workerId: string, script: Script) =>
    Effect.sync(() => session.scripts.set(operation, workerId, script))

  return {
    port: makePort(state.port, session, options.capabilities),
    onRegister: on("register"),
    onUnregister: on("unregister"),
    onGet: on("get"),
    onEvery: (operation, script) => Effect.sync(() => session.scripts.setEvery(operation, script)),
    calls: Effect.sync(() => session.log.calls),
    callsOf: (workerId) => Effect.sync(() => session.log.calls.filter((call) => call.workerId === workerId)),
    peakConcurrency: Effect.sync(() => session.log.peakConcurrency),
    workers: state.workers,
    hold: (worker, generation) => Effect.orDie(state.port.register(worker, { generation })),
    drop: (workerId) => Effect.orDie(drop(state.port, WorkerId.make(workerId))),
    forget,
    setMaxRate: (perSecond) => Effect.sync(() => session.setMaxRate(perSecond)),
    reset: Effect.andThen(
      forget,
      Effect.sync(() => session.reset(options.maxRate))
    )
  }
}

const makePort = (
  state: CompletePort,
  session: Session,
  capabilities: ReadonlyArray<SchedulerCapability> = ["registerBatch", "list", "get", "health"]
): SchedulerPort["Service"] => {
  const optional = {
    registerBatch: (members) =>
      session.callOrThrow("registerBatch", {}, ({ index: batch }) =>
        Effect.forEach(
          members,
          ({ generation, worker }) =>
            Effect.result(
              session.call("register", { workerId: worker.id, worker, generation, batch }, () =>
                state.register(worker, { generation })
              )
            ),
          { concurrency: "unbounded" }
        )
      ),
    list: session.list(state.list),
    get: (workerId) => session.callOrThrow("get", { workerId }, () => state.get(workerId)),
    health: session.call("health", {}, () => state.health)
  } satisfies Partial<SchedulerImplementation>

  return SchedulerPort.make({
    register: (worker, { generation }) =>
      session.callOrThrow("register", { workerId: worker.id, worker, generation }, () =>
        state.register(worker, { generation })
      ),
    unregister: (workerId, { generation }) =>
      session.callOrThrow("unregister", { workerId, generation }, () =>
        state.unregister(workerId, { generation })
      ),
    ...Struct.pick(optional, capabilities)
  })
}

type CompletePort = EmbeddedScheduler["Service"]["port"]

/** From one reset to the next: how calls are answered, and what is known of them. */
class Session {
  scripts = new Scripts()
  log = new CallLog()
  private rateLimit: RateLimit | undefined

  constructor(maxRate: number | undefined) {
    this.setMaxRate(maxRate)
  }

  setMaxRate(perSecond: number | undefined): void {
    this.rateLimit = perSecond === undefined ? undefined : new RateLimit(perSecond)
  }

  reset(maxRate: number | undefined): void {
    this.setMaxRate(maxRate)
    this.scripts = new Scripts()
    this.log = new CallLog()
  }

  /** A call that is recorded and answered; `apply` does what it asks for. */
  call<A>(
    operation: Operation,
    details: CallDetails,
    apply: (call: RecordedCall) => Effect.Effect<A, SchedulerError>
  ): Effect.Effect<A, SchedulerError> {
    return Effect.suspend(() => {
      // It begins inside of onExit, so that an interruption finds either no call or one that will be ended.
      let begun: BegunCall | undefined
      return Effect.onExit(
        Effect.clockWith((clock) => {
          begun = this.log.begin(operation, details, clock)
          const { call } = begun
          return perform(
            this.answer(call),
            Effect.suspend(() => apply(call))
          )
        }),
        (exit) => Effect.sync(() => begun?.end(exit))
      )
    })
  }

  /** The same, but throws now where the script says so. */
  callOrThrow<A>(
    operation: Operation,
    details: CallDetails,
    apply: (call: RecordedCall) => Effect.Effect<A, SchedulerError>
  ): Effect.Effect<A, SchedulerError> {
    const call = this.call(operation, details, apply)
    if (!this.scripts.throwsNext(operation, details.workerId)) return call
    const exit = Effect.runSyncExitWith(Fiber.getCurrent()?.context ?? Context.empty())(call)
    if (Exit.isFailure(exit) && Cause.hasDies(exit.cause)) throw Cause.squash(exit.cause)
    return exit
  }

  /** A listing that is recorded and answered. */
  list(held: Stream.Stream<HeldWorker, SchedulerError>): Stream.Stream<HeldWorker, SchedulerError> {
    return Stream.suspend(() => {
      let begun: BegunCall | undefined
      return Stream.onExit(
        Stream.unwrap(
          Effect.clockWith((clock) => {
            begun = this.log.begin("list", {}, clock)
            return Effect.succeed(performList(this.answer(begun.call), held))
          })
        ),
        (exit) => Effect.sync(() => begun?.end(exit))
      )
    })
  }

  private answer(call: RecordedCall): Answer {
    const isCounted = call.operation === "register" || call.operation === "unregister"
    const wait = isCounted ? (this.rateLimit?.take(call.startedAt) ?? 0) : 0
    return wait > 0 ? fail(overloaded(wait)) : this.scripts.next(call)
  }
}

const drop = Effect.fnUntraced(function* (port: CompletePort, workerId: WorkerId) {
  const held = yield* port.get(workerId)
  if (Option.isSome(held)) yield* port.unregister(workerId, { generation: held.value.generation ?? 0 })
})

const perform = <A>(
  answer: Answer,
  apply: Effect.Effect<A, SchedulerError>
): Effect.Effect<A, SchedulerError> => {
  switch (answer._tag) {
    case "Succeed":
      return apply
    case "Fail":
      return Effect.fail(answer.error)
    case "Delay":
      return Effect.delay(
        Effect.suspend(() => perform(answer.then, apply)),
        answer.duration
      )
    case "Hang":
      return Effect.never
    case "Die":
    case "Throw":
      return Effect.die(answer.defect)
    case "ApplyThen":
      return Effect.flatMap(apply, (value) => perform(answer.then, Effect.succeed(value)))
  }
}

/** `list` answers as a whole. What it gives before a late answer ({@link applyThen}) is everything that is held. */
const performList = (
  answer: Answer,
  held: Stream.Stream<HeldWorker, SchedulerError>
): Stream.Stream<HeldWorker, SchedulerError> =>
  answer._tag === "ApplyThen"
    ? Stream.concat(held, Stream.unwrap(perform(answer.then, Effect.succeed(Stream.empty))))
    : Stream.unwrap(perform(answer, Effect.succeed(held)))

const overloaded = (waitMillis: number) =>
  new SchedulerUnavailable({
    message: "overloaded: above the maximum rate",
    retryAfter: Duration.millis(waitMillis)
  })
