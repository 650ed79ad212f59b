/**
 * The variables of OpenTelemetry's specification that the service honours; docs/telemetry.md lists them. The exporters
 * read some of them for themselves, such as headers and certificates; those are only checked here. No message repeats
 * a value: an address or a header may hold a secret.
 */
import { Config, Effect, Option } from "effect"
import { accessSync, constants } from "node:fs"
import { WrongUsage } from "../WrongUsage.ts"

export const protocols = ["http/protobuf", "http/json"] as const
/** How what is exported is written. */
export type OtlpProtocol = (typeof protocols)[number]

/** How many items wait for a batch, and how long. Times are in milliseconds. */
export interface BatchSettings {
  readonly scheduledDelayMillis: number
  readonly exportTimeoutMillis: number
  /** What comes while so many wait is dropped. */
  readonly maxQueueSize: number
  readonly maxExportBatchSize: number
}

export interface SamplerSettings {
  /** Whether a trace that others began, or that a new one is linked to, is sampled as those decided. */
  readonly isParentBased: boolean
  /** The share of all other traces that is sampled, from 0 to 1. */
  readonly ratio: number
}

export interface SignalSettings {
  readonly protocol: OtlpProtocol
  /** Where it goes, without what could be secret in it. */
  readonly destination: string
}

export interface TracesSettings extends SignalSettings {
  readonly batch: BatchSettings
  readonly sampler: SamplerSettings
}

export interface MetricsSettings extends SignalSettings {
  readonly exportIntervalMillis: number
  readonly exportTimeoutMillis: number
  readonly temporality: "cumulative" | "delta"
}

export interface LogsSettings extends SignalSettings {
  readonly batch: BatchSettings
}

/** The signals that are exported. */
export interface OtlpSettings {
  readonly traces: TracesSettings | undefined
  readonly metrics: MetricsSettings | undefined
  readonly logs: LogsSettings | undefined
}

/** What is to be exported, and how; `None`: nothing is. */
export const resolveOtlp: Effect.Effect<Option.Option<OtlpSettings>, WrongUsage> = Effect.suspend(() =>
  resolve()
)

const resolve = Effect.fnUntraced(function* (): Effect.fn.Return<Option.Option<OtlpSettings>, WrongUsage> {
  if ((yield* oneOf(["OTEL_SDK_DISABLED"], ["true", "false"], "false")) === "true") return Option.none()
  const traces = yield* signal("TRACES")
  const metrics = yield* signal("METRICS")
  const logs = yield* signal("LOGS")
  if (traces === undefined && metrics === undefined && logs === undefined) return Option.none()
  return Option.some({
    traces: traces && { ...traces, batch: yield* batch("OTEL_BSP", 5000), sampler: yield* sampler },
    metrics: metrics && { ...metrics, ...(yield* metricReader) },
    logs: logs && { ...logs, batch: yield* batch("OTEL_BLRP", 1000) }
  })
})

const signal = Effect.fnUntraced(function* (
  name: "TRACES" | "METRICS" | "LOGS"
): Effect.fn.Return<SignalSettings | undefined, WrongUsage> {
  const exporter = yield* oneOf([`OTEL_${name}_EXPORTER`], ["otlp", "none"], "otlp")
  const own = (what: string) => [`OTEL_EXPORTER_OTLP_${name}_${what}`, `OTEL_EXPORTER_OTLP_${what}`]
  const endpoint = yield* first(own("ENDPOINT"))
  if (exporter === "none" || endpoint === undefined) return undefined
  const destination = yield* checkEndpoint(endpoint)
  for (const name of own("HEADERS")) yield* checkHeaders(yield* first([name]))
  yield* oneOf(own("COMPRESSION"), ["gzip", "none"], "none")
  yield* wholeNumber(own("TIMEOUT"), 1, 10_000)
  for (const file of ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"]) yield* checkFile(own(file))
  return { destination, protocol: yield* oneOf(own("PROTOCOL"), protocols, "http/protobuf", noGrpc) }
})

const noGrpc =
  "; collectors take both at port 4318, and grpc, which this version of muster does not speak, at 4317"

const batch = Effect.fnUntraced(function* (prefix: string, delay: number) {
  const maxQueueSize = yield* wholeNumber([`${prefix}_MAX_QUEUE_SIZE`], 1, 2048)
  return {
    scheduledDelayMillis: yield* wholeNumber([`${prefix}_SCHEDULE_DELAY`], 1, delay),
    exportTimeoutMillis: yield* wholeNumber([`${prefix}_EXPORT_TIMEOUT`], 1, 30_000),
    maxQueueSize,
    maxExportBatchSize: Math.min(
      maxQueueSize,
      yield* wholeNumber([`${prefix}_MAX_EXPORT_BATCH_SIZE`], 1, 512)
    )
  }
})

const metricReader = Effect.gen(function* () {
  const exportIntervalMillis = yield* wholeNumber(["OTEL_METRIC_EXPORT_INTERVAL"], 1, 60_000)
  const exportTimeoutMillis = yield* wholeNumber(["OTEL_METRIC_EXPORT_TIMEOUT"], 1, 30_000)
  return {
    exportIntervalMillis,
    exportTimeoutMillis: Math.min(exportIntervalMillis, exportTimeoutMillis),
    temporality: yield* oneOf(
      ["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"],
      ["cumulative", "delta"],
      "cumulative"
    )
  }
})

const samplers = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio"
] as const

