/**
 * The requests that `export` and `import` make of a running service.
 */
import { Duration, Effect, Schema, Stream } from "effect"
import { Ndjson } from "effect/encoding"
import { HttpClient, HttpClientRequest } from "effect/http"
import {
  bounded,
  longestAnswer,
  patience,
  Problem,
  ServiceUnavailable,
  succeeded,
  unreachable
} from "../client/ServiceAnswer.ts"

/** Fails where a service says nothing for long, however long the whole of it takes. */
const untilSilent = <A, E, R>(address: string, stream: Stream.Stream<A, E, R>) =>
  Stream.timeoutOrElse(stream, {
    duration: Duration.fromInputUnsafe(patience),
    orElse: () =>
      Stream.fail(
        new ServiceUnavailable({
          message: `The service at ${address} has not answered for ${Duration.format(patience)}. Look at its log.`,
          retryable: true
        })
      )
  })

const request = (address: string, request: HttpClientRequest.HttpClientRequest) =>
  HttpClient.execute(request).pipe(
    Effect.mapError(unreachable(address)),
    Effect.flatMap((response) => succeeded(address, response)),
    Effect.map(({ stream }) => stream),
    Stream.unwrap
  )

/** The bytes of an export. */
export const getExport = (
  address: string
): Stream.Stream<Uint8Array, ServiceUnavailable, HttpClient.HttpClient> =>
  untilSilent(address, request(address, HttpClientRequest.get(`${address}/v1/export`))).pipe(
    Stream.mapError((error) =>
      error._tag === "ServiceUnavailable"
        ? error
        : new ServiceUnavailable({
            message: `The service at ${address} broke off its answer. Look at its log, and export again.`,
            retryable: true
          })
    )
  )

/** What became of a line of the request. */
const ImportResult = Schema.Struct({
  line: Schema.Int,
  status: Schema.Int,
  outcome: Schema.optional(Schema.Literals(["imported", "kept", "noted"])),
  problem: Schema.optional(Problem)
})
export type ImportResult = typeof ImportResult.Type

/** Posts lines of an export, and tells what became of each as the service answers. */
export const postImport = (
  address: string,
  body: string,
  dryRun: boolean
): Stream.Stream<ImportResult, ServiceUnavailable, HttpClient.HttpClient> => {
  const noResult = new ServiceUnavailable({
    message: `${address} answered something that is no result of an import: is it a Muster service of this version?`,
    retryable: false
  })
  const post = HttpClientRequest.post(`${address}/v1/import`).pipe(
    HttpClientRequest.setUrlParams(dryRun ? { dryRun: "true" } : {}),
    HttpClientRequest.bodyText(body, "application/x-ndjson"),
    HttpClientRequest.accept("application/x-ndjson")
  )
  return untilSilent(address, request(address, post)).pipe(
    Stream.mapError((error) => (error._tag === "ServiceUnavailable" ? error : unreachable(address)(error))),
    (stream) => bounded(stream, longestAnswer),
    Stream.mapError((error) => (error._tag === "AnswerTooLong" ? noResult : error)),
    Stream.pipeThroughChannelOrFail(
      Ndjson.decodeSchema(ImportResult)<ServiceUnavailable>({ ignoreEmptyLines: true })
    ),
    Stream.mapError((error) => (error._tag === "ServiceUnavailable" ? error : noResult))
  )
}
