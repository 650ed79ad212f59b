/**
 * The HTTP API as one declaration: what is served, what `/openapi.json` describes and what `/docs` shows all come
 * from here.
 */
import { Worker } from "@muster/core"
import { Schema, SchemaGetter } from "effect"
import {
  HttpApi,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSchema,
  OpenApi
} from "effect/http-api"
import { version } from "../version.ts"
import { Phase, Priority } from "@muster/core/fleet"
import { TokenKind } from "../access/Token.ts"
import { ExportLine } from "../export/ExportFormat.ts"
import {
  AuditPage,
  JoinedView,
  JoinTokenRequest,
  NewTokenView,
  RotationRequest,
  SessionView,
  SignInRequest,
  TokenPage,
  TokenRequest
} from "./AccessSchemas.ts"
import { Authentication } from "./Authentication.ts"
import { IdempotencyKey } from "./RequestKeys.ts"
import { BinaryEvent, StructuredEvent } from "./CloudEvents.ts"
import { ClusterResponse } from "./ClusterSchemas.ts"
import { HttpLimits } from "./HttpLimits.ts"
import { HistoryView, OverviewView } from "./OverviewView.ts"
import { batchExamples, eventExamples, polish, withExamples, workerExamples } from "./OpenApiDocument.ts"
import {
  BodyProblems,
  InternalError,
  InvalidEvent,
  InvalidRequest,
  InvalidWorkerProblem,
  KeyReusedProblem,
  NotReady,
  NotSupported,
  OverloadedResponse,
  SchedulerFailure,
  SchedulerUnavailableResponse,
  StoreUnavailableResponse,
  Superseded,
  TooManyRequestsResponse,
  UnknownDeadLetter,
  UnknownToken,
  UnknownWorkerProblem,
  WorkerRejected,
  WorkerTerminatedProblem
} from "./Problems.ts"
import {
  Accepted,
  BatchResult,
  BatchResults,
  DeadLettersDropped,
  DeadLettersRetried,
  EventAccepted,
  EventResults,
  Health,
  HeldWorkerPage,
  ImportResult,
  LeaseView,
  PhaseEventView,
  MetricsText,
  Registered,
  SchedulerView,
  TimelineView,
  WorkerPage,
  WorkerView
} from "./Schemas.ts"

/** Answers a request whose parameters cannot be decoded with a problem that names each of them. */
export class RequestProblems extends HttpApiMiddleware.Service<RequestProblems>()(
  "@muster/server/RequestProblems",
  { error: [InvalidRequest, TooManyRequestsResponse, InternalError, StoreUnavailableResponse] }
) {}

const describe = (summary: string, description?: string) =>
  OpenApi.annotations({ summary, ...(description === undefined ? undefined : { description }) })

const prefer = Schema.optionalKey(Schema.String).annotate({
  description: `wait=SECONDS (RFC 7240): wait for the outcome, at most ${HttpLimits.waitSeconds} seconds`,
  examples: ["wait=10"]
})

const priority = Schema.optionalKey(Priority).annotate({
  description: "How urgent it is, where the body does not say: critical, high, normal (the default) or low"
})

const idempotencyKey = Schema.optionalKey(IdempotencyKey)

const workerParams = {
  // Not WorkerId: what cannot be an id is the id of no worker.
  id: Schema.String.annotate({ description: "The worker's id", examples: ["ci-7f3a"] })
}

/** A worker, with how it shall be treated. What decodes it is `decodeWorker`. */
const WorkerRequest = Schema.Struct({
  ...Worker.fields,
  priority: Schema.optionalKey(Priority),
  leaseTtl: Schema.optionalKey(
    Schema.String.annotate({
      description: "A worker that sends no heartbeat for so long counts as terminated; default: no lease",
      examples: ["30 seconds"]
    })
  )
}).annotate({ identifier: "WorkerRequest" })

/** As it is sent: a namespace that is not named is the token's, not the default one. */
const JoinRequest = Schema.toEncoded(WorkerRequest).annotate({ identifier: "JoinRequest" })

