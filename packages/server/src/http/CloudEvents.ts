/**
 * CloudEvents 1.0 over HTTP (structured, batched and binary content mode) as the worker events they stand for.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 */
import { Timestamp, Worker, WorkerId } from "@muster/core"
import { Priority } from "@muster/core/fleet"
import { DateTime, Effect, Exit, Predicate, Schema } from "effect"
import { InvalidEvent, type InvalidWorkerProblem, type ProblemError } from "./Problems.ts"
import { decodeWorker, isPriority, isWorkerId, priorityRule, type WorkerInput } from "./WorkerInput.ts"

const types = {
  provisioned: "dev.muster.worker.provisioned",
  ready: "dev.muster.worker.ready",
  terminated: "dev.muster.worker.terminated"
} as const

const EventType = Schema.Literals(Object.values(types))

const attribute = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(1024))

const Reason = Schema.String.check(Schema.isMaxLength(1024))
const isReason = Schema.is(Reason)
const reasonRule = "expected a string of at most 1024 characters"

/** Data of the ready and terminated events; the id may stand in the event's `subject` instead. */
const WorkerReference = Schema.Struct({
  workerId: WorkerId,
  reason: Schema.optionalKey(Reason)
})

/** For the API's description: {@link readEvent} is what decodes. */
export const StructuredEvent = Schema.Struct({
  specversion: Schema.Literal("1.0"),
  id: attribute,
  source: attribute,
  type: EventType,
  time: Schema.optionalKey(Schema.String.annotate({ format: "date-time" })),
  subject: Schema.optionalKey(attribute.annotate({ description: "The worker's id, where data has none" })),
  priority: Schema.optionalKey(Priority),
  datacontenttype: Schema.optionalKey(Schema.Literal("application/json")),
  data: Schema.optionalKey(Schema.Union([Worker, WorkerReference]))
}).annotate({ identifier: "CloudEvent" })

export const BinaryEvent = Schema.Union([Worker, WorkerReference]).annotate({
  description: "Binary mode: the event's data; its attributes are in the headers ce-id, ce-source, ce-type …"
})

/** An event that makes sense. */
export interface ReceivedEvent {
  readonly source: string
  readonly id: string
  /** Milliseconds since 1970, where the sender said when it happened. */
  readonly occurredAt: number | undefined
  /** The extension attribute `priority`. */
  readonly priority: Priority | undefined
  readonly change:
    | ({ readonly _tag: "Provisioned" } & WorkerInput)
    | { readonly _tag: "Ready"; readonly workerId: WorkerId }
    | { readonly _tag: "Terminated"; readonly workerId: WorkerId; readonly reason: string | undefined }
}

/** One event in structured mode, from parsed JSON. */
export const readEvent = Effect.fnUntraced(function* (
  input: unknown
): Effect.fn.Return<ReceivedEvent, InvalidEvent | InvalidWorkerProblem> {
  if (!Predicate.isObject(input)) return yield* invalid([{ path: "", message: "expected a JSON object" }])
  const event = new Attributes(input)
  const id = event.text("id")
  const source = event.text("source")
  const type = event.text("type")
  const time = event.optional("time")
  const subject = event.optional("subject")
  const occurredAt = time === undefined ? undefined : toMillis(time)
  event.require("specversion", event.value("specversion") === "1.0", `expected "1.0"`)
  event.require(
    "type",
    type === "" || isEventType(type),
    `expected one of ${Object.values(types).join(", ")}`
  )
  event.require("time", time === undefined || occurredAt !== undefined, "expected an RFC 3339 timestamp")
  const priority = event.value("priority")
  event.require("priority", priority === undefined || isPriority(priority), priorityRule)
  const contentType = event.value("datacontenttype")
  event.require(
    "datacontenttype",
    contentType === undefined || isJsonType(contentType),
    "expected application/json"
  )
  event.require("data_base64", event.value("data_base64") === undefined, "expected JSON in data instead")
  if (event.errors.length > 0) return yield* invalid(event.errors)
  const head = { source, id, occurredAt, priority: isPriority(priority) ? priority : undefined }
  if (type === types.provisioned) {
    const data = unwrap(input.data, "worker")
    return { ...head, change: { _tag: "Provisioned", ...(yield* decodeWorker(data)) } }
  }
  const workerId = referenced(input.data) ?? subject
  if (!isWorkerId(workerId)) {
    return yield* invalid([{ path: "data.workerId", message: "expected a worker's id, here or in subject" }])
  }
  if (type === types.ready) return { ...head, change: { _tag: "Ready", workerId } }
  const reason = Predicate.hasProperty(input.data, "reason") ? (input.data.reason ?? undefined) : undefined
  if (reason !== undefined && !isReason(reason)) {
    return yield* invalid([{ path: "data.reason", message: reasonRule }])
  }
  return { ...head, change: { _tag: "Terminated", workerId, reason } }
})

