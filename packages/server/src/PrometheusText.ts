/**
 * Effect's metrics in the Prometheus text format, through OpenTelemetry's producer and serializer, without a server
 * or a timer. The text has the names and labels that the metrics have in the code: no scope labels, no
 * `target_info`.
 */
import { makeProducer } from "@effect/opentelemetry/OtelMetrics"
import { layerEmpty } from "@effect/opentelemetry/Resource"
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus"
import { Effect } from "effect"
import { withBaseline } from "./MetricBaseline.ts"

/** Starts reading the metrics of the context; each run of the inner effect gives them as text. */
export const makePrometheusText = Effect.gen(function* () {
  const producer = yield* Effect.provide(makeProducer("cumulative"), layerEmpty)
  const exporter = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const exporter = new PrometheusExporter({ preventServerStart: true })
      exporter.setMetricProducer(producer)
      return exporter
    }),
    (exporter) => Effect.ignore(Effect.tryPromise(() => exporter.shutdown()))
  )
  const [prefix, timestamps, constantLabels, withoutTarget, withoutScope] = [
    undefined,
    false,
    undefined,
    true,
    true
  ]
  const serializer = new PrometheusSerializer(prefix, timestamps, constantLabels, withoutTarget, withoutScope)
  return Effect.promise(async () => {
    const { resourceMetrics } = await exporter.collect()
    return serializer.serialize(withBaseline(resourceMetrics))
  })
})