const limit = Schema.optionalKey(
  Schema.FiniteFromString.check(
    Schema.isInt({ expected: limitRule() }),
    Schema.isBetween({ minimum: 1, maximum: HttpLimits.pageMaximum }, { expected: limitRule() })
  )
).annotate({
  description: `Most items on the page, which has fewer where they are very large; default ${HttpLimits.pageDefault}`
})

function limitRule(): string {
  return `a whole number from 1 to ${HttpLimits.pageMaximum}`
}

const cursor = Schema.optionalKey(
  Schema.String.check(Schema.isMaxLength(HttpLimits.cursorCharacters))
).annotate({
  description: "nextCursor of the page before"
})

const tokenParams = {
  id: Schema.String.annotate({ description: "The token's id", examples: ["8f14e45fceea167a"] })
}

const auditPlace = Schema.optionalKey(
  Schema.FiniteFromString.check(
    Schema.isInt({ expected: "a whole number from 0" }),
    Schema.isGreaterThanOrEqualTo(0, { expected: "a whole number from 0" })
  )
).annotate({ description: "The sequence of the last entry that was seen" })

const sort = Schema.optionalKey(
  Schema.Literals(["known", "-known", "id", "-id", "updatedAt", "-updatedAt"])
).annotate({ description: "known: since when they are known; with - the other way round" })

const offset = Schema.optionalKey(
  Schema.FiniteFromString.check(
    Schema.isInt({ expected: offsetRule() }),
    Schema.isBetween({ minimum: 0, maximum: HttpLimits.offsetMaximum }, { expected: offsetRule() })
  )
).annotate({ description: "How many come before the first item of the page; not with cursor" })

function offsetRule(): string {
  return `a whole number from 0 to ${HttpLimits.offsetMaximum}`
}

/** What narrows a listing, or a change of many. */
export const workerFilter = {
  search: Schema.optionalKey(
    Schema.String.check(
      Schema.isMaxLength(HttpLimits.searchCharacters, {
        expected: `at most ${HttpLimits.searchCharacters} characters`
      })
    )
  ).annotate({ description: "A part of the id, be it in capitals or not", examples: ["gpu-"] }),
  namespace: Schema.optionalKey(Schema.String),
  workerType: Schema.optionalKey(Schema.Literals(["static", "dynamic"])),
  label: Schema.optionalKey(
    Schema.Array(Schema.String.check(Schema.isPattern(/^[^=]+=/s, { expected: "key=value" }))).check(
      Schema.isMaxLength(HttpLimits.labelFilters, {
        expected: `at most ${HttpLimits.labelFilters} labels`
      })
    )
  ).annotate({ description: "key=value; repeatable: all of these", examples: [["zone=a"]] })
}

