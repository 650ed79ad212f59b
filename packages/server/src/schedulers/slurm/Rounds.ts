/**
 * Gathers changes into rounds, one after another: what comes while a round is under way is in the next one. So reading
 * the nodes, which costs as much for all as for one, is shared by all who wait; and changes to one worker come in the
 * order in which they were asked for, since no round has two of them.
 */
import { type SchedulerError, SchedulerUnavailable, type WorkerId } from "@muster/core"
import { Deferred, Effect, Exit, Latch, Result, type Scope } from "effect"
import type { Outcome } from "./NodeChanges.ts"
import { type Change, type RoundTools, runRound } from "./Round.ts"

/** As many names as are sure to fit into one argument of a command. */
const maxChanges = 256

export type Submit = (change: Change) => Effect.Effect<void, SchedulerError>

/** Somebody who waits. */
interface Waiting {
  readonly change: Change
  readonly answer: Deferred.Deferred<void, SchedulerError>
}

/** Who waits for a round; when all of them have gone, it is given up. */
class Passengers {
  readonly abandoned = Latch.makeUnsafe(false)
  readonly waiting: Set<Waiting>

  constructor(waiting: ReadonlyArray<Waiting>) {
    this.waiting = new Set(waiting)
  }

  leave(one: Waiting): void {
    if (this.waiting.delete(one) && this.waiting.size === 0) this.abandoned.openUnsafe()
  }
}

/** Takes changes until the scope is closed. */
export const makeRounds = Effect.fnUntraced(function* (
  tools: RoundTools
): Effect.fn.Return<Submit, never, Scope.Scope> {
  const queue = new Set<Waiting>()
  const wake = Latch.makeUnsafe(false)
  let current: Passengers | undefined
  let isClosed = false

  /** Those who have waited longest, one for each worker. */
  const take = (): ReadonlyArray<Waiting> => {
    const taken = new Map<WorkerId, Waiting>()
    for (const one of queue) {
      if (taken.size === maxChanges) break
      if (taken.has(one.change.workerId)) continue
      taken.set(one.change.workerId, one)
      queue.delete(one)
    }
    return Array.from(taken.values())
  }

  const round = Effect.gen(function* () {
    if (queue.size === 0) wake.closeUnsafe()
    yield* wake.await
    // Those who call at the same moment travel together.
    yield* Effect.yieldNow
    const waiting = take()
    const changes = waiting.map(({ change }) => change)
    current = new Passengers(waiting)
    const exit = yield* Effect.exit(
      Effect.raceFirst(runRound(tools, changes), Effect.as(current.abandoned.await, nothing))
    )
    current = undefined
    for (const { answer, change } of waiting) yield* Deferred.done(answer, exitFor(change, exit))
  })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isClosed = true
      for (const one of [...queue, ...(current?.waiting ?? [])]) {
        Deferred.doneUnsafe(one.answer, Effect.fail(closed))
      }
    })
  )
  yield* Effect.forkScoped(Effect.forever(round))

  return (change) =>
    Effect.suspend(() => {
      if (isClosed) return Effect.fail(closed)
      const one: Waiting = { change, answer: Deferred.makeUnsafe() }
      queue.add(one)
      wake.openUnsafe()
      return Effect.onInterrupt(Deferred.await(one.answer), () =>
        Effect.sync(() => {
          queue.delete(one)
          current?.leave(one)
        })
      )
    })
})

const nothing: ReadonlyMap<Change, Outcome> = new Map()

const exitFor = (
  change: Change,
  exit: Exit.Exit<ReadonlyMap<Change, Outcome>, SchedulerError>
): Exit.Exit<void, SchedulerError> => {
  if (Exit.isFailure(exit)) return Exit.failCause(exit.cause)
  const outcome = exit.value.get(change)
  if (outcome === undefined) return Exit.die(new Error(`a round has passed over ${change.workerId}`))
  return Result.isSuccess(outcome) ? Exit.void : Exit.fail(outcome.failure)
}

const closed = new SchedulerUnavailable({ message: "the connection to Slurm was closed" })
