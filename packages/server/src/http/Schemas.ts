/**
 * What the HTTP API sends, beside problems and workers themselves.
 */
import { SchedulerHealth, Worker, WorkerId } from "@muster/core"
import { DateTime, Duration, Option, Schema } from "effect"
import { HttpApiSchema } from "effect/http-api"
import {
  type Accepted as FleetAccepted,
  CallName,
  ChangeName,
  type DriftReport,
  FailureType,
  Phase,
  Priority,
  type Lease,
  type PhaseEvent,
  type TimelineItem,
  type WorkerRecord,
  type WorkerTimeline
} from "@muster/core/fleet"
import { ItemProblem } from "./Problems.ts"

export const timestamp = Schema.String.annotate({
  format: "date-time",
  examples: ["2026-01-31T12:00:00.000Z"]
})
export const formatTime = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis))
const formatTimeOrNull = (millis: number | undefined) => (millis === undefined ? null : formatTime(millis))

const Generation = Schema.Int.annotate({
  description: "Grows with every accepted change of the worker; a safe integer",
  examples: [7301444403200000]
})

/** A change that was taken in. */
const acceptance = {
  id: WorkerId,
  generation: Generation,
  phase: Phase.annotate({ description: "How far the worker is from what is wanted" })
}

export const Accepted = Schema.Struct(acceptance).annotate({
  identifier: "Accepted",
  description: "The change was accepted and is carried to the scheduler",
  httpApiStatus: 202
})
export type Accepted = typeof Accepted.Type

export const Registered = Schema.Struct(acceptance).annotate({
  identifier: "Registered",
  description: "The scheduler has the worker (answer to Prefer: wait)"
})

export const toAccepted = ({ generation, id, phase }: Pick<FleetAccepted, keyof Accepted>): Accepted => ({
  id,
  generation,
  phase
})

const failure = {
  type: FailureType,
  message: Schema.String,
  retryable: Schema.Boolean.annotate({ description: "Whether it is tried again without further ado" })
}

const LastError = Schema.Struct({ ...failure, at: timestamp })

export const WorkerView = Schema.Struct({
  ...acceptance,
  worker: Schema.NullOr(Worker).annotate({
    description: "The worker as it was sent; null where only its termination was reported"
  }),
  priority: Priority,
  leaseTtl: Schema.NullOr(
    Schema.String.annotate({ description: "As it was asked for; null: no lease", examples: ["30 seconds"] })
  ),
  leaseExpiresAt: Schema.NullOr(timestamp).annotate({
    description: "Without a heartbeat until then, and a grace after it, the worker counts as terminated"
  }),
  attempts: Schema.Int.annotate({ description: "Calls made to the scheduler for this generation" }),
  lastError: Schema.NullOr(LastError),
  createdAt: timestamp,
  updatedAt: timestamp,
  registeredAt: Schema.NullOr(timestamp),
  nextAttemptAt: Schema.NullOr(timestamp)
}).annotate({ identifier: "WorkerStatus" })
export type WorkerView = typeof WorkerView.Type

export const toWorkerView = (status: WorkerRecord): WorkerView => ({
  ...toAccepted(status),
  worker: status.stored?.worker ?? null,
  priority: status.priority,
  leaseTtl: status.leaseTtl === undefined ? null : durationText(Duration.millis(status.leaseTtl)),
  leaseExpiresAt: formatTimeOrNull(status.leaseExpiresAt),
  attempts: status.attempts,
  lastError:
    status.lastError === undefined ? null : { ...status.lastError, at: formatTime(status.lastError.at) },
  createdAt: formatTime(status.createdAt),
  updatedAt: formatTime(status.updatedAt),
  registeredAt: formatTimeOrNull(status.registeredAt),
  nextAttemptAt: formatTimeOrNull(status.nextAttemptAt)
})

/** The answer to a heartbeat. */
export const LeaseView = Schema.Struct({
  id: WorkerId,
  leaseTtl: Schema.NullOr(
    Schema.String.annotate({
      description:
        "Send the next heartbeat before this is over; grows with the fleet. null: the worker has no lease",
      examples: ["30 seconds"]
    })
  ),
  expiresAt: Schema.NullOr(timestamp)
}).annotate({ identifier: "Lease" })

const durationText = Schema.encodeSync(Schema.DurationFromString)

export const toLeaseView = (id: WorkerId, lease: Option.Option<Lease>): typeof LeaseView.Type =>
  Option.match(lease, {
    onNone: () => ({ id, leaseTtl: null, expiresAt: null }),
    onSome: ({ expiresAt, ttl }) => ({ id, leaseTtl: durationText(ttl), expiresAt: formatTime(expiresAt) })
  })

/** One event of `GET /v1/events`. */
export const PhaseEventView = Schema.Struct({
  workerId: WorkerId,
  phase: Phase,
  generation: Generation,
  at: timestamp,
  nextAttemptAt: Schema.NullOr(timestamp)
}).annotate({ identifier: "PhaseEvent" })

