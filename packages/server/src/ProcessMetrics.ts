/**
 * The metrics of the process itself: what it is, and whether it keeps up.
 */
import { MetricFamily } from "@muster/core"
import { Duration, Effect, Layer, Metric, Predicate } from "effect"
import { existsSync, readdirSync } from "node:fs"
import { constants, monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks"
import { getHeapStatistics } from "node:v8"
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

const residentMemory = MetricFamily.gauge({
  name: "process_resident_memory_bytes",
  help: "Memory of the process that is in the machine's, in bytes",
  whenItMoves:
    "It follows the fleet and the load, and need not come down after them. If it grows for hours under the same load, look at `muster_heap_after_collection_bytes`",
  labels: {}
})

const heapAfterCollection = MetricFamily.gauge({
  name: "muster_heap_after_collection_bytes",
  help: "What the latest full garbage collection has left of the heap, in bytes; absent before the first",
  whenItMoves:
    "Growing for hours under the same load and with the same fleet, it is a leak: please report it",
  labels: {}
})

const openFiles = MetricFamily.gauge({
  name: "process_open_fds",
  help: "Files and connections that the process has open; on Linux",
  whenItMoves:
    "It follows open requests and followers. Near the limit of open files, no more connections are taken",
  labels: {}
})

export const processMetrics: ReadonlyArray<MetricFamily.MetricFamily> = [
  buildInfo,
  eventLoopDelay,
  residentMemory,
  heapAfterCollection,
  openFiles
]

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

/** Notes what each full collection leaves; between two of them the heap says nothing about leaks. */
const watchCollections = Effect.gen(function* () {
  const context = yield* Effect.context()
  const gauge = heapAfterCollection.at({})
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const observer = new PerformanceObserver((list) => {
        if (list.getEntries().some(isFullCollection)) {
          gauge.updateUnsafe(getHeapStatistics().used_heap_size, context)
        }
      })
      observer.observe({ entryTypes: ["gc"] })
      return observer
    }),
    (observer) => Effect.sync(() => observer.disconnect())
  )
})

const isFullCollection = (entry: object): boolean =>
  Predicate.hasProperty(entry, "detail") &&
  Predicate.hasProperty(entry.detail, "kind") &&
  entry.detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR

const ownFiles = "/proc/self/fd"

/** Keeps them while the layer lives. */
export const processMetricsLayer = Layer.effectDiscard(
  Effect.gen(function* () {
    yield* MetricFamily.observe(buildInfo.at({ version, node: process.versions.node }), () => 1)
    yield* MetricFamily.observe(residentMemory.at({}), () => process.memoryUsage.rss())
    if (existsSync(ownFiles)) {
      yield* MetricFamily.observe(openFiles.at({}), () => readdirSync(ownFiles).length)
    }
    yield* watchCollections
    yield* watchEventLoop
  })
)
