/**
 * A scheduler that does wrong whatever a scheduler can: the embedded one behind a door where calls are refused, fail,
 * are never answered, are carried out long after their caller has gone, or end in an error although they were carried
 * out. It forgets single workers, and can begin anew without its memory or with an old copy of it.
 */
import {
  EmbeddedScheduler,
  type HeldWorker,
  type SchedulerError,
  type SchedulerHealth,
  SchedulerFault,
  SchedulerUnavailable,
  type Worker,
  type WorkerId
} from "@muster/core"
import { Duration, Effect, Exit, Fiber, Option, Random, type Result, type Scope, Stream } from "effect"
import type { Call, Mishap, Write } from "./Journal.ts"
import type { Memory, Sender } from "./SchedulerProtocol.ts"

/** How often each of them happens to a call, as a part of 1. */
const mishaps: ReadonlyArray<readonly [mishap: Mishap, chance: number]> = [
  ["refused", 0.03],
  ["overloaded", 0.03],
  ["fault", 0.02],
  ["permanent fault", 0.001],
  ["hangs", 0.02],
  ["late", 0.03],
  ["error afterwards", 0.03]
]

/** How late a late call is carried out, in milliseconds: mostly after the attempt's time-out of 400. */
const lateness = { minimum: 200, maximum: 2000 }

const longestDowntime = 500
const backupInterval = Duration.seconds(1)
const backups = 5
const forgetInterval = Duration.millis(200)

/** Which state of a worker a call is about, and who has made it. */
interface Change {
  readonly generation: number
  readonly from: Sender
}

export interface MisbehavingScheduler {
  readonly register: (worker: Worker, change: Change) => Effect.Effect<void, SchedulerError>
  readonly registerBatch: (
    members: ReadonlyArray<{ readonly worker: Worker; readonly generation: number }>,
    from: Sender
  ) => Effect.Effect<ReadonlyArray<Result.Result<void, SchedulerError>>>
  readonly unregister: (id: WorkerId, change: Change) => Effect.Effect<void, SchedulerError>
  readonly get: (id: WorkerId) => Effect.Effect<Option.Option<HeldWorker>, SchedulerError>
  readonly list: Stream.Stream<HeldWorker, SchedulerError>
  readonly health: Effect.Effect<SchedulerHealth, SchedulerError>
  readonly calm: Effect.Effect<void>
  readonly restart: (memory: Memory) => Effect.Effect<void>
  /** What it holds, truthfully. */
  readonly held: Effect.Effect<ReadonlyArray<HeldWorker>>
  /** Calls that are still to be carried out, whoever still waits for them. */
  readonly lateCalls: () => number
}

/** What a call is about. */
interface Subject {
  readonly call: Call
  readonly id?: WorkerId
  readonly generation?: number
  readonly from?: Sender
}