export const toPhaseEventView = ({ item, workerId }: PhaseEvent): typeof PhaseEventView.Type => ({
  workerId,
  phase: item.phase,
  generation: item.generation,
  at: formatTime(item.at),
  nextAttemptAt: formatTimeOrNull(item.nextAttemptAt)
})

const moment = { at: timestamp, generation: Generation }

const TimelineItemView = Schema.Union([
  Schema.Struct({
    type: Schema.Literal("change"),
    ...moment,
    change: ChangeName.annotate({
      description:
        "What was accepted; dropped is a decision about a dead letter, retried about one or about a wait"
    }),
    source: Schema.NullOr(Schema.String.annotate({ description: "The source of the CloudEvent" })),
    reason: Schema.NullOr(Schema.String)
  }),
  Schema.Struct({
    type: Schema.Literal("call"),
    ...moment,
    call: CallName,
    result: Schema.Literals(["success", "failure"]),
    attempt: Schema.NullOr(
      Schema.Int.annotate({ description: "Which call for this generation it was, from 1; not for verify" })
    ),
    held: Schema.NullOr(
      Schema.Boolean.annotate({ description: "verify: whether the scheduler has the worker" })
    ),
    error: Schema.NullOr(Schema.Struct(failure))
  }),
  Schema.Struct({
    type: Schema.Literal("phase"),
    ...moment,
    phase: Phase,
    nextAttemptAt: Schema.NullOr(timestamp)
  })
]).annotate({ identifier: "TimelineItem" })
type TimelineItemView = typeof TimelineItemView.Type

export const TimelineView = Schema.Struct({
  items: Schema.Array(TimelineItemView),
  forgotten: Schema.Int.annotate({ description: "How many older items are not kept any more" })
}).annotate({ identifier: "Timeline" })

export const toTimelineView = ({ forgotten, items }: WorkerTimeline): typeof TimelineView.Type => ({
  items: items.map(toTimelineItemView),
  forgotten
})

const toTimelineItemView = (item: TimelineItem): TimelineItemView => {
  const { at: millis, generation } = item
  const at = formatTime(millis)
  switch (item.type) {
    case "change": {
      const { change, reason = null, source = null, type } = item
      return { type, at, generation, change, source, reason }
    }
    case "call": {
      const { attempt = null, call, error = null, held = null, type } = item
      return {
        type,
        at,
        generation,
        call,
        result: error === null ? "success" : "failure",
        attempt,
        held,
        error
      }
    }
    case "phase": {
      const { nextAttemptAt, phase, type } = item
      return { type, at, generation, phase, nextAttemptAt: formatTimeOrNull(nextAttemptAt) }
    }
  }
}

const page = {
  nextCursor: Schema.NullOr(Schema.String).annotate({
    description: "Send it as cursor to get the next page; null on the last one"
  }),
  total: Schema.Int.annotate({ description: "How many there are on all pages" })
}

export const WorkerPage = Schema.Struct({ items: Schema.Array(WorkerView), ...page }).annotate({
  identifier: "WorkerPage"
})

export const DeadLettersRetried = Schema.Struct({
  retried: Schema.Int.annotate({ description: "How many are tried again" }),
  left: Schema.Int.annotate({
    description: "How many match and stay, because too many changes are unfinished"
  })
}).annotate({ identifier: "DeadLettersRetried", httpApiStatus: 202 })

export const DeadLettersDropped = Schema.Struct({
  dropped: Schema.Int.annotate({ description: "How many are not wanted any more" }),
  left: Schema.Int.annotate({
    description: "How many match and stay, because too many changes are unfinished"
  })
}).annotate({ identifier: "DeadLettersDropped", httpApiStatus: 202 })

/** The result of one member of a batch, by its position in a JSON array or its line of NDJSON. */
export const BatchResult = Schema.Struct({
  index: Schema.optionalKey(Schema.Int.annotate({ description: "Position in the array, from 0" })),
  line: Schema.optionalKey(Schema.Int.annotate({ description: "Line of the NDJSON, from 1" })),
  status: Schema.Int.annotate({ description: "The HTTP status that the member would have got alone" }),
  id: Schema.optionalKey(WorkerId),
  generation: Schema.optionalKey(Generation),
  phase: Schema.optionalKey(Phase),
  problem: Schema.optionalKey(ItemProblem)
}).annotate({ identifier: "BatchResult" })
export type BatchResult = typeof BatchResult.Type

export const BatchResults = Schema.Struct({ results: Schema.Array(BatchResult) }).annotate({
  identifier: "BatchResults"
})

/** What became of one line of an export. */
export const ImportResult = Schema.Struct({
  line: Schema.Int.annotate({ description: "Line of the NDJSON, from 1" }),
  status: Schema.Int,
  outcome: Schema.optionalKey(
    Schema.Literals(["imported", "kept", "noted"]).annotate({
      description:
        "kept: the fleet knows the worker in the same or a newer state, which stays. noted: the first or the last line"
    })
  ),
  id: Schema.optionalKey(WorkerId),
  generation: Schema.optionalKey(Generation),
  phase: Schema.optionalKey(Phase),
  problem: Schema.optionalKey(ItemProblem)
}).annotate({ identifier: "ImportResult" })
export type ImportResult = typeof ImportResult.Type

