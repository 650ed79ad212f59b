/**
 * A collector for tests: takes OTLP over HTTP, in protobuf or JSON, decodes it, and keeps what it was sent. It can also
 * misbehave as collectors do.
 */
import { Schema } from "effect"
import { once } from "node:events"
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import { join } from "node:path"
import { buffer } from "node:stream/consumers"
import { gunzipSync } from "node:zlib"
import protobuf from "protobufjs"

const definitions = await protobuf.load(join(import.meta.dirname, "otlp.proto"))

/** 64 bits are text in OTLP's JSON. */
const Count = Schema.Union([Schema.Finite, Schema.FiniteFromString])

/** Hexadecimal in OTLP's JSON, against the rules of protobuf's. */
const Id = Schema.Union([Schema.String, Schema.Uint8Array])

const AnyValue = Schema.Struct({
  stringValue: Schema.optionalKey(Schema.String),
  boolValue: Schema.optionalKey(Schema.Boolean),
  intValue: Schema.optionalKey(Count),
  doubleValue: Schema.optionalKey(Schema.Finite)
})

const KeyValues = Schema.Array(Schema.Struct({ key: Schema.String, value: AnyValue }))

const Resource = Schema.Struct({ attributes: KeyValues })

const DataPoints = Schema.Struct({
  aggregationTemporality: Schema.optionalKey(Schema.Int),
  isMonotonic: Schema.optionalKey(Schema.Boolean),
  dataPoints: Schema.Array(
    Schema.Struct({
      attributes: KeyValues,
      asDouble: Schema.optionalKey(Schema.Finite),
      asInt: Schema.optionalKey(Count),
      count: Schema.optionalKey(Count),
      explicitBounds: Schema.optionalKey(Schema.Array(Schema.Finite))
    })
  )
})

const signals = {
  "/v1/traces": {
    message: definitions.lookupType("muster.test.otlp.TracesRequest"),
    schema: Schema.Struct({
      resourceSpans: Schema.Array(
        Schema.Struct({
          resource: Resource,
          scopeSpans: Schema.Array(
            Schema.Struct({
              spans: Schema.Array(
                Schema.Struct({
                  traceId: Id,
                  spanId: Id,
                  parentSpanId: Schema.optionalKey(Id),
                  name: Schema.String,
                  kind: Schema.Int,
                  attributes: KeyValues,
                  links: Schema.Array(Schema.Struct({ traceId: Id, spanId: Id })),
                  status: Schema.Struct({ code: Schema.optionalKey(Schema.Int) })
                })
              )
            })
          )
        })
      )
    })
  },
  "/v1/metrics": {
    message: definitions.lookupType("muster.test.otlp.MetricsRequest"),
    schema: Schema.Struct({
      resourceMetrics: Schema.Array(
        Schema.Struct({
          resource: Resource,
          scopeMetrics: Schema.Array(
            Schema.Struct({
              metrics: Schema.Array(
                Schema.Struct({
                  name: Schema.String,
                  gauge: Schema.optionalKey(DataPoints),
                  sum: Schema.optionalKey(DataPoints),
                  histogram: Schema.optionalKey(DataPoints)
                })
              )
            })
          )
        })
      )
    })
  },
  "/v1/logs": {
    message: definitions.lookupType("muster.test.otlp.LogsRequest"),
    schema: Schema.Struct({
      resourceLogs: Schema.Array(
        Schema.Struct({
          resource: Resource,
          scopeLogs: Schema.Array(
            Schema.Struct({
              logRecords: Schema.Array(
                Schema.Struct({
                  severityText: Schema.String,
                  body: AnyValue,
                  attributes: KeyValues,
                  traceId: Schema.optionalKey(Id)
                })
              )
            })
          )
        })
      )
    })
  }
} as const

type Values = Readonly<Record<string, unknown>>

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  /** Empty for a root. */
  readonly parentSpanId: string
  readonly name: string
  /** 1: internal, 2: server, 3: client. */
  readonly kind: number
  readonly attributes: Values
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>
  /** 2: error. */
  readonly status: number
}

export interface ReceivedLog {
  readonly level: string
  readonly body: unknown
  readonly attributes: Values
  /** Empty outside of a trace. */
  readonly traceId: string
}

export interface ReceivedPoint {
  readonly name: string
  readonly kind: "gauge" | "sum" | "histogram"
  /** 1: delta, 2: cumulative; 0 for a gauge. */
  readonly temporality: number
  readonly attributes: Values
  /** The count of a histogram. */
  readonly value: number
}

/** `hangs`: takes everything and never answers. */
export type Manner = "answers" | "hangs" | "fails"

