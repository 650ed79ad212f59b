/**
 * The metrics of the process itself: what it is, and whether it keeps up.
 */
import { MetricFamily } from "@muster/core"
import { Duration, Effect, Layer, Metric } from "effect"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { version } from "./version.ts"

const buildInfo = MetricFamily.gauge({
  name: "muster_build_info",
  help: "Always 1; which version of Muster runs, on which Node",
  whenItMoves: "A new version was started; compare what changed with when it changed",
  labels: { version: [version], node: [process.versions.node] },
  each: "one of each"
})

const eventLoopDelay = MetricFamily.histogram({
  name: "muster_event_loop_delay_seconds",
  help: "The longest delay of the event loop in each second, in seconds",
  whenItMoves:
    "Much above 0.1: the process does not keep up, or gets no processor. Everything that it answers and times is late by as much",
  labels: {},
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
})

export const processMetrics: ReadonlyArray<MetricFamily.MetricFamily> = [buildInfo, eventLoopDelay]

/** How often the loop is looked at, in milliseconds: a delay that is shorter may be missed. */
const resolution = 20

/** Delays of the event loop since it was last read. */
const makeMonitor = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const histogram = monitorEventLoopDelay({ resolution })
      histogram.enable()
      return histogram
    }),
    (histogram) => Effect.sync(() => histogram.disable())
  ),
  (histogram) =>
    Effect.sync(() => {
      // What it measures is the time from one look to the next.
      const longest = Math.max(0, histogram.max / 1e6 - resolution) / 1000
      histogram.reset()
      return longest
    })
)

const watchEventLoop = Effect.gen(function* () {
  // A monitor does not notice what keeps the loop right after it was reset, which is when others wake up that do
  // something each second. The second one does.
  const first = yield* makeMonitor
  const second = yield* makeMonitor
  const pause = 2 * resolution
  const round = Effect.gen(function* () {
    yield* Effect.sleep(Duration.millis(1000 - pause))
    const longest = yield* first
    yield* Effect.sleep(Duration.millis(pause))
    yield* Metric.update(eventLoopDelay.at({}), Math.max(longest, yield* second))
  })
  yield* Effect.forkScoped(Effect.forever(round))
})

/** Keeps them while the layer lives. */
export const processMetricsLayer = Layer.effectDiscard(
  Effect.andThen(
    MetricFamily.observe(buildInfo.at({ version, node: process.versions.node }), () => 1),
    watchEventLoop
  )
)
