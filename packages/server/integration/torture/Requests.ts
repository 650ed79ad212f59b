/**
 * The ways in which a change can be sent to the service: a route for each, batches as JSON and NDJSON, CloudEvents in
 * their three modes. A request carries changes of one or more workers, and has one answer for each.
 */
import type { WorkerId } from "@muster/core"
import { type Array, Effect, Option, Schema, Stream } from "effect"
import { HttpBody, type HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { workerOf } from "./Content.ts"
import type { Answer, Change } from "./Knowledge.ts"

export interface Member {
  readonly id: WorkerId
  readonly change: Change
  /** Names this change among all, also when it is sent again. */
  readonly key: string
}

/** How changes are sent. */
export interface Way {
  readonly name: string
  /** The service recognises the same request when it comes again. */
  readonly isRepeatable: boolean
  /** It terminates workers that the service does not know, too. */
  readonly isEvent: boolean
  /** Which changes it can carry, and how many at most. */
  readonly changes: ReadonlyArray<Change["name"]>
  readonly most: number
  /** Tells each answer as it comes; those that are not told were lost. */
  readonly send: (
    client: HttpClient.HttpClient,
    members: ReadonlyArray<Member>,
    tell: (index: number, answer: Answer) => void
  ) => Effect.Effect<void, unknown>
}

/** The service answered something that it should not. */
export class UnexpectedAnswer extends Schema.TaggedError<UnexpectedAnswer>("UnexpectedAnswer")(
  "UnexpectedAnswer",
  {
    message: Schema.String
  }
) {}

/** One result: of a batch's member, of an event, or the whole answer to a single request. */
const Result = Schema.Struct({
  status: Schema.optional(Schema.Int),
  generation: Schema.optional(Schema.Int),
  outcome: Schema.optional(Schema.String),
  index: Schema.optional(Schema.Int),
  line: Schema.optional(Schema.Int)
})
type Result = typeof Result.Type

const Results = Schema.Struct({ results: Schema.Array(Result) })

const decodeResult = Schema.decodeUnknownEffect(Schema.fromJsonString(Result))
const decodeResults = Schema.decodeUnknownEffect(Schema.fromJsonString(Results))

/** `undefined`: nobody knows what became of the change. */
const answerOf = (result: Result, status: number): Option.Option<Answer> => {
  const { generation, outcome } = result
  if (status === 202 || status === 200) {
    if (outcome === "duplicate") return Option.some({ name: "repeated" })
    if (generation !== undefined && outcome !== "outdated")
      return Option.some({ name: "accepted", generation })
  }
  if (status === 404) return Option.some({ name: "not found" })
  if (status === 409) return Option.some({ name: "gone" })
  return status === 503 ? Option.some({ name: "none" }) : Option.none()
}

const understand = (result: Result, status: number, text: string): Effect.Effect<Answer, UnexpectedAnswer> =>
  Option.match(answerOf(result, status), {
    onSome: Effect.succeed,
    onNone: () => Effect.fail(new UnexpectedAnswer({ message: `${status} ${text.slice(0, 500)}` }))
  })

const one = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.gen(function* () {
    const text = yield* response.text
    return yield* understand(yield* decodeResult(text), response.status, text)
  })

/** The answers to a batch that is answered as a whole. */
const whole = Effect.fnUntraced(function* (
  response: HttpClientResponse.HttpClientResponse,
  tell: (index: number, answer: Answer) => void
) {
  const text = yield* response.text
  if (response.status === 503) return
  if (response.status !== 200) {
    return yield* new UnexpectedAnswer({ message: `${response.status} ${text.slice(0, 500)}` })
  }
  for (const [index, result] of (yield* decodeResults(text)).results.entries()) {
    tell(index, yield* understand(result, result.status ?? 0, JSON.stringify(result)))
  }
})

const revisionOf = (change: Change): number => (change.name === "register" ? Number(change.content) : 0)

const single = (
  name: string,
  isRepeatable: boolean,
  change: Change["name"],
  request: (member: Member) => HttpClientRequest.HttpClientRequest
): Way => ({
  name,
  isRepeatable,
  isEvent: false,
  changes: [change],
  most: 1,
  send: (client, members, tell) =>
    Effect.forEach(members, (member, index) =>
      Effect.map(Effect.flatMap(client.execute(request(member)), one), (answer) => tell(index, answer))
    )
})

const json = (value: unknown, type = "application/json") => HttpBody.text(JSON.stringify(value), type)

const register = ({ change, id }: Member) =>
  HttpClientRequest.post("/v1/workers", { body: json(workerOf(id, revisionOf(change))) })

const ready = ({ id }: Member) => HttpClientRequest.post(`/v1/workers/${encodeURIComponent(id)}/ready`)

const withKey =
  (request: (member: Member) => HttpClientRequest.HttpClientRequest) =>
  (member: Member): HttpClientRequest.HttpClientRequest =>
    HttpClientRequest.setHeader(request(member), "idempotency-key", member.key)

const eventTypes: Readonly<Record<Change["name"], string>> = {
  register: "dev.muster.worker.provisioned",
  ready: "dev.muster.worker.ready",
  terminate: "dev.muster.worker.terminated"
}

const eventData = ({ change, id }: Member) =>
  change.name === "register" ? workerOf(id, revisionOf(change)) : { workerId: id }

const eventHead = ({ change, key }: Member) => ({
  specversion: "1.0",
  id: key,
  source: "/torture",
  type: eventTypes[change.name]
})

const eventOf = (member: Member) => ({ ...eventHead(member), data: eventData(member) })

const allChanges = ["register", "ready", "terminate"] as const

const event = (name: string, request: (member: Member) => HttpClientRequest.HttpClientRequest): Way => ({
  ...single(name, true, "register", request),
  isEvent: true,
  changes: allChanges
})

const binaryEvent = (member: Member) =>
  HttpClientRequest.post("/v1/events", { body: json(eventData(member)) }).pipe(
    HttpClientRequest.setHeaders(
      Object.fromEntries(Object.entries(eventHead(member)).map(([name, value]) => [`ce-${name}`, value]))
    )
  )

/** Lines that come in pieces, so that the service has a part of them when it dies. */
const inPieces = (lines: ReadonlyArray<string>) =>
  Stream.fromArray(lines).pipe(
    Stream.grouped(8),
    Stream.tap(() => Effect.sleep(2)),
    Stream.map((piece) => piece.join("")),
    Stream.encodeText
  )

export const ways: Array.NonEmptyReadonlyArray<readonly [way: Way, weight: number]> = [
  [single("POST", false, "register", register), 6],
  [single("POST with a key", true, "register", withKey(register)), 4],
  [
    single("DELETE", false, "terminate", ({ id }) =>
      HttpClientRequest.delete(`/v1/workers/${encodeURIComponent(id)}`)
    ),
    6
  ],
  [single("ready", false, "ready", ready), 3],
  [single("ready with a key", true, "ready", withKey(ready)), 2],
  [
    {
      name: "NDJSON",
      isRepeatable: false,
      isEvent: false,
      changes: ["register"],
      most: 60,
      send: (client, members, tell) =>
        Effect.gen(function* () {
          const lines = members.map(
            ({ change, id }) => `${JSON.stringify(workerOf(id, revisionOf(change)))}\n`
          )
          const body = HttpBody.stream(inPieces(lines), "application/x-ndjson")
          const response = yield* client.execute(HttpClientRequest.post("/v1/workers/batch", { body }))
          yield* response.stream.pipe(
            Stream.decodeText,
            Stream.splitLines,
            Stream.runForEach((line) =>
              Effect.gen(function* () {
                const result = yield* decodeResult(line)
                tell((result.line ?? 0) - 1, yield* understand(result, result.status ?? 0, line))
              })
            )
          )
        })
    },
    3
  ],
  [
    {
      name: "JSON array",
      isRepeatable: false,
      isEvent: false,
      changes: ["register"],
      most: 40,
      send: (client, members, tell) =>
        Effect.gen(function* () {
          const workers = members.map(({ change, id }) => workerOf(id, revisionOf(change)))
          const request = HttpClientRequest.post("/v1/workers/batch", { body: json(workers) })
          yield* whole(yield* client.execute(request), tell)
        })
    },
    1
  ],
  [
    event("event", (member) =>
      HttpClientRequest.post("/v1/events", { body: json(eventOf(member), "application/cloudevents+json") })
    ),
    5
  ],
  [event("binary event", binaryEvent), 2],
  [
    {
      name: "events",
      isRepeatable: false,
      isEvent: true,
      changes: allChanges,
      most: 40,
      send: (client, members, tell) =>
        Effect.gen(function* () {
          const body = json(members.map(eventOf), "application/cloudevents-batch+json")
          yield* whole(yield* client.execute(HttpClientRequest.post("/v1/events", { body })), tell)
        })
    },
    3
  ]
]
