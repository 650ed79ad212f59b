/**
 * The client of a running Muster service, derived from the declaration that the service itself is made from. Whatever
 * answers is bounded in time and size, and what goes wrong is told in one sentence.
 */
import { Context, Effect, Layer, type Schema, Stream } from "effect"
import { HttpClient, type HttpClientError, type HttpClientRequest, HttpClientResponse } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { Api } from "../http/Api.ts"
import {
  bounded,
  isMusterProblem,
  longestAnswer,
  noAnswer,
  Patience,
  type Problem,
  refused,
  ServiceUnavailable,
  succeeded,
  unreachable
} from "./ServiceAnswer.ts"

type ApiClient = HttpApiClient.ForApi<typeof Api, ServiceUnavailable>

export class MusterClient extends Context.Service<
  MusterClient,
  {
    /** Of the service, without a slash at its end. */
    readonly address: string
    readonly api: ApiClient
  }
>()("@muster/server/MusterClient") {
  static readonly layer = (address: string): Layer.Layer<MusterClient, never, HttpClient.HttpClient> =>
    Layer.effect(
      MusterClient,
      Effect.gen(function* () {
        const httpClient = HttpClient.transform(yield* HttpClient.HttpClient, (response, request) =>
          Effect.flatMap(Patience, (patience) =>
            response.pipe(
              Effect.mapError(unreachable(address)),
              Effect.flatMap((response) => receive(address, request, response)),
              Effect.timeoutOrElse({
                duration: patience,
                orElse: () => Effect.fail(noAnswer(address, patience))
              })
            )
          )
        )
        return { address, api: yield* HttpApiClient.makeWith(Api, { httpClient, baseUrl: address }) }
      })
    )
}

/** A declared problem, whichever it is. */
type DeclaredProblem = Problem & { readonly _tag: string; readonly type: string; readonly status: number }

type RequestFailure =
  | ServiceUnavailable
  | HttpClientError.HttpClientError
  | Schema.SchemaError
  | DeclaredProblem

/**
 * Asks the service. A problem that the caller has something to say about is caught within `request`; all that is left
 * becomes one sentence.
 */
export const ask = <A, E extends RequestFailure, R>(
  request: (api: ApiClient) => Effect.Effect<A, E, R>
): Effect.Effect<A, ServiceUnavailable, R | MusterClient> =>
  Effect.flatMap(MusterClient, ({ address, api }) =>
    Effect.mapError(request(api), (error) => explain(address, error))
  )

const explain = (address: string, error: RequestFailure): ServiceUnavailable => {
  if (error instanceof ServiceUnavailable) return error
  if ("status" in error) return refused(address, error.status, error, error.retryAfter)
  const status = error._tag === "HttpClientError" ? error.response?.status : undefined
  const withStatus = status === undefined ? "" : ` with status ${status}`
  return new ServiceUnavailable({
    message: `${address} answered${withStatus} in a way that this version of muster does not understand. Is it a Muster service of the same version?`,
    retryable: false
  })
}

/**
 * What may be decoded: an answer that is there as a whole, unless it is a stream of events, and that is either a
 * success or a problem of Muster's.
 */
const receive = Effect.fnUntraced(function* (
  address: string,
  request: HttpClientRequest.HttpClientRequest,
  response: HttpClientResponse.HttpClientResponse
): Effect.fn.Return<HttpClientResponse.HttpClientResponse, ServiceUnavailable> {
  if (response.status === 200 && response.headers["content-type"]?.startsWith("text/event-stream") === true)
    return response
  const chunks = yield* bounded(response.stream, longestAnswer).pipe(
    Stream.runCollect,
    Effect.mapError((error) =>
      error._tag === "AnswerTooLong"
        ? new ServiceUnavailable({
            message: `${address} answered more than ${longestAnswer / 2 ** 20} MiB: is it a Muster service?`,
            retryable: false
          })
        : unreachable(address)(error)
    )
  )
  const body = Buffer.concat(Array.from(chunks))
  const whole = () => HttpClientResponse.fromWeb(request, rebuild(response, body))
  if (response.status >= 200 && response.status < 300) return whole()
  return isMusterProblem(body.toString()) ? whole() : yield* succeeded(address, whole())
})

const keptHeaders = ["content-type", "location", "retry-after", "www-authenticate"]

const rebuild = ({ headers, status }: HttpClientResponse.HttpClientResponse, body: Buffer<ArrayBuffer>) =>
  new Response(body.length === 0 ? null : body, {
    // Others than these are no statuses of HTTP, and make no Response.
    status: status >= 200 && status <= 599 ? status : 502,
    headers: keptHeaders.flatMap((name): Array<[string, string]> => {
      const value = headers[name]
      return value === undefined ? [] : [[name, value]]
    })
  })
