/**
 * Changes that come together share one transaction. Whoever brings one while no transaction is under way starts one at
 * once; those that come meanwhile form the next. So a lone change waits for nobody, and under load the disk is
 * flushed once for many.
 *
 * A transaction that failed may have been committed all the same. Before the next one, what is kept in memory is
 * therefore compared with the store again.
 */
import { Cause, Clock, Effect, Exit, Latch, Semaphore, type Scope } from "effect"
import type { WorkerId } from "../WorkerId.ts"
import { CurrentActor } from "./Actor.ts"
import { type ChangedRecord, Draft, type DraftContext } from "./Draft.ts"
import { FleetStore, StoreUnavailable } from "./FleetStore.ts"
import { partitionOf } from "./Partition.ts"
import { traceOriginOf } from "../TraceOrigin.ts"
import { untiring } from "./Untiring.ts"

/** A step on a draft, with what it has to have read. It must not throw, and may be asked for more than once. */
export interface Command<A> {
  readonly workerIds: ReadonlyArray<WorkerId>
  readonly keys?: ReadonlyArray<string> | undefined
  /** It looks at the epochs of its workers' partitions. */
  readonly readsEpochs?: boolean | undefined
  readonly apply: (draft: Draft) => A
  /** Told that the step was committed, before anybody else is. */
  readonly onCommitted?: (() => void) | undefined
}

export interface GroupCommitOptions {
  /** What the steps go by; asked for at the beginning of each transaction. */
  readonly context: (now: number) => DraftContext
  /** Told of every transaction that was committed, before those who asked for it. */
  readonly onCommit: (changed: ReadonlyArray<ChangedRecord>) => void
  /** Told how every transaction ended, after those who asked for it. */
  readonly onEnd: (exit: Exit.Exit<void, StoreUnavailable>) => void
  /** Reads anew what is known of the store; nothing is committed meanwhile. */
  readonly recover: Effect.Effect<void, StoreUnavailable>
}

export interface GroupCommit {
  /** Commits a step and gives what it returned. Once begun, it cannot be interrupted before the transaction ends. */
  readonly commit: <A>(command: Command<A>) => Effect.Effect<A, StoreUnavailable>
  /** Does something else to the store, between two transactions. */
  readonly between: <A>(change: Effect.Effect<A, StoreUnavailable>) => Effect.Effect<A, StoreUnavailable>
}

interface Waiting {
  readonly workerIds: ReadonlyArray<WorkerId>
  readonly keys: ReadonlyArray<string>
  readonly readsEpochs: boolean
  /** Takes the step on this draft. */
  readonly apply: (draft: Draft) => void
  readonly onCommitted: (() => void) | undefined
  readonly end: (exit: Exit.Exit<void, StoreUnavailable>) => void
}

// With a file each transaction costs a flush of the disk and some pages, however few workers are in it: 256 at a time are
// done half as fast again as 64. A transaction of more costs hardly less for each.
const largestGroup = 256

// Those who have waited go on in the same moment, in which nothing else is answered.
const atOnce = 64

const closed = new StoreUnavailable({ message: "the fleet is closed" })

/** Starts the loop that commits; it ends with the scope, after what it has begun. */
export const makeGroupCommit = Effect.fnUntraced(function* (
  options: GroupCommitOptions
): Effect.fn.Return<GroupCommit, never, FleetStore | Scope.Scope> {
  const store = yield* FleetStore
  const work = Latch.makeUnsafe(false)
  const turn = Semaphore.makeUnsafe(1)
  let waiting: Array<Waiting> = []
  /** The last change of the store failed, and may have been committed. */
  let isInDoubt = false
  let isClosed = false

  const takeGroup = (): ReadonlyArray<Waiting> => {
    const group: Array<Waiting> = []
    let size = 0
    for (const command of waiting) {
      if (size > 0 && size + command.workerIds.length > largestGroup) break
      size += command.workerIds.length
      group.push(command)
    }
    waiting = waiting.slice(group.length)
    if (waiting.length === 0) work.closeUnsafe()
    return group
  }

  const transact = Effect.fnUntraced(function* (group: ReadonlyArray<Waiting>) {
    if (isInDoubt) yield* options.recover
    isInDoubt = true
    const now = yield* Clock.currentTimeMillis
    const workerIds = unique(group.map((command) => command.workerIds))
    const keys = unique(group.map((command) => command.keys))
    const fenced = group.flatMap((command) => (command.readsEpochs ? command.workerIds : []))
    const partitions = Array.from(new Set(fenced.map(partitionOf)))
    const changed = yield* store.modify({ workerIds, keys, partitions }, (found) => {
      const draft = new Draft(found, options.context(now))
      for (const command of group) command.apply(draft)
      return draft.decision(draft.changed)
    })
    isInDoubt = false
    for (const command of group) command.onCommitted?.()
    options.onCommit(changed)
  })

  const commitGroup = Effect.suspend(() => {
    const group = takeGroup()
    return Effect.flatMap(Effect.exit(turn.withPermit(transact(group))), (exit) =>
      Effect.map(endAll(group, exit), () => options.onEnd(exit))
    )
  })

  const next = Effect.andThen(work.await, Effect.uninterruptible(commitGroup))
  yield* Effect.forkScoped(untiring("committing", next))
  // What nobody commits any more must not wait for ever.
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isClosed = true
      for (const command of waiting.splice(0)) command.end(Exit.fail(closed))
    })
  )

  const commit = <A>(command: Command<A>): Effect.Effect<A, StoreUnavailable> =>
    Effect.withFiber((fiber) => {
      const trace = traceOriginOf(fiber)
      const actor = fiber.getRef(CurrentActor)
      return Effect.uninterruptible(
        Effect.callback<A, StoreUnavailable>((resume) => {
          if (isClosed) return resume(Effect.fail(closed))
          let result: { readonly value: A } | undefined
          waiting.push({
            workerIds: command.workerIds,
            keys: command.keys ?? [],
            readsEpochs: command.readsEpochs ?? false,
            apply: (draft) => {
              draft.trace = trace
              draft.actor = actor
              result = { value: command.apply(draft) }
            },
            onCommitted: command.onCommitted,
            end: (exit) => {
              if (Exit.isFailure(exit)) return resume(Effect.failCause(exit.cause))
              resume(
                result === undefined
                  ? Effect.failCause(Cause.die("a transaction ended without its steps"))
                  : Effect.succeed(result.value)
              )
            }
          })
          work.openUnsafe()
        })
      )
    })

  const between = <A>(change: Effect.Effect<A, StoreUnavailable>): Effect.Effect<A, StoreUnavailable> =>
    turn.withPermit(
      Effect.tapError(change, () =>
        Effect.sync(() => {
          isInDoubt = true
        })
      )
    )

  return { commit, between }
})

/** Tells some, and others get a turn before the next are told. */
const endAll = (
  group: ReadonlyArray<Waiting>,
  exit: Exit.Exit<void, StoreUnavailable>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    for (const command of group.slice(0, atOnce)) command.end(exit)
    return group.length <= atOnce
      ? Effect.void
      : Effect.andThen(Effect.yieldNow, endAll(group.slice(atOnce), exit))
  })

const unique = <A>(lists: ReadonlyArray<ReadonlyArray<A>>): ReadonlyArray<A> =>
  Array.from(new Set(lists.flat()))