/** The attributes of an event in binary mode, from its headers, joined with its data. */
export const fromHeaders = (
  headers: Readonly<Record<string, string | undefined>>,
  data: unknown
): unknown => {
  const event: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith("ce-") && value !== undefined) event[name.slice(3)] = percentDecode(unquote(value))
  }
  return data === undefined ? event : { ...event, data }
}

/** Whether a request carries an event in binary mode. */
export const isBinary = (headers: Readonly<Record<string, string | undefined>>): boolean =>
  headers["ce-specversion"] !== undefined ||
  headers["ce-type"] !== undefined ||
  headers["ce-id"] !== undefined

class Attributes {
  readonly errors: Array<ProblemError> = []
  private readonly input: Readonly<Record<PropertyKey, unknown>>

  constructor(input: Readonly<Record<PropertyKey, unknown>>) {
    this.input = input
  }

  require(path: string, holds: boolean, message: string): void {
    if (!holds) this.errors.push({ path, message })
  }

  /** An attribute that is `null` is not set (JSON event format, section 2.2). */
  value(name: string): unknown {
    return this.input[name] ?? undefined
  }

  text(name: string): string {
    const value = this.optional(name)
    this.require(name, this.value(name) !== undefined, "expected a value, which is required")
    return value ?? ""
  }

  optional(name: string): string | undefined {
    const value = this.value(name)
    if (value === undefined) return undefined
    const isText = Predicate.isString(value) && value.length >= 1 && value.length <= 1024
    this.require(name, isText, "expected a string of 1 to 1024 characters")
    return isText ? value : undefined
  }
}

const invalid = (errors: ReadonlyArray<ProblemError>) => new InvalidEvent({ errors })

const isEventType = Schema.is(EventType)

const isJsonType = (value: unknown): boolean =>
  Predicate.isString(value) && /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(value)

const decodeTime = Schema.decodeUnknownExit(Timestamp)

const toMillis = (time: string): number | undefined => {
  const exit = decodeTime(time)
  return Exit.isSuccess(exit) ? DateTime.toEpochMillis(exit.value) : undefined
}

/** `{ "worker": { … } }` is the shape of Muster's own event; a bare worker is the plainer one. Both are taken. */
const unwrap = (data: unknown, name: string): unknown =>
  Predicate.hasProperty(data, name) && !Predicate.hasProperty(data, "id") ? data[name] : data

const referenced = (data: unknown): unknown => {
  if (Predicate.hasProperty(data, "workerId")) return data.workerId
  return Predicate.hasProperty(data, "id") ? data.id : undefined
}

/** A header's value may stand in double quotes (HTTP protocol binding, section 3.1.3.2). */
const unquote = (value: string): string => {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(value)?.[1]
  return quoted === undefined ? value : quoted.replace(/\\(.)/g, "$1")
}

const percentDecode = (value: string): string => {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