const workers = HttpApiGroup.make("workers")
  .add(
    HttpApiEndpoint.post("registerWorker", "/v1/workers", {
      headers: { prefer, "muster-priority": priority, "idempotency-key": idempotencyKey },
      payload: WorkerRequest,
      success: [Accepted, Registered],
      error: [
        InvalidWorkerProblem,
        ...BodyProblems,
        Superseded,
        WorkerRejected,
        SchedulerFailure,
        OverloadedResponse,
        KeyReusedProblem
      ]
    })
      .annotate(OpenApi.Transform, withExamples(workerExamples))
      .annotateMerge(
        describe(
          "Register a worker",
          "Answers 202 when the worker is accepted, and stored. With Prefer: wait=SECONDS answers 200 when the scheduler has it, " +
            "the problem it met when it will not have it, and 202 when the time is over. The same worker again changes nothing."
        )
      ),
    HttpApiEndpoint.post("registerBatch", "/v1/workers/batch", {
      headers: { prefer, "muster-priority": priority, "idempotency-key": idempotencyKey },
      payload: [
        Schema.Array(WorkerRequest),
        HttpApiSchema.StreamNdjson({ schema: WorkerRequest, maxElementBytes: HttpLimits.lineBytes })
      ],
      success: [BatchResults, HttpApiSchema.StreamNdjson({ schema: BatchResult })],
      error: [...BodyProblems, TooManyRequestsResponse]
    })
      .annotate(OpenApi.Transform, withExamples(batchExamples))
      .annotateMerge(
        describe(
          "Register many workers",
          `A JSON array of at most ${HttpLimits.arrayItems} workers is answered with one result for each, by position. ` +
            "NDJSON of any length is answered with NDJSON while it arrives, one result for each line that is not empty. " +
            "A member that is bad is reported in its place; the others are accepted."
        )
      ),
    HttpApiEndpoint.get("listWorkers", "/v1/workers", {
      query: {
        phase: Schema.optionalKey(Schema.Array(Phase)).annotate({ description: "Repeatable: any of these" }),
        ...workerFilter,
        sort,
        offset,
        limit,
        cursor
      },
      success: WorkerPage
    }).annotateMerge(
      describe(
        "List workers",
        "In the order in which they became known, unless sort says otherwise. Terminated workers are listed while they " +
          "are remembered. With sort or offset it is a look at any part of the list: what comes and goes between two of " +
          "them moves what follows, which it does not without."
      )
    ),
    HttpApiEndpoint.get("getWorker", "/v1/workers/:id", {
      params: workerParams,
      success: WorkerView,
      error: UnknownWorkerProblem
    }).annotateMerge(describe("Look at one worker")),
    HttpApiEndpoint.get("getTimeline", "/v1/workers/:id/timeline", {
      params: workerParams,
      success: TimelineView,
      error: UnknownWorkerProblem
    }).annotateMerge(
      describe(
        "Look at what happened to a worker",
        "Changes that were accepted, calls to the scheduler and how they ended, and phases: the latest 100, oldest first."
      )
    ),
    HttpApiEndpoint.delete("terminateWorker", "/v1/workers/:id", {
      params: workerParams,
      headers: { "muster-priority": priority },
      success: Accepted,
      error: [UnknownWorkerProblem, OverloadedResponse]
    }).annotateMerge(
      describe("Terminate a worker", "The terminated event: the scheduler is told that the worker is gone.")
    ),
    HttpApiEndpoint.post("workerReady", "/v1/workers/:id/ready", {
      params: workerParams,
      headers: { "muster-priority": priority, "idempotency-key": idempotencyKey },
      success: Accepted,
      error: [UnknownWorkerProblem, WorkerTerminatedProblem, OverloadedResponse, KeyReusedProblem]
    }).annotateMerge(
      describe(
        "Report a worker ready",
        "The ready event: verifies that the scheduler has the worker, and registers it again if not."
      )
    ),
    HttpApiEndpoint.post("checkWorker", "/v1/workers/:id/check", {
      params: workerParams,
      success: Accepted,
      error: [UnknownWorkerProblem, WorkerTerminatedProblem, OverloadedResponse]
    }).annotateMerge(
      describe(
        "Check a worker with the scheduler",
        "Asks the scheduler at once whether it has the worker, and registers it again if not; the timeline says what came " +
          "of it. A call that is under way answers the same; a dead letter is tried again."
      )
    ),
    HttpApiEndpoint.post("retryWorker", "/v1/workers/:id/retry", {
      params: workerParams,
      success: Accepted,
      error: [UnknownWorkerProblem, OverloadedResponse]
    }).annotateMerge(
      describe(
        "Retry a worker now",
        "Ends the wait until nextAttemptAt, though not before the time that the scheduler has asked for; a dead letter " +
          "is tried again. Where nothing waits, nothing changes."
      )
    ),
    HttpApiEndpoint.post("workerHeartbeat", "/v1/workers/:id/heartbeat", {
      params: workerParams,
      success: LeaseView,
      error: [UnknownWorkerProblem, WorkerTerminatedProblem, OverloadedResponse]
    }).annotateMerge(
      describe(
        "Renew a worker's lease",
        "A worker with a lease that is silent for longer counts as terminated. One without a lease is told so."
      )
    )
  )
  .annotateMerge(
    OpenApi.annotations({ title: "Workers", description: "Workers and the state that is wanted of them" })
  )

