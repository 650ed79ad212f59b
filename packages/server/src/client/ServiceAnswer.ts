/**
 * What a running Muster service answers to the commands, and why it could not: in words that name the address and say
 * what to do.
 */
import { Clock, Context, Duration, Effect, Option, Predicate, Runtime, Schema, Stream } from "effect"
import type { HttpClientError, HttpClientResponse } from "effect/http"
import { tlsFailure } from "./TlsFailure.ts"

/** The service could not be reached, or answered nothing that helps. */
export class ServiceUnavailable extends Schema.TaggedError<ServiceUnavailable>(
  "@muster/server/ServiceUnavailable"
)("ServiceUnavailable", {
  message: Schema.String,
  /** Whether the same request can succeed later. */
  retryable: Schema.Boolean,
  /** Seconds that the service asks to wait. */
  retryAfter: Schema.optional(Schema.Finite)
}) {
  override readonly [Runtime.errorExitCode] = 1
  override readonly [Runtime.errorReported] = false
}

/** What is used of a problem document (RFC 9457). */
export const Problem = Schema.Struct({
  type: Schema.optional(Schema.String),
  title: Schema.optional(Schema.String),
  detail: Schema.optional(Schema.String),
  errors: Schema.optional(Schema.Array(Schema.Struct({ path: Schema.String, message: Schema.String }))),
  /** Seconds. */
  retryAfter: Schema.optional(Schema.Finite)
})
export type Problem = typeof Problem.Type

class AnswerTooLong extends Schema.TaggedError<AnswerTooLong>("@muster/server/AnswerTooLong")(
  "AnswerTooLong",
  {}
) {}

// What is no Muster service may answer without an end. In bytes, and far above what a service answers.
export const longestAnswer = 64 * 2 ** 20
const longestProblem = 2 ** 20

export const bounded = <E, R>(stream: Stream.Stream<Uint8Array, E, R>, maximum: number) =>
  Stream.suspend(() => {
    let received = 0
    return Stream.tap(stream, (bytes) =>
      (received += bytes.length) > maximum ? Effect.fail(new AnswerTooLong()) : Effect.void
    )
  })

/** How long a service may take to answer, or to send the whole of a problem, if nothing else is said. */
export const patience = Duration.seconds(30)

/** How long a service may take to answer a request of the client in full. */
export const Patience = Context.Reference<Duration.Duration>("@muster/server/Patience", {
  defaultValue: () => patience
})

export const succeeded = Effect.fnUntraced(function* (
  address: string,
  response: HttpClientResponse.HttpClientResponse
): Effect.fn.Return<HttpClientResponse.HttpClientResponse, ServiceUnavailable> {
  if (response.status >= 200 && response.status < 300) return response
  const { location, "retry-after": retryAfter } = response.headers
  if (response.status < 400 && location !== undefined) {
    return yield* new ServiceUnavailable({
      message: `${address} redirects to ${location.slice(0, 200)}. If that is the service, give its address with --server.`,
      retryable: false
    })
  }
  return yield* refused(
    address,
    response.status,
    yield* problemOf(response),
    secondsUntil(retryAfter, yield* Clock.currentTimeMillis)
  )
})

/** A `Retry-After` is a number of seconds or a date (RFC 9110). */
const secondsUntil = (retryAfter: string | undefined, now: number): number | undefined => {
  if (retryAfter === undefined) return undefined
  const seconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - now) / 1000
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined
}

/** The longest `Retry-After` that is obeyed, in seconds: nobody watches a command for longer. */
const longestRetryAfter = 600

export const refused = (
  address: string,
  status: number,
  problem: Problem | undefined,
  retryAfter?: number
) => {
  const isTooLong = retryAfter !== undefined && retryAfter > longestRetryAfter
  const reason = problem === undefined ? "is it a Muster service?" : describe(problem)
  const later = isTooLong ? ` It asks to come back in ${Math.ceil(retryAfter)} seconds.` : ""
  return new ServiceUnavailable({
    message: `${address} answered with status ${status}: ${reason}${later}`,
    retryable: isRetryable(status) && !isTooLong,
    retryAfter
  })
}

/** Whether the same request can be answered differently later (RFC 9110). */
export const isRetryable = (status: number): boolean => status >= 500 || status === 408 || status === 429

/** What a problem says, in one line. */
export const describe = ({ detail, errors, title }: Problem): string => {
  const issues = (errors ?? []).map(({ message, path }) => (path === "" ? message : `${path}: ${message}`))
  return issues.length > 0 ? issues.join("; ") : (detail ?? title ?? "no reason was given")
}

/** Whether a body is a problem document of a Muster service, rather than of a proxy or of something else. */
export const isMusterProblem = (body: string): boolean =>
  Option.exists(
    Schema.decodeUnknownOption(Schema.fromJsonString(Problem))(body),
    ({ type }) => type?.startsWith("urn:muster:problem:") === true
  )

const decodeProblem = Schema.decodeUnknownEffect(Schema.fromJsonString(Problem))

export const problemOf = ({
  stream
}: HttpClientResponse.HttpClientResponse): Effect.Effect<Problem | undefined> =>
  bounded(stream, longestProblem).pipe(
    Stream.decodeText,
    Stream.mkString,
    Effect.timeout(patience),
    Effect.flatMap(decodeProblem),
    Effect.map((problem) =>
      problem.type === undefined && problem.title === undefined ? undefined : problem
    ),
    Effect.orElseSucceed(() => undefined)
  )

export const noAnswer = (address: string, waited = patience) =>
  new ServiceUnavailable({
    message: `The service at ${address} has not answered for ${Duration.format(waited)}. Check that the address is right and look at its log.`,
    retryable: true
  })

export const unreachable = (address: string) => (error: HttpClientError.HttpClientError) => {
  const cause = rootCause(error.reason)
  const failure = tlsFailure(cause)
  if (failure !== undefined) {
    return new ServiceUnavailable({
      message: `The service at ${address} cannot be spoken to: ${failure}.`,
      retryable: false
    })
  }
  const reason = cause instanceof Error && cause.message !== "" ? cause.message : String(cause)
  const told = address.startsWith("https:") && wasClosed(cause) ? closedEarly : reason
  return new ServiceUnavailable({
    message: `No Muster service answers at ${address}: ${told}. Start one with "muster serve", or say with --server where it is.`,
    retryable: true
  })
}

/** A service that has an unknown certificate before it says no word, but closes the connection. */
const closedEarly =
  "it closed the connection. Where it asks who is calling, MUSTER_CLIENT_CERT has to be signed by a CA that it knows"

const wasClosed = (cause: unknown): boolean =>
  Predicate.hasProperty(cause, "code") && (cause.code === "UND_ERR_SOCKET" || cause.code === "ECONNRESET")

/** The innermost reason, which is the one that names address and cause (`connect ECONNREFUSED 127.0.0.1:7070`). */
const rootCause = (error: unknown): unknown => {
  if (Predicate.hasProperty(error, "cause") && error.cause !== undefined) return rootCause(error.cause)
  if (error instanceof AggregateError && error.errors.length > 0) return rootCause(error.errors[0])
  return error
}
