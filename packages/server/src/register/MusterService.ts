/**
 * A running Muster service, as the commands see it: where it is, what it answers, and why it could not.
 */
import { Clock, Effect, Option, Predicate, Runtime, Schema, Stream } from "effect"
import { Ndjson } from "effect/encoding"
import { HttpClient, type HttpClientError, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { WrongUsage } from "../WrongUsage.ts"

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
  errors: Schema.optional(Schema.Array(Schema.Struct({ path: Schema.String, message: Schema.String })))
})
export type Problem = typeof Problem.Type

/** One line of the answer to a batch: what became of the worker on line `line` of the request. */
export const BatchResult = Schema.Struct({
  line: Schema.Int,
  status: Schema.Int,
  problem: Schema.optional(Problem)
})
export type BatchResult = typeof BatchResult.Type

/** The value of `--server`: the address of a service, without a slash at its end. */
export const parseAddress = (address: string): Effect.Effect<string, WrongUsage> =>
  Option.match(Option.liftThrowable(() => new URL(address))(), {
    onNone: () => Effect.fail(wrongAddress(address)),
    onSome: ({ hash, href, password, protocol, search, username }) => {
      if (protocol !== "http:" && protocol !== "https:") return Effect.fail(wrongAddress(address))
      // Messages, summaries and reports name the address; a password must not come to be in one.
      return username + password + search + hash === ""
        ? Effect.succeed(href.replace(/\/+$/, ""))
        : Effect.fail(
            new WrongUsage({
              message:
                "--server takes an address without user, password, ? and #, such as http://127.0.0.1:7070"
            })
          )
    }
  })

const wrongAddress = (address: string) =>
  new WrongUsage({
    message: `--server ${JSON.stringify(address.slice(0, 200))} is not the address of a service, such as http://127.0.0.1:7070`
  })

/** Posts workers, one on each line, and tells what became of each as the service answers. */
export const postBatch = (
  address: string,
  body: string,
  waitSeconds: number | undefined
): Stream.Stream<BatchResult, ServiceUnavailable, HttpClient.HttpClient> =>
  HttpClientRequest.post(`${address}/v1/workers/batch`).pipe(
    HttpClientRequest.bodyText(body, "application/x-ndjson"),
    HttpClientRequest.accept("application/x-ndjson"),
    waitSeconds === undefined
      ? (request) => request
      : HttpClientRequest.setHeader("prefer", `wait=${waitSeconds}`),
    send(address),
    Effect.map(({ stream }) =>
      Stream.mapError(bounded(stream, longestAnswer), (error) =>
        error._tag === "AnswerTooLong" ? noResult(address) : unreachable(address)(error)
      )
    ),
    Stream.unwrap,
    Stream.pipeThroughChannelOrFail(
      Ndjson.decodeSchema(BatchResult)<ServiceUnavailable>({ ignoreEmptyLines: true })
    ),
    Stream.mapError((error) => (error._tag === "ServiceUnavailable" ? error : noResult(address)))
  )

const noResult = (address: string) =>
  new ServiceUnavailable({
    message: `${address} answered something that is no result of a batch: is it a Muster service?`,
    retryable: false
  })

class AnswerTooLong extends Schema.TaggedError<AnswerTooLong>("@muster/server/AnswerTooLong")(
  "AnswerTooLong",
  {}
) {}

// What is no Muster service may answer without an end. In bytes, and far above what a service answers.
const longestAnswer = 64 * 2 ** 20
const longestProblem = 2 ** 20

const bounded = <E>(stream: Stream.Stream<Uint8Array, E>, maximum: number) =>
  Stream.suspend(() => {
    let received = 0
    return Stream.tap(stream, (bytes) =>
      (received += bytes.length) > maximum ? Effect.fail(new AnswerTooLong()) : Effect.void
    )
  })

/** How long a service may take to store that a worker is gone, or to send the whole of a problem. */
const patience = "30 seconds"

/** Tells a service that a worker is gone. `false`: it knows no such worker. */
export const deleteWorker = Effect.fnUntraced(function* (
  address: string,
  id: string
): Effect.fn.Return<boolean, ServiceUnavailable, HttpClient.HttpClient> {
  const request = HttpClientRequest.delete(`${address}/v1/workers/${encodeURIComponent(id)}`)
  const client = yield* HttpClient.HttpClient
  const response = yield* Effect.mapError(client.execute(request), unreachable(address)).pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () =>
        Effect.fail(
          new ServiceUnavailable({
            message: `The service at ${address} has not answered for ${patience}. Check that the address is right and look at its log.`,
            retryable: true
          })
        )
    })
  )
  if (response.status !== 404) {
    yield* succeeded(address, response)
    return true
  }
  const problem = yield* problemOf(response)
  if (problem?.type?.endsWith(":unknown-worker") === true) return false
  return yield* refused(address, response.status, problem)
})

const send =
  (address: string) =>
  (
    request: HttpClientRequest.HttpClientRequest
  ): Effect.Effect<HttpClientResponse.HttpClientResponse, ServiceUnavailable, HttpClient.HttpClient> =>
    HttpClient.execute(request).pipe(
      Effect.mapError(unreachable(address)),
      Effect.flatMap((response) => succeeded(address, response))
    )

const succeeded = Effect.fnUntraced(function* (
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

const refused = (address: string, status: number, problem: Problem | undefined, retryAfter?: number) => {
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

const decodeProblem = Schema.decodeUnknownEffect(Schema.fromJsonString(Problem))

const problemOf = ({ stream }: HttpClientResponse.HttpClientResponse): Effect.Effect<Problem | undefined> =>
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

const unreachable = (address: string) => (error: HttpClientError.HttpClientError) =>
  new ServiceUnavailable({
    message: `The service at ${address} cannot be reached: ${rootCause(error.reason)}. Check that it runs and that the address is right.`,
    retryable: true
  })

/** The innermost reason, which is the one that names address and cause (`connect ECONNREFUSED 127.0.0.1:7070`). */
const rootCause = (error: unknown): string => {
  if (Predicate.hasProperty(error, "code") && error.code === "ERR_SSL_WRONG_VERSION_NUMBER") {
    return "it does not speak TLS, so its address begins with http:// rather than https://"
  }
  if (Predicate.hasProperty(error, "cause") && error.cause !== undefined) return rootCause(error.cause)
  if (error instanceof AggregateError && error.errors.length > 0) return rootCause(error.errors[0])
  return error instanceof Error && error.message !== "" ? error.message : String(error)
}
