/**
 * The service's metrics as Prometheus reads them: Effect's own metrics, through OpenTelemetry's producer and
 * serializer, without a server or a timer. The text has the names and labels that the metrics have in the code:
 * no scope labels, no `target_info`.
 */
import { makeProducer } from "@effect/opentelemetry/OtelMetrics"
import { layerEmpty } from "@effect/opentelemetry/Resource"
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus"
import { Context, Effect, Layer } from "effect"

export class Telemetry extends Context.Service<
  Telemetry,
  {
    /** All metrics in the Prometheus text format 0.0.4. Collecting them cannot fail. */
    readonly prometheus: Effect.Effect<string>
  }
>()("@muster/server/Telemetry") {
  static readonly layer = Layer.effect(
    Telemetry,
    Effect.suspend(() => make)
  )
}

const make = Effect.gen(function* () {
  const producer = yield* Effect.provide(makeProducer("cumulative"), layerEmpty)
  const exporter = yield* Effect.acquireRelease(
    Effect.sync(() => new PrometheusExporter({ preventServerStart: true, metricProducers: [producer] })),
    (exporter) => Effect.ignore(Effect.tryPromise(() => exporter.shutdown()))
  )
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true)
  return Telemetry.of({
    prometheus: Effect.promise(async () => serializer.serialize((await exporter.collect()).resourceMetrics))
  })
})