/** What became of one event. */
export const EventResult = Schema.Struct({
  index: Schema.optionalKey(Schema.Int),
  status: Schema.Int,
  outcome: Schema.optionalKey(
    Schema.Literals(["accepted", "duplicate", "outdated"]).annotate({
      description:
        "duplicate: an event of this source and id was accepted before. outdated: a newer event of this source about the worker came first"
    })
  ),
  id: Schema.optionalKey(WorkerId),
  generation: Schema.optionalKey(Generation),
  phase: Schema.optionalKey(Phase),
  problem: Schema.optionalKey(ItemProblem)
}).annotate({ identifier: "EventResult" })
export type EventResult = typeof EventResult.Type

export const EventAccepted = EventResult.annotate({ identifier: "EventAccepted", httpApiStatus: 202 })

export const EventResults = Schema.Struct({ results: Schema.Array(EventResult) }).annotate({
  identifier: "EventResults"
})

/** Some schedulers list nothing but the ids. */
const ListedWorker = Schema.Union([Worker, Schema.Struct({ id: WorkerId })])

export const HeldWorkerPage = Schema.Struct({
  items: Schema.Array(Schema.Struct({ worker: ListedWorker, generation: Schema.NullOr(Generation) })),
  ...page
}).annotate({ identifier: "SchedulerWorkerPage" })

const duration = Schema.String.annotate({ examples: ["100 millis", "30 seconds"] })

/** What the latest comparison of the scheduler with the fleet found. */
const DriftView = Schema.Struct({
  startedAt: timestamp,
  endedAt: timestamp,
  held: Schema.Int.annotate({ description: "Workers that the scheduler listed" }),
  lost: Schema.Int.annotate({
    description: "Workers that it had lost, or held in an older state: registered again"
  }),
  ghosts: Schema.Int.annotate({ description: "Workers that it held and that are gone: unregistered again" }),
  unknown: Schema.Int.annotate({ description: "Workers that it held and that the fleet does not know" }),
  error: Schema.NullOr(Schema.String.annotate({ description: "Why the comparison did not come to its end" }))
}).annotate({ identifier: "Drift" })

export const toDriftView = (report: Option.Option<DriftReport>): typeof DriftView.Type | null =>
  Option.match(report, {
    onNone: () => null,
    onSome: ({ endedAt, error = null, startedAt, ...counts }) => ({
      startedAt: formatTime(startedAt),
      endedAt: formatTime(endedAt),
      ...counts,
      error
    })
  })

export const SchedulerView = Schema.Struct({
  adapter: Schema.String.annotate({ examples: ["embedded"] }),
  capabilities: Schema.Array(Schema.Literals(["registerBatch", "list", "get", "health"])),
  health: Schema.NullOr(SchedulerHealth),
  concurrency: Schema.Struct({
    limit: Schema.Int.annotate({ description: "Most calls at the same time" }),
    inFlight: Schema.Int.annotate({ description: "Calls under way" })
  }),
  calls: Schema.NullOr(
    Schema.Struct({
      limit: Schema.Int.annotate({
        description:
          "Most calls of the scheduler's interface at the same time, as its latency allows; a batch is one"
      }),
      inFlight: Schema.Int,
      waiting: Schema.Int.annotate({ description: "Calls that wait for a place" })
    })
  ).annotate({ description: "null: adaptive concurrency is off" }),
  circuit: Schema.NullOr(Schema.Struct({ state: Schema.Literals(["closed", "open", "half_open"]) })).annotate(
    { description: "null: there is no circuit breaker, calls are made whatever came of others" }
  ),
  rate: Schema.NullOr(
    Schema.Struct({
      limit: Schema.NullOr(Schema.Finite).annotate({
        description: "Workers a second that may go to the scheduler now; null: as many as come"
      }),
      waiting: Schema.Int.annotate({ description: "Calls that wait for their turn" })
    })
  ).annotate({ description: "null: calls are not paced" }),
  unfinished: Schema.Struct({
    limit: Schema.Int.annotate({
      description: "Most unfinished changes; above it changes are answered with 503"
    }),
    count: Schema.Int
  }),
  drift: Schema.NullOr(DriftView).annotate({
    description: "null: the scheduler was not compared yet, or cannot list"
  }),
  configuration: Schema.Struct({
    maxRetries: Schema.Int,
    baseBackoff: duration,
    maxBackoff: duration,
    jitter: Schema.Literals(["none", "equal", "full"]),
    attemptTimeout: duration,
    deadline: Schema.NullOr(duration),
    retryDelay: duration,
    maxRetryDelay: duration
  })
}).annotate({ identifier: "Scheduler" })

export const Health = Schema.Struct({
  status: Schema.Literal("ok"),
  version: Schema.String.annotate({ description: "Of Muster", examples: ["1.0.0"] })
}).annotate({ identifier: "Health" })

export const MetricsText = Schema.String.pipe(
  HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4; charset=utf-8" })
)
