/**
 * For how long the oldest unfinished change of each priority has waited. Since when, is asked of the store every few
 * seconds, where it is the beginning of an index; the age is reckoned whenever somebody looks, so it grows on when the
 * store fails.
 */
import { Clock, Duration, Effect } from "effect"
import { observe } from "../MetricFamily.ts"
import type { FleetCounts } from "./FleetCounts.ts"
import { oldestUnfinished } from "./FleetMetrics.ts"
import { FleetStore } from "./FleetStore.ts"
import { Priority } from "./Priority.ts"

const interval = Duration.seconds(5)

/** Starts showing it; ends with the scope. */
export const showOldestUnfinished = Effect.fnUntraced(function* (counts: FleetCounts) {
  const store = yield* FleetStore
  const clock = yield* Clock.Clock
  let since: ReadonlyMap<Priority, number> = new Map()
  for (const priority of Priority.literals) {
    yield* observe(oldestUnfinished.at({ priority }), () => {
      const at = counts.unfinishedAt(priority) === 0 ? undefined : since.get(priority)
      return at === undefined ? 0 : Math.max(0, clock.currentTimeMillisUnsafe() - at) / 1000
    })
  }
  const nothing: ReadonlyMap<Priority, number> = new Map()
  const look = Effect.suspend(() =>
    counts.unfinished === 0 ? Effect.succeed(nothing) : store.oldestUnfinished
  ).pipe(
    Effect.map((found) => {
      since = found
    }),
    // The store's trouble is told elsewhere.
    Effect.ignore
  )
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.sleep(interval))))
})