const sampler = Effect.gen(function* () {
  const name = yield* oneOf(["OTEL_TRACES_SAMPLER"], samplers, "parentbased_always_on")
  const isParentBased = name.startsWith("parentbased_")
  if (!name.endsWith("traceidratio")) return { isParentBased, ratio: name.endsWith("always_on") ? 1 : 0 }
  const given = yield* first(["OTEL_TRACES_SAMPLER_ARG"])
  const ratio = given === undefined ? 1 : Number(given.value)
  if (!(ratio >= 0 && ratio <= 1)) return yield* wrong(given, "a number from 0 to 1")
  return { isParentBased, ratio }
})

interface Given {
  readonly name: string
  readonly value: string
}

/** The first of these variables that is set; an empty one counts as not set. */
const first = Effect.fnUntraced(function* (
  names: ReadonlyArray<string>
): Effect.fn.Return<Given | undefined, WrongUsage> {
  for (const name of names) {
    const value = yield* Config.option(Config.String(name)).pipe(Effect.orElseSucceed(() => Option.none()))
    const trimmed = Option.getOrElse(value, () => "").trim()
    if (trimmed !== "") return { name, value: trimmed }
  }
  return undefined
})

const wrong = (given: Given | undefined, rule: string) =>
  Effect.fail(new WrongUsage({ message: `${given?.name ?? "a variable"} must be ${rule}` }))

const oneOf = Effect.fnUntraced(function* <const A extends string>(
  names: ReadonlyArray<string>,
  values: ReadonlyArray<A>,
  fallback: NoInfer<A>,
  why = ""
): Effect.fn.Return<A, WrongUsage> {
  const given = yield* first(names)
  if (given === undefined) return fallback
  const found = values.find((value) => value === given.value.toLowerCase())
  return found ?? (yield* wrong(given, `${values.slice(0, -1).join(", ")} or ${values.at(-1)}${why}`))
})

const wholeNumber = Effect.fnUntraced(function* (
  names: ReadonlyArray<string>,
  minimum: number,
  fallback: number
): Effect.fn.Return<number, WrongUsage> {
  const given = yield* first(names)
  if (given === undefined) return fallback
  const number = Number(given.value)
  // Longer than this, a timer of Node.js ends at once.
  const isFine = Number.isInteger(number) && number >= minimum && number < 2 ** 31
  return isFine ? number : yield* wrong(given, `a whole number from ${minimum} to ${2 ** 31 - 1}`)
})

const checkEndpoint = (given: Given): Effect.Effect<string, WrongUsage> => {
  const url = URL.parse(given.value)
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    return wrong(given, "an address that begins with http:// or https://")
  }
  if (url.username !== "" || url.password !== "") {
    return wrong(
      given,
      "an address without a user and a password; OTEL_EXPORTER_OTLP_HEADERS has a place for them"
    )
  }
  return Effect.succeed(url.origin)
}

/** The exporters leave out what they cannot read, and a collector that asks for a token then refuses everything. */
const checkHeaders = (given: Given | undefined): Effect.Effect<void, WrongUsage> => {
  const isHeader = (header: string) => /^\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+\s*=/.test(header)
  const isFine = given === undefined || given.value.split(",").every(isHeader)
  return isFine ? Effect.void : wrong(given, "headers as name=value, with commas between")
}

/** The exporters go on without a file that they cannot read, and so without the encryption that was asked for. */
const checkFile = Effect.fnUntraced(function* (
  names: ReadonlyArray<string>
): Effect.fn.Return<void, WrongUsage> {
  const given = yield* first(names)
  if (given === undefined) return
  yield* Effect.catch(
    Effect.try(() => accessSync(given.value, constants.R_OK)),
    () => wrong(given, "the name of a file that can be read")
  )
})
