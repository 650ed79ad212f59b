/**
 * Traces, metrics and logs to a collector, over OpenTelemetry's own processors and exporters. Whatever the collector
 * does, the rest of the service does not notice: what waits is bounded, what comes above that is dropped, one export of
 * a signal is under way at a time, and each has a time-out.
 */
import { makeProducer } from "@effect/opentelemetry/OtelMetrics"
import * as OtelLogger from "@effect/opentelemetry/OtelLogger"
import * as OtelTracer from "@effect/opentelemetry/OtelTracer"
import { Resource as OtelResource } from "@effect/opentelemetry/Resource"
import { detectResources, envDetector, type Resource, resourceFromAttributes } from "@opentelemetry/resources"
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs"
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics"
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace"
import { Effect, Layer, Logger, Tracer } from "effect"
import { Headers, HttpMiddleware, UrlParams } from "effect/http"
import { randomUUID } from "node:crypto"
import { hostname } from "node:os"
import { secretName } from "../configuration/Redaction.ts"
import { isProbe, spanNameOf } from "../http/SpanNames.ts"
import { version } from "../version.ts"
import { tellDelivery } from "./Delivery.ts"
import { loadExporters } from "./Exporters.ts"
import { makeSampler } from "./LinkedSampler.ts"
import type {
  LogsSettings,
  MetricsSettings,
  OtlpSettings,
  SignalSettings,
  TracesSettings
} from "./OtlpSettings.ts"

/** Of an attribute, in characters: an address that is asked for, or an error, may be long, and many of them wait. */
const longestValue = 4096

/** How long the end of the process waits for what is still to be delivered, in milliseconds. */
const farewell = 2000

/** Exports until the scope ends, and then what is left, for at most two seconds. */
export const layer = ({ logs, metrics, traces }: OtlpSettings): Layer.Layer<never> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const source: Source = { resource: makeResource(), running: yield* makeRunning }
      return Layer.mergeAll(
        traces === undefined ? Layer.empty : tracesLayer(traces, source),
        metrics === undefined ? Layer.empty : metricsLayer(metrics, source),
        logs === undefined ? Layer.empty : logsLayer(logs, source)
      )
    })
  )

interface Running {
  shutdown(): Promise<unknown>
}

/** What everything that is exported has in common. */
interface Source {
  readonly resource: Resource
  /** What has to be shut down at the end, all at the same time. */
  readonly running: Array<Running>
}

const makeRunning = Effect.acquireRelease(
  Effect.sync((): Array<Running> => []),
  (running) =>
    Effect.promise(() => Promise.allSettled(running.map((one) => one.shutdown()))).pipe(
      Effect.interruptible,
      Effect.timeoutOption(farewell)
    )
)

/** What is exported says where it comes from; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have the last word. */
const makeResource = (): Resource =>
  resourceFromAttributes({
    "service.name": "muster",
    "service.version": version,
    "service.instance.id": randomUUID(),
    "host.name": hostname(),
    "process.pid": process.pid
  }).merge(detectResources({ detectors: [envDetector] }))

const tracesLayer = (settings: TracesSettings, { resource, running }: Source) =>
  Layer.effect(
    Tracer.Tracer,
    Effect.gen(function* () {
      const { Traces } = yield* loadExporters(settings.protocol)
      const exporter = yield* told(new Traces(), "Traces", settings)
      const provider = new TracerProvider({
        resource,
        sampler: makeSampler(settings.sampler),
        spanLimits: { attributeValueLengthLimit: longestValue },
        spanProcessors: [new BatchSpanProcessor({ exporter, ...settings.batch })]
      })
      running.push(provider)
      const tracer = yield* Effect.provideService(
        OtelTracer.make,
        OtelTracer.OtelTracer,
        provider.getTracer("muster", version)
      )
      // Without its `context`, which tells each step of a fiber to libraries that ask OpenTelemetry where they are.
      return Tracer.make({ span: (options) => tracer.span(options) })
    })
  ).pipe(
    Layer.merge(Layer.succeed(HttpMiddleware.SpanNameGenerator, spanNameOf)),
    Layer.merge(Layer.succeed(HttpMiddleware.TracerDisabledWhen, isProbe)),
    // Of a request there are its address and its headers in a trace, whatever a caller put there.
    Layer.merge(Layer.succeed(Headers.CurrentRedactedNames, [secretName])),
    Layer.merge(Layer.succeed(UrlParams.CurrentRedactedNames, [secretName]))
  )

const metricsLayer = (settings: MetricsSettings, { resource, running }: Source) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { Metrics } = yield* loadExporters(settings.protocol)
      const exporter = yield* told(new Metrics(), "Metrics", settings)
      const producer = yield* Effect.provideService(
        makeProducer(settings.temporality),
        OtelResource,
        resource
      )
      const { exportIntervalMillis, exportTimeoutMillis } = settings
      const reader = new PeriodicExportingMetricReader({
        exporter,
        exportIntervalMillis,
        exportTimeoutMillis
      })
      running.push(reader)
      reader.setMetricProducer(producer)
    })
  )

const logsLayer = (settings: LogsSettings, { resource, running }: Source) =>
  Logger.layer(
    [
      Effect.gen(function* () {
        const { Logs } = yield* loadExporters(settings.protocol)
        const exporter = yield* told(new Logs(), "Logs", settings)
        const provider = new LoggerProvider({
          resource,
          logRecordLimits: { attributeValueLengthLimit: longestValue },
          processors: [new BatchLogRecordProcessor({ exporter, ...settings.batch })]
        })
        running.push(provider)
        return yield* Effect.provideService(OtelLogger.make, OtelLogger.OtelLoggerProvider, provider)
      })
    ],
    { mergeWithExisting: true }
  )

/** Told to the loggers that there are without this module, so that lost logs do not make more logs to lose. */
const told = Effect.fnUntraced(function* <E extends Parameters<typeof tellDelivery>[0]>(
  exporter: E,
  what: string,
  { destination }: SignalSettings
) {
  const run = Effect.runForkWith(yield* Effect.context())
  return tellDelivery(exporter, what, destination, (line) => void run(line))
})
