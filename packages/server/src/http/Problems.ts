/**
 * Every error that the HTTP API answers with, as an RFC 9457 problem document. The `type` of a problem is stable;
 * `title` and `detail` are for people. The table in `docs/http-api.md` lists them.
 */
import { Schema } from "effect"
import { HttpApiError, HttpApiSchema } from "effect/http-api"
import { HttpLimits } from "./HttpLimits.ts"

const typeOf = <const Name extends string>(name: Name) => `urn:muster:problem:${name}` as const

/** One thing that is wrong with the input: where, and what was expected there. Never the value itself. */
export const ProblemError = Schema.Struct({
  path: Schema.String.annotate({
    description: "Where, such as capabilities.cpuCores; empty for the whole input",
    examples: ["capabilities.cpuCores"]
  }),
  message: Schema.String.annotate({
    description: "What is expected there, and what kind of value was found",
    examples: [
      "expected a number of cores greater than 0 and at most 1000000, received a string of 4 characters"
    ]
  })
})
export type ProblemError = typeof ProblemError.Type

const errors = Schema.Array(ProblemError)
const workerId = Schema.String

export class InvalidWorkerProblem extends HttpApiError.Problem<InvalidWorkerProblem>()(
  "InvalidWorkerProblem",
  { type: typeOf("invalid-worker"), status: 400, title: "The worker's data are invalid" },
  { errors, workerId }
) {}

export class InvalidRequest extends HttpApiError.Problem<InvalidRequest>()(
  "InvalidRequest",
  { type: typeOf("invalid-request"), status: 400, title: "The request is invalid" },
  { errors }
) {}

export class InvalidEvent extends HttpApiError.Problem<InvalidEvent>()(
  "InvalidEvent",
  { type: typeOf("invalid-event"), status: 400, title: "The event is invalid" },
  { errors }
) {}

export class InvalidExport extends HttpApiError.Problem<InvalidExport>()(
  "InvalidExport",
  { type: typeOf("invalid-export"), status: 400, title: "This is no line of an export" },
  { errors, workerId: Schema.optionalKey(workerId) }
) {}

export class MalformedJson extends HttpApiError.Problem<MalformedJson>()("MalformedJson", {
  type: typeOf("malformed-json"),
  status: 400,
  title: "The body is not JSON"
}) {}

export class Unauthenticated extends HttpApiError.Problem<Unauthenticated>()("Unauthenticated", {
  type: typeOf("unauthenticated"),
  status: 401,
  title: "A valid credential is needed"
}) {}

export class Forbidden extends HttpApiError.Problem<Forbidden>()("Forbidden", {
  type: typeOf("forbidden"),
  status: 403,
  title: "The credential does not allow this"
}) {}

export class NotFound extends HttpApiError.Problem<NotFound>()("NotFound", {
  type: typeOf("not-found"),
  status: 404,
  title: "There is nothing at this address"
}) {}

export class UnknownWorkerProblem extends HttpApiError.Problem<UnknownWorkerProblem>()(
  "UnknownWorkerProblem",
  { type: typeOf("unknown-worker"), status: 404, title: "No worker of this id is known" },
  { workerId }
) {}

export class UnknownDeadLetter extends HttpApiError.Problem<UnknownDeadLetter>()(
  "UnknownDeadLetter",
  {
    type: typeOf("unknown-dead-letter"),
    status: 404,
    title: "No worker of this id has failed for good"
  },
  { workerId }
) {}

export class UnknownToken extends HttpApiError.Problem<UnknownToken>()("UnknownToken", {
  type: typeOf("unknown-token"),
  status: 404,
  title: "No token of this id is known, or it was revoked"
}) {}

export class MethodNotAllowed extends HttpApiError.Problem<MethodNotAllowed>()(
  "MethodNotAllowed",
  { type: typeOf("method-not-allowed"), status: 405, title: "The method is not allowed here" },
  { allowed: Schema.Array(Schema.String) }
) {}

export class RequestTimeout extends HttpApiError.Problem<RequestTimeout>()("RequestTimeout", {
  type: typeOf("request-timeout"),
  status: 408,
  title: "The request took too long to arrive"
}) {}

export class WorkerTerminatedProblem extends HttpApiError.Problem<WorkerTerminatedProblem>()(
  "WorkerTerminatedProblem",
  { type: typeOf("worker-terminated"), status: 409, title: "The worker was terminated" },
  { workerId }
) {}

export class Superseded extends HttpApiError.Problem<Superseded>()(
  "Superseded",
  { type: typeOf("superseded"), status: 409, title: "Newer state of the worker has won" },
  { workerId }
) {}

export class ContentTooLarge extends HttpApiError.Problem<ContentTooLarge>()(
  "ContentTooLarge",
  { type: typeOf("content-too-large"), status: 413, title: "The body is too large" },
  { maximum: Schema.Int, unit: Schema.Literals(["bytes", "items"]) }
) {}

export class UnsupportedMediaType extends HttpApiError.Problem<UnsupportedMediaType>()(
  "UnsupportedMediaType",
  { type: typeOf("unsupported-media-type"), status: 415, title: "The body's type is not supported here" },
  { supported: Schema.Array(Schema.String) }
) {}

export class WorkerRejected extends HttpApiError.Problem<WorkerRejected>()(
  "WorkerRejected",
  { type: typeOf("worker-rejected"), status: 422, title: "The scheduler rejected the worker" },
  { workerId, attempts: Schema.Int }
) {}

