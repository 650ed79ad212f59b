/**
 * A store that counts and times what it is asked.
 */
import { Clock, Effect, Exit, Layer } from "effect"
import { storeDurations, storeFailures } from "./FleetMetrics.ts"
import { FleetStore, type StoreUnavailable } from "./FleetStore.ts"

const seriesOf = (operation: "read" | "write") => ({
  duration: storeDurations.at({ operation }),
  failures: storeFailures.at({ operation })
})

const series = { read: seriesOf("read"), write: seriesOf("write") }

const make = Effect.gen(function* () {
  const store = yield* FleetStore
  const clock = yield* Clock.Clock
  const context = yield* Effect.context()

  const measured =
    (operation: "read" | "write") =>
    <A>(ask: Effect.Effect<A, StoreUnavailable>): Effect.Effect<A, StoreUnavailable> =>
      Effect.suspend(() => {
        const { duration, failures } = series[operation]
        const startedAt = clock.monotonicTimeNanosUnsafe()
        return Effect.onExit(ask, (exit) =>
          Effect.sync(() => {
            duration.updateUnsafe(Number(clock.monotonicTimeNanosUnsafe() - startedAt) / 1e9, context)
            if (Exit.isFailure(exit) && !Exit.hasInterrupts(exit)) failures.updateUnsafe(1, context)
          })
        )
      })
  const read = measured("read")
  const write = measured("write")

  return FleetStore.of({
    modify: (set, decide) => write(store.modify(set, decide)),
    get: (workerIds) => read(store.get(workerIds)),
    list: (filter, limit, after) => read(store.list(filter, limit, after)),
    browse: (filter, window) => read(store.browse(filter, window)),
    due: (now, limit, partitions) => read(store.due(now, limit, partitions)),
    nextDueAt: (now, partitions) => read(store.nextDueAt(now, partitions)),
    oldestUnfinished: read(store.oldestUnfinished),
    expired: (now, limit, partitions) => read(store.expired(now, limit, partitions)),
    scan: (after, limit) => read(store.scan(after, limit)),
    timeline: (workerId) => read(store.timeline(workerId)),
    segments: (after, limit) => read(store.segments(after, limit)),
    overview: read(store.overview),
    kinds: read(store.kinds),
    forget: (options) => write(store.forget(options)),
    forgetHistory: (options) => write(store.forgetHistory(options)),
    probe: write(store.probe)
  })
})

/** Over the store that is provided to it. */
export const measuredStoreLayer: Layer.Layer<FleetStore, never, FleetStore> = Layer.effect(FleetStore, make)
