import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { processMetricsLayer } from "./ProcessMetrics.ts"
import { version } from "./version.ts"

const registry = Layer.sync(Metric.MetricRegistry, () => new Map())

const snapshotOf = (name: string) =>
  Effect.map(Metric.snapshot, (snapshot) => snapshot.filter(({ id }) => id === name))

/** Keeps the event loop for so many milliseconds. */
const block = (millis: number) =>
  Effect.sync(() => {
    const end = performance.now() + millis
    while (performance.now() < end);
  })

describe("the process's metrics", () => {
  it.effect("say which version runs, for as long as it does", () =>
    Effect.gen(function* () {
      const during = yield* Effect.provide(snapshotOf("muster_build_info"), processMetricsLayer)
      assert.deepStrictEqual(
        during.map(({ attributes, state }) => [attributes, state]),
        [[{ version, node: process.versions.node }, { value: 1 }]]
      )
      assert.lengthOf(yield* snapshotOf("muster_build_info"), 0)
    }).pipe(Effect.provide(registry))
  )

  it.live("notice what has kept the event loop", () =>
    Effect.gen(function* () {
      yield* Layer.build(processMetricsLayer)
      yield* Effect.sleep("300 millis")
      yield* block(200)
      yield* Effect.sleep("1500 millis")
      const [metric] = yield* snapshotOf("muster_event_loop_delay_seconds")
      assert.strictEqual(metric?.type, "Histogram")
      if (metric?.type !== "Histogram") return
      assert.isAtLeast(metric.state.count, 1)
      assert.isAtLeast(metric.state.max, 0.15)
    }).pipe(Effect.scoped, Effect.provide(registry))
  )
})
