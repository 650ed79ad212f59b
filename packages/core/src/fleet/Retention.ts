/**
 * What nobody needs any more is removed: workers that have been gone for long, old timelines, and the memory of
 * requests. In small steps with pauses between them, so that it never stands in the way of anything else.
 */
import { Clock, Duration, Effect } from "effect"
import type { FleetCounts } from "./FleetCounts.ts"
import type { FleetOptions } from "./FleetOptions.ts"
import { FleetStore, type StoreUnavailable } from "./FleetStore.ts"
import type { GroupCommit } from "./GroupCommit.ts"
import type { Share } from "./Sharing.ts"

const interval = Duration.minutes(1)
const step = 256
const pause = Duration.millis(10)

/** Removes for ever, a little every minute; `recover` is done when workers were removed. */
export const retain = Effect.fnUntraced(function* (
  options: FleetOptions,
  counts: FleetCounts,
  groupCommit: Pick<GroupCommit, "between">,
  recover: Effect.Effect<void, StoreUnavailable>,
  share: Share
): Effect.fn.Return<never, never, FleetStore> {
  const store = yield* FleetStore

  const ago = (now: number, duration: Duration.Duration) => now - Duration.toMillis(duration)

  // Nothing may be counted between the removal and the note of it.
  const workers = Effect.flatMap(Clock.currentTimeMillis, (now) =>
    store.forget({ before: ago(now, options.terminatedRetention), keep: options.maxTerminated, limit: step })
  ).pipe(
    Effect.tap((count) => Effect.sync(() => counts.forgot(count))),
    groupCommit.between
  )

  const history = Effect.flatMap(Clock.currentTimeMillis, (now) =>
    store.forgetHistory({
      segmentsBefore: ago(now, options.timelineRetention),
      notesBefore: ago(now, options.repeatRetention),
      limit: step
    })
  )

  const round = untilNothingIsLeft(workers).pipe(
    Effect.flatMap((wereRemoved) => (wereRemoved ? groupCommit.between(recover) : Effect.void)),
    Effect.andThen(untilNothingIsLeft(history)),
    Effect.catchTag("StoreUnavailable", (error) =>
      Effect.logWarning(`Nothing old was removed, because the store is unavailable: ${error.message}`)
    )
  )
  return yield* Effect.forever(
    Effect.andThen(
      Effect.sleep(interval),
      Effect.suspend(() => (share.leads ? round : Effect.void))
    )
  )
})

/** Whether anything was removed. */
const untilNothingIsLeft = (
  remove: Effect.Effect<number, StoreUnavailable>
): Effect.Effect<boolean, StoreUnavailable> =>
  Effect.flatMap(remove, (count) =>
    count === 0
      ? Effect.succeed(false)
      : Effect.sleep(pause).pipe(Effect.andThen(untilNothingIsLeft(remove)), Effect.as(true))
  )