export const makeMisbehavingScheduler = Effect.fnUntraced(function* (
  write: Write
): Effect.fn.Return<MisbehavingScheduler, never, Scope.Scope> {
  let embedded = EmbeddedScheduler.make()
  let isCalm = false
  let late = 0
  let calls = 0
  let copies: ReadonlyArray<ReadonlyArray<HeldWorker>> = []

  const draw = Effect.map(Random.next, (value): Mishap | undefined => {
    if (isCalm) return undefined
    let left = value
    return mishaps.find(([, chance]) => (left -= chance) < 0)?.[0]
  })

  const done = <A>({ from: _, ...subject }: Subject, effect: Effect.Effect<A, SchedulerError>) =>
    Effect.tapError(effect, ({ message }) => write({ entry: "done", ...subject, refused: message })).pipe(
      Effect.tap(() => (subject.id === undefined ? Effect.void : write({ entry: "done", ...subject })))
    )

  /** Goes on when its caller has gone. */
  const later = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.gen(function* () {
      const millis = yield* Random.nextBetween(lateness.minimum, lateness.maximum)
      late++
      const fiber = yield* Effect.sleep(millis).pipe(
        Effect.andThen(effect),
        Effect.ensuring(Effect.sync(() => late--)),
        Effect.forkDetach
      )
      return yield* Fiber.join(fiber)
    })

  /** From the call's beginning to its end, whatever that is. */
  const through = <A>(subject: Subject, answer: Effect.Effect<A, SchedulerError>) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const mishap = yield* draw
        const number = ++calls
        yield* write({
          entry: "call",
          number,
          ...subject,
          ...(mishap === undefined ? undefined : { mishap })
        })
        return yield* Effect.onExit(restore(treat(subject, answer, mishap)), (exit) =>
          write({ entry: "end", number, how: Exit.hasInterrupts(exit) ? "left" : "answered" })
        )
      })
    )

  const treat = Effect.fnUntraced(function* <A>(
    subject: Subject,
    answer: Effect.Effect<A, SchedulerError>,
    mishap: Mishap | undefined
  ): Effect.fn.Return<A, SchedulerError> {
    const carriedOut = Effect.uninterruptible(done(subject, answer))
    switch (mishap) {
      case undefined:
        return yield* carriedOut
      case "refused":
        return yield* new SchedulerUnavailable({ message: "no more connections are taken" })
      case "overloaded": {
        const retryAfter = Duration.millis(yield* Random.nextIntBetween(10, 200))
        return yield* new SchedulerUnavailable({ message: "too many calls", retryAfter })
      }
      case "fault":
        return yield* new SchedulerFault({ message: "something broke", retryable: true })
      case "permanent fault":
        return yield* new SchedulerFault({ message: "something broke for good", retryable: false })
      case "hangs":
        return yield* Effect.never
      case "late":
        return yield* later(carriedOut)
      case "error afterwards":
        yield* carriedOut
        return yield* new SchedulerUnavailable({ message: "the answer was lost" })
    }
  })

  const current = <A>(answer: (port: EmbeddedScheduler["Service"]["port"]) => A) =>
    Effect.sync(() => answer(embedded.port))

  const register: MisbehavingScheduler["register"] = (worker, { from, generation }) =>
    through(
      { call: "register", id: worker.id, generation, from },
      Effect.flatten(current(({ register }) => register(worker, { generation })))
    )

  /** As if it had never known the worker: the same generation is taken again. */
  const forget = ({ generation = 0, worker: { id } }: HeldWorker) =>
    Effect.suspend(() => embedded.port.unregister(id, { generation })).pipe(
      Effect.andThen(write({ entry: "forgot", id, generation })),
      Effect.ignore
    )

  const forgetSome = Effect.gen(function* () {
    const workers = yield* embedded.workers
    const place = yield* Random.nextIntBetween(0, Math.max(1, workers.length) - 1)
    yield* Option.match(Option.fromUndefinedOr(workers[place]), { onNone: () => Effect.void, onSome: forget })
  })

  const restart = Effect.fnUntraced(function* (memory: Memory) {
    const kept = memory === "backup" ? (copies[0] ?? []) : []
    const next = EmbeddedScheduler.make()
    for (const { generation = 0, worker } of kept) {
      yield* Effect.ignore(next.port.register(worker, { generation }))
    }
    yield* next.restart({ memory: "kept", downtime: yield* Random.nextBetween(0, longestDowntime) })
    embedded = next
    yield* write({ entry: "restarted", workers: kept.length })
  })

  const whileWild = (interval: Duration.Duration, effect: Effect.Effect<void>) =>
    Effect.forkScoped(
      Effect.andThen(
        Effect.sleep(interval),
        Effect.suspend(() => (isCalm ? Effect.void : effect))
      ).pipe(Effect.forever)
    )
  yield* whileWild(forgetInterval, forgetSome)
  yield* whileWild(
    backupInterval,
    Effect.map(
      Effect.suspend(() => embedded.workers),
      (workers) => {
        copies = [...copies, workers].slice(-backups)
      }
    )
  )
  yield* write({ entry: "started" })

  return {
    register,
    registerBatch: (members, from) =>
      Effect.forEach(members, ({ generation, worker }) =>
        Effect.result(register(worker, { generation, from }))
      ),
    unregister: (id, { from, generation }) =>
      through(
        { call: "unregister", id, generation, from },
        Effect.flatten(current(({ unregister }) => unregister(id, { generation })))
      ),
    get: (id) => through({ call: "get", id }, Effect.flatten(current(({ get }) => get(id)))),
    list: Stream.unwrap(
      through(
        { call: "list" },
        current(({ list }) => list)
      )
    ),
    health: through({ call: "health" }, Effect.flatten(current(({ health }) => health))),
    calm: Effect.sync(() => {
      isCalm = true
    }),
    restart,
    held: Effect.suspend(() => embedded.workers),
    lateCalls: () => late
  }
})