const deadLetters = HttpApiGroup.make("dead-letters")
  .add(
    HttpApiEndpoint.get("listDeadLetters", "/v1/dead-letters", {
      query: { ...workerFilter, limit, cursor },
      success: WorkerPage
    }).annotateMerge(
      describe(
        "List dead letters",
        "Workers in the phase failed, in the order in which they became known; lastError says why."
      )
    ),
    HttpApiEndpoint.post("retryDeadLetters", "/v1/dead-letters/retry", {
      query: workerFilter,
      success: DeadLettersRetried
    }).annotateMerge(
      describe("Retry dead letters", "Tries all again that match; without a filter all there are.")
    ),
    HttpApiEndpoint.post("dropDeadLetters", "/v1/dead-letters/drop", {
      query: workerFilter,
      success: DeadLettersDropped
    }).annotateMerge(
      describe(
        "Drop dead letters",
        "Drops all that match, as one is dropped; without a filter all there are."
      )
    ),
    HttpApiEndpoint.post("retryDeadLetter", "/v1/dead-letters/:id/retry", {
      params: workerParams,
      success: Accepted,
      error: [UnknownDeadLetter, OverloadedResponse]
    }).annotateMerge(describe("Retry one dead letter", "The same generation is tried again, at once.")),
    HttpApiEndpoint.delete("dropDeadLetter", "/v1/dead-letters/:id", {
      params: workerParams,
      success: Accepted,
      error: [UnknownDeadLetter, OverloadedResponse]
    }).annotateMerge(
      describe(
        "Drop a dead letter",
        "The worker is not wanted any more. The scheduler is told, since it may have an earlier state of it; " +
          "where it was that which failed, the worker counts as terminated."
      )
    )
  )
  .annotateMerge(
    OpenApi.annotations({
      title: "Dead letters",
      description: "Workers that failed for good: nothing more is tried until somebody decides"
    })
  )

const lastEventId = Schema.optionalKey(
  Schema.String.check(
    Schema.isPattern(/^\d{1,15}(?:\.\d{1,9})?$/, { expected: "the id of an event, such as 42.1" })
  )
).annotate({
  description:
    "The id of the last event that was seen; 0 for all that are kept. Without it, only those to come",
  examples: ["42.1"]
})

const events = HttpApiGroup.make("events")
  .add(
    HttpApiEndpoint.post("receiveEvents", "/v1/events", {
      payload: [
        StructuredEvent.pipe(HttpApiSchema.asJson({ contentType: "application/cloudevents+json" })),
        Schema.Array(StructuredEvent).pipe(
          HttpApiSchema.asJson({ contentType: "application/cloudevents-batch+json" })
        ),
        BinaryEvent
      ],
      success: [EventAccepted, EventResults],
      error: [
        InvalidEvent,
        InvalidWorkerProblem,
        UnknownWorkerProblem,
        WorkerTerminatedProblem,
        ...BodyProblems,
        TooManyRequestsResponse,
        OverloadedResponse
      ]
    })
      .annotate(OpenApi.Transform, withExamples(eventExamples))
      .annotateMerge(
        describe(
          "Receive events",
          "CloudEvents 1.0 in structured, batched or binary mode (ce-* headers). An event whose source and id were " +
            "accepted before changes nothing. A batch is answered with one result for each event, by position."
        )
      ),
    HttpApiEndpoint.get("followEvents", "/v1/events", {
      headers: { "last-event-id": lastEventId },
      success: HttpApiSchema.StreamSse({ data: PhaseEventView }),
      error: [OverloadedResponse, TooManyRequestsResponse]
    }).annotateMerge(
      describe(
        "Follow the fleet",
        "Every phase change as it is stored, as server-sent events named phase. With Last-Event-ID, those since that one " +
          "first. An id comes before the first event, and a comment whenever nothing has happened for a while."
      )
    )
  )
  .annotateMerge(
    OpenApi.annotations({ title: "Events", description: "What happens to workers: told and followed" })
  )

