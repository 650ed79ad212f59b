/**
 * The requests that `register` and `unregister` make of a running service.
 */
import { Effect, Schema, Stream } from "effect"
import { Ndjson } from "effect/encoding"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import {
  bounded,
  longestAnswer,
  noAnswer,
  patience,
  Problem,
  problemOf,
  refused,
  ServiceUnavailable,
  succeeded,
  unreachable
} from "../client/ServiceAnswer.ts"

/** One line of the answer to a batch: what became of the worker on line `line` of the request. */
export const BatchResult = Schema.Struct({
  line: Schema.Int,
  status: Schema.Int,
  problem: Schema.optional(Problem)
})
export type BatchResult = typeof BatchResult.Type

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
      orElse: () => Effect.fail(noAnswer(address))
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
