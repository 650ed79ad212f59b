/** OpenTelemetry's exporters for a protocol. Only those of the protocol that is used are loaded. */
import type { LogRecordExporter } from "@opentelemetry/sdk-logs"
import type { PushMetricExporter } from "@opentelemetry/sdk-metrics"
import type { SpanExporter } from "@opentelemetry/sdk-trace"
import { Effect } from "effect"
import type { OtlpProtocol } from "./OtlpSettings.ts"

/** Each reads its address, headers, time-out, compression and certificates from the environment when it is made. */
export interface Exporters {
  readonly Traces: new () => SpanExporter
  readonly Metrics: new () => PushMetricExporter
  readonly Logs: new () => LogRecordExporter
}

export const loadExporters = (protocol: OtlpProtocol): Effect.Effect<Exporters> =>
  Effect.promise(loaders[protocol])

const loaders: { readonly [Protocol in OtlpProtocol]: () => Promise<Exporters> } = {
  "http/protobuf": async () => {
    const [traces, metrics, logs] = await Promise.all([
      import("@opentelemetry/exporter-trace-otlp-proto"),
      import("@opentelemetry/exporter-metrics-otlp-proto"),
      import("@opentelemetry/exporter-logs-otlp-proto")
    ])
    return {
      Traces: traces.OTLPTraceExporter,
      Metrics: metrics.OTLPMetricExporter,
      Logs: logs.OTLPLogExporter
    }
  },
  "http/json": async () => {
    const [traces, metrics, logs] = await Promise.all([
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/exporter-metrics-otlp-http"),
      import("@opentelemetry/exporter-logs-otlp-http")
    ])
    return {
      Traces: traces.OTLPTraceExporter,
      Metrics: metrics.OTLPMetricExporter,
      Logs: logs.OTLPLogExporter
    }
  }
}