export class KeyReusedProblem extends HttpApiError.Problem<KeyReusedProblem>()("KeyReusedProblem", {
  type: typeOf("idempotency-key-reused"),
  status: 422,
  title: "The Idempotency-Key was used for another request"
}) {}

export class TooManyRequests extends HttpApiError.Problem<TooManyRequests>()(
  "TooManyRequests",
  { type: typeOf("too-many-requests"), status: 429, title: "The client asks too much at once" },
  { retryAfter: Schema.Int }
) {}

export class InternalError extends HttpApiError.Problem<InternalError>()("InternalError", {
  type: typeOf("internal-error"),
  status: 500,
  title: "The request failed for a reason that is not its own"
}) {}

export class NotSupported extends HttpApiError.Problem<NotSupported>()("NotSupported", {
  type: typeOf("not-supported"),
  status: 501,
  title: "The scheduler cannot do this"
}) {}

export class SchedulerFailure extends HttpApiError.Problem<SchedulerFailure>()("SchedulerFailure", {
  type: typeOf("scheduler-failure"),
  status: 502,
  title: "The scheduler answered with a failure"
}) {}

export class SchedulerUnavailableProblem extends HttpApiError.Problem<SchedulerUnavailableProblem>()(
  "SchedulerUnavailableProblem",
  { type: typeOf("scheduler-unavailable"), status: 503, title: "The scheduler is not available" },
  { retryAfter: Schema.Int }
) {}

export class Overloaded extends HttpApiError.Problem<Overloaded>()(
  "Overloaded",
  { type: typeOf("overloaded"), status: 503, title: "The service has as much to do as it takes" },
  { retryAfter: Schema.Int }
) {}

export class StoreUnavailableProblem extends HttpApiError.Problem<StoreUnavailableProblem>()(
  "StoreUnavailableProblem",
  { type: typeOf("store-unavailable"), status: 503, title: "The store is not available" },
  { retryAfter: Schema.Int }
) {}

export class NotReady extends HttpApiError.Problem<NotReady>()("NotReady", {
  type: typeOf("not-ready"),
  status: 503,
  title: "The service does not accept requests"
}) {}

/** Says in a header, too, when to come back. */
const retryAfter = { "retry-after": Schema.Int }

export const OverloadedResponse = Overloaded.pipe(
  HttpApiSchema.encodeToWithHeaders(
    { body: Overloaded, headers: retryAfter },
    {
      decode: ({ body }) => body,
      encode: (body) => ({ body, headers: { "retry-after": body.retryAfter } })
    }
  )
)

export const TooManyRequestsResponse = TooManyRequests.pipe(
  HttpApiSchema.encodeToWithHeaders(
    { body: TooManyRequests, headers: retryAfter },
    {
      decode: ({ body }) => body,
      encode: (body) => ({ body, headers: { "retry-after": body.retryAfter } })
    }
  )
)

export const StoreUnavailableResponse = StoreUnavailableProblem.pipe(
  HttpApiSchema.encodeToWithHeaders(
    { body: StoreUnavailableProblem, headers: retryAfter },
    {
      decode: ({ body }) => body,
      encode: (body) => ({ body, headers: { "retry-after": body.retryAfter } })
    }
  )
)

export const SchedulerUnavailableResponse = SchedulerUnavailableProblem.pipe(
  HttpApiSchema.encodeToWithHeaders(
    { body: SchedulerUnavailableProblem, headers: retryAfter },
    {
      decode: ({ body }) => body,
      encode: (body) => ({ body, headers: { "retry-after": body.retryAfter } })
    }
  )
)

/** What kind of credential it has to be (RFC 6750, section 3). */
export const bearerChallenge = 'Bearer realm="muster"'

/** Says in a header what kind of credential it has to be. */
export const UnauthenticatedResponse = Unauthenticated.pipe(
  HttpApiSchema.encodeToWithHeaders(
    { body: Unauthenticated, headers: { "www-authenticate": Schema.String } },
    {
      decode: ({ body }) => body,
      encode: (body) => ({ body, headers: { "www-authenticate": bearerChallenge } })
    }
  )
)

/** What can be wrong with a body that is JSON. */
export const BodyProblems = [MalformedJson, ContentTooLarge, UnsupportedMediaType, RequestTimeout] as const

/** What can stand in place of one member of a batch. */
export const ItemProblem = Schema.Union([
  InvalidWorkerProblem,
  InvalidEvent,
  InvalidExport,
  MalformedJson,
  Forbidden,
  UnknownWorkerProblem,
  WorkerTerminatedProblem,
  Superseded,
  ContentTooLarge,
  RequestTimeout,
  WorkerRejected,
  SchedulerFailure,
  Overloaded,
  KeyReusedProblem,
  StoreUnavailableProblem
])
export type ItemProblem = typeof ItemProblem.Type

export const contentTooLarge = (maximum: number, unit: "bytes" | "items", what: string) =>
  new ContentTooLarge({ maximum, unit, detail: `${what} has more than ${maximum} ${unit}.` })

export const overloaded = () =>
  new Overloaded({
    retryAfter: 1,
    detail: "The scheduler does not keep up with the changes that were accepted. Send this one again later."
  })

export const forbidden = (detail: string) => new Forbidden({ detail })

export const fromElsewhere = () => forbidden("A page of another site may not do this.")

export const requestTimeout = () =>
  new RequestTimeout({ detail: `The body was not there after ${HttpLimits.bodySeconds} seconds.` })
