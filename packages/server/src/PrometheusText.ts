/**
 * Effect's metrics in the Prometheus text format, through OpenTelemetry's producer and serializer, without a server
 * or a timer. The text has the names and labels that the metrics have in the code: no scope labels, no
 * `target_info`.
 */
import { makeProducer } from "@effect/opentelemetry/OtelMetrics"
import { layerEmpty } from "@effect/opentelemetry/Resource"
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus"
import type { MetricData, ResourceMetrics } from "@opentelemetry/sdk-metrics"
import { Effect } from "effect"
import { metricFamilies } from "./MetricCatalogue.ts"

/** Starts reading the metrics of the context; each run of the inner effect gives them as text. */
export const makePrometheusText = Effect.gen(function* () {
  const context = yield* Effect.context()
  for (const family of metricFamilies) family.begin(context)
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
    return serializer.serialize(arranged(resourceMetrics))
  })
})

const places = new Map(metricFamilies.map(({ name }, place) => [name, place]))
const placeOf = ({ descriptor }: MetricData) => places.get(descriptor.name) ?? places.size

/** In the order in which they are documented, and without units: Effect's producer says "1", even of seconds. */
const arranged = ({ resource, scopeMetrics }: ResourceMetrics): ResourceMetrics => ({
  resource,
  scopeMetrics: scopeMetrics.map(({ metrics, scope }) => ({
    scope,
    metrics: metrics
      .map((metric) => ({ ...metric, descriptor: { ...metric.descriptor, unit: "" } }))
      .toSorted((left, right) => placeOf(left) - placeOf(right))
  }))
})