export class OtlpReceiver {
  manner: Manner
  readonly spans: Array<ReceivedSpan> = []
  readonly logs: Array<ReceivedLog> = []
  readonly points: Array<ReceivedPoint> = []
  readonly resources: Array<Values> = []
  readonly headers: Array<IncomingHttpHeaders> = []
  /** Requests that could not be read, which there should be none of. */
  readonly unreadable: Array<unknown> = []
  requests = 0
  private readonly server = createServer((request, response) => void this.handle(request, response))
  private changed = Promise.withResolvers<void>()

  private constructor(manner: Manner) {
    this.manner = manner
  }

  static async start(manner: Manner = "answers"): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver(manner)
    receiver.server.listen(0, "127.0.0.1")
    await once(receiver.server, "listening")
    return receiver
  }

  get url(): string {
    const address = this.server.address()
    if (address === null || typeof address === "string") throw new Error("the receiver does not listen")
    return `http://127.0.0.1:${address.port}`
  }

  /** Waits until what was received satisfies this. */
  async until(isEnough: (receiver: this) => boolean): Promise<void> {
    while (!isEnough(this)) await this.changed.promise
  }

  spansNamed(name: string): ReadonlyArray<ReceivedSpan> {
    return this.spans.filter((span) => span.name === name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, "close")
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const sent = await buffer(request)
      this.requests++
      this.headers.push(request.headers)
      if (this.manner === "answers") {
        this.take(request, request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent)
        response.setHeader("content-type", request.headers["content-type"] ?? "")
        response.end(isJson(request) ? "{}" : "")
      } else if (this.manner === "fails") response.writeHead(500).end("geht nicht")
    } catch (error) {
      this.unreadable.push(error)
      response.writeHead(400).end()
    }
    this.changed.resolve()
    this.changed = Promise.withResolvers<void>()
  }

  private take(request: IncomingMessage, body: Buffer): void {
    const read = <S extends (typeof signals)[keyof typeof signals]>({
      message,
      schema
    }: S): S["schema"]["Type"] => {
      const sent: unknown = isJson(request)
        ? JSON.parse(body.toString())
        : message.toObject(message.decode(body), { longs: String, arrays: true })
      return Schema.decodeUnknownSync(schema)(sent)
    }
    switch (request.url) {
      case "/v1/traces":
        return this.takeTraces(read(signals["/v1/traces"]))
      case "/v1/metrics":
        return this.takeMetrics(read(signals["/v1/metrics"]))
      case "/v1/logs":
        return this.takeLogs(read(signals["/v1/logs"]))
      default:
        throw new Error(`nothing is served at ${request.url}`)
    }
  }

  private takeTraces({ resourceSpans }: (typeof signals)["/v1/traces"]["schema"]["Type"]): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      this.resources.push(values(resource.attributes))
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push({
          traceId: hex(span.traceId),
          spanId: hex(span.spanId),
          parentSpanId: hex(span.parentSpanId),
          name: span.name,
          kind: span.kind,
          attributes: values(span.attributes),
          links: span.links.map(({ spanId, traceId }) => ({ traceId: hex(traceId), spanId: hex(spanId) })),
          status: span.status.code ?? 0
        })
      }
    }
  }

  private takeMetrics({ resourceMetrics }: (typeof signals)["/v1/metrics"]["schema"]["Type"]): void {
    for (const { resource, scopeMetrics } of resourceMetrics) {
      this.resources.push(values(resource.attributes))
      for (const metric of scopeMetrics.flatMap(({ metrics }) => metrics)) {
        for (const kind of ["gauge", "sum", "histogram"] as const) {
          const data = metric[kind]
          for (const point of data?.dataPoints ?? []) {
            this.points.push({
              name: metric.name,
              kind,
              temporality: data?.aggregationTemporality ?? 0,
              attributes: values(point.attributes),
              value: point.count ?? point.asDouble ?? point.asInt ?? Number.NaN
            })
          }
        }
      }
    }
  }

  private takeLogs({ resourceLogs }: (typeof signals)["/v1/logs"]["schema"]["Type"]): void {
    for (const { resource, scopeLogs } of resourceLogs) {
      this.resources.push(values(resource.attributes))
      for (const record of scopeLogs.flatMap(({ logRecords }) => logRecords)) {
        this.logs.push({
          level: record.severityText,
          body: value(record.body),
          attributes: values(record.attributes),
          traceId: hex(record.traceId)
        })
      }
    }
  }
}

const isJson = ({ headers }: IncomingMessage): boolean => headers["content-type"] === "application/json"

const hex = (id: typeof Id.Type | undefined): string =>
  typeof id === "string" ? id : Buffer.from(id ?? []).toString("hex")

const value = ({ boolValue, doubleValue, intValue, stringValue }: typeof AnyValue.Type): unknown =>
  stringValue ?? boolValue ?? intValue ?? doubleValue

const values = (attributes: typeof KeyValues.Type): Values =>
  Object.fromEntries(attributes.map((attribute) => [attribute.key, value(attribute.value)]))