const overview = HttpApiGroup.make("overview")
  .add(
    HttpApiEndpoint.get("getOverview", "/v1/overview", { success: OverviewView }).annotateMerge(
      describe("How things are", "In a sentence, and in the numbers behind it.")
    ),
    HttpApiEndpoint.get("getHistory", "/v1/history", {
      query: {
        after: Schema.optionalKey(
          Schema.String.check(
            Schema.isPattern(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/, {
              expected: "a time such as 2026-01-31T12:00:00Z"
            })
          )
        ).annotate({ description: "The `at` of the last point that was seen" })
      },
      success: HistoryView
    }).annotateMerge(
      describe(
        "How things have been",
        "The last hour since the service was started, in steps of five seconds. Prometheus keeps more, see /metrics."
      )
    )
  )
  .annotateMerge(OpenApi.annotations({ title: "Overview", description: "All of it at a glance" }))

const scheduler = HttpApiGroup.make("scheduler")
  .add(
    HttpApiEndpoint.get("getScheduler", "/v1/scheduler", { success: SchedulerView }).annotateMerge(
      describe("Look at the scheduler", "Which one it is, how it is, and how Muster treats it.")
    ),
    HttpApiEndpoint.get("listSchedulerWorkers", "/v1/scheduler/workers", {
      query: { limit, cursor },
      success: HeldWorkerPage,
      error: [NotSupported, SchedulerFailure, SchedulerUnavailableResponse]
    }).annotateMerge(
      describe("List the workers that the scheduler holds", "Read from the scheduler for each page.")
    )
  )
  .annotateMerge(
    OpenApi.annotations({ title: "Scheduler", description: "The scheduler that workers are registered with" })
  )

const cluster = HttpApiGroup.make("cluster")
  .add(
    HttpApiEndpoint.get("getCluster", "/v1/cluster", { success: ClusterResponse }).annotateMerge(
      describe(
        "Look at the servers",
        "Which there are, how they are, and which partitions of the fleet each looks after; any server answers for all."
      )
    )
  )
  .annotateMerge(
    OpenApi.annotations({ title: "Cluster", description: "The servers that look after the fleet" })
  )

const access = HttpApiGroup.make("access")
  .add(
    HttpApiEndpoint.get("getSession", "/v1/session", { success: SessionView }).annotateMerge(
      describe("Whom the credential stands for", "And whether this service asks for one at all.")
    ),
    HttpApiEndpoint.post("signIn", "/v1/session", {
      payload: SignInRequest,
      success: SessionView,
      error: [...BodyProblems, InvalidRequest]
    }).annotateMerge(
      describe(
        "Sign in",
        "For browsers: sets a cookie that stands for the token, which scripts cannot read, for at most twelve hours."
      )
    ),
    HttpApiEndpoint.delete("signOut", "/v1/session", { success: HttpApiSchema.NoContent }).annotateMerge(
      describe("Sign out", "Ends the session of the cookie, and takes the cookie back.")
    ),
    HttpApiEndpoint.get("listTokens", "/v1/tokens", {
      query: {
        kind: Schema.optionalKey(Schema.Array(TokenKind)).annotate({
          description: "Repeatable: any of these; token and join if not given"
        }),
        limit,
        cursor
      },
      success: TokenPage
    }).annotateMerge(describe("List tokens", "By their ids, without their secrets, which are not kept.")),
    HttpApiEndpoint.post("createToken", "/v1/tokens", {
      payload: TokenRequest,
      success: NewTokenView.pipe(HttpApiSchema.status(201)),
      error: [...BodyProblems, InvalidRequest]
    }).annotateMerge(describe("Create a token", "The answer has the secret, this once.")),
    HttpApiEndpoint.post("rotateToken", "/v1/tokens/:id/rotate", {
      params: tokenParams,
      payload: RotationRequest,
      success: NewTokenView,
      error: [UnknownToken, ...BodyProblems, InvalidRequest]
    }).annotateMerge(
      describe(
        "Rotate a token",
        "Another secret under the same id: what was registered with the token stays its own. Sessions that began with it end."
      )
    ),
    HttpApiEndpoint.delete("revokeToken", "/v1/tokens/:id", {
      params: tokenParams,
      success: HttpApiSchema.NoContent,
      error: UnknownToken
    }).annotateMerge(
      describe("Revoke a token", "At once; other servers on the same store follow within seconds.")
    ),
    HttpApiEndpoint.post("createJoinToken", "/v1/join-tokens", {
      payload: JoinTokenRequest,
      success: NewTokenView.pipe(HttpApiSchema.status(201)),
      error: [...BodyProblems, InvalidRequest]
    }).annotateMerge(
      describe(
        "Create a join token",
        "With it, one machine of the namespace registers itself, once: see POST /v1/join."
      )
    ),
    HttpApiEndpoint.post("join", "/v1/join", {
      payload: JoinRequest,
      success: JoinedView.pipe(HttpApiSchema.status(202)),
      error: [InvalidWorkerProblem, ...BodyProblems, OverloadedResponse]
    }).annotateMerge(
      describe(
        "Join",
        "A machine registers itself with a join token as its bearer token, which is used up, and gets a credential for its " +
          "heartbeats and its termination. The worker is of the token's namespace, and must not be there yet unless the token is for it."
      )
    ),
    HttpApiEndpoint.get("listAudit", "/v1/audit", {
      query: { after: auditPlace, limit },
      success: AuditPage
    }).annotateMerge(
      describe(
        "Read the audit log",
        "Who did what to which workers, oldest first. Each entry's hash covers the one before it; docs/security.md says how."
      )
    )
  )
  .annotateMerge(OpenApi.annotations({ title: "Access", description: "Who may do what, and who did what" }))

const dryRun = Schema.optionalKey(
  Schema.Literals(["true", "false"]).pipe(
    Schema.decodeTo(Schema.Boolean, {
      decode: SchemaGetter.transform((text) => text === "true"),
      encode: SchemaGetter.transform((value) => (value ? "true" : "false"))
    })
  )
).annotate({ description: "true: says what would become of each line, and changes nothing" })

const system = HttpApiGroup.make("system")
  .add(
    HttpApiEndpoint.get("health", "/healthz", { success: Health }).annotateMerge(
      describe("Whether the process is alive")
    ),
    HttpApiEndpoint.get("ready", "/readyz", { success: Health, error: NotReady }).annotateMerge(
      describe(
        "Whether changes are accepted",
        "Not while the service stops, nor while its store cannot be written to."
      )
    ),
    HttpApiEndpoint.get("metrics", "/metrics", { success: MetricsText }).annotateMerge(
      describe("Metrics for Prometheus")
    ),
    HttpApiEndpoint.get("exportFleet", "/v1/export", {
      success: HttpApiSchema.StreamNdjson({ schema: ExportLine })
    }).annotateMerge(
      describe(
        "Export the fleet",
        "What is wanted of every worker that is known, as NDJSON: for a backup, and to move. The first line says what " +
          "this is; the last one says how many workers there were, and without it the export is not complete."
      )
    ),
    HttpApiEndpoint.post("importFleet", "/v1/import", {
      query: { dryRun },
      payload: HttpApiSchema.StreamNdjson({
        schema: ExportLine,
        maxElementBytes: HttpLimits.exportLineBytes
      }),
      success: HttpApiSchema.StreamNdjson({ schema: ImportResult }),
      error: [...BodyProblems]
    }).annotateMerge(
      describe(
        "Import an export",
        "Takes the lines of an export in, all or some, and answers each while they arrive. A worker that is known in the " +
          "same or a newer state stays as it is, so the same import twice is one. A line that is bad is reported in its " +
          "place; the others are taken in."
      )
    )
  )
  .annotateMerge(OpenApi.annotations({ title: "System", description: "For those who run the service" }))

export class Api extends HttpApi.make("muster")
  .add(workers, deadLetters, events, overview, scheduler, cluster, access, system)
  .middleware(RequestProblems)
  .middleware(Authentication)
  .annotateMerge(
    OpenApi.annotations({
      title: "Muster",
      transform: polish,
      version,
      license: { name: "Apache 2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
      description:
        "Registers every provisioned worker with its scheduler, and unregisters every worker that is gone. " +
        "Errors are problem documents (RFC 9457) of media type application/problem+json."
    })
  ) {}
