/**
 * `POST /v1/workers/batch`: a JSON array, answered as a whole, or NDJSON, answered line by line while it arrives.
 */
import { Effect, Stream } from "effect"
import type { HttpServerRequest } from "effect/http"
import { Fleet } from "../fleet/Fleet.ts"
import { HttpLimits } from "./HttpLimits.ts"
import { type Line, lines } from "./NdjsonLines.ts"
import { contentTooLarge, type ItemProblem, MalformedJson } from "./Problems.ts"
import { parseJson, readJson, requireMediaType } from "./RequestBody.ts"
import { type BatchResult, toAccepted } from "./Schemas.ts"
import { decodeWorker, intake, isRegistered } from "./WorkerInput.ts"

/** Takes in a batch. With `wait`, each member's result is told when it is registered, or after so many seconds. */
export const receiveBatch = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  wait: number | undefined
) {
  const type = yield* requireMediaType(request, ["application/json", "application/x-ndjson"])
  if (type === "application/x-ndjson") {
    const fleet = yield* Fleet
    return receiveLines(request, wait).pipe(Stream.provideService(Fleet, fleet), Stream.orDie)
  }
  const input = yield* readJson(request, HttpLimits.arrayBytes)
  if (!Array.isArray(input))
    return yield* new MalformedJson({ detail: "The body is not an array of workers." })
  if (input.length > HttpLimits.arrayItems) {
    return yield* contentTooLarge(HttpLimits.arrayItems, "items", "The array")
  }
  const results = yield* Effect.forEach(
    input,
    (item, index) => Effect.map(member(Effect.succeed(item), wait), (result) => ({ index, ...result })),
    { concurrency: concurrency(wait) }
  )
  return { results }
})

// Members that are not waited for are taken in without a pause between them; side by side would only cost more.
const concurrency = (wait: number | undefined) => (wait === undefined ? 1 : HttpLimits.waitingItems)

const receiveLines = (request: HttpServerRequest.HttpServerRequest, wait: number | undefined) => {
  const received = lines(request.stream, HttpLimits.lineBytes)
  const results =
    wait === undefined
      ? Stream.mapArrayEffect(received, (chunk) => Effect.forEach(chunk, (line) => lineResult(line, wait)))
      : Stream.mapEffect(received, (line) => lineResult(line, wait), { concurrency: concurrency(wait) })
  return results
}

const lineResult = ({ bytes, line }: Line, wait: number | undefined) => {
  const input =
    bytes === undefined
      ? Effect.fail(contentTooLarge(HttpLimits.lineBytes, "bytes", "The line"))
      : Effect.fromResult(parseJson(bytes))
  return Effect.map(member(input, wait, patiently), (result): BatchResult => ({ line, ...result }))
}

/** One member's result; whatever is wrong with it stands in it. */
const member = (
  input: Effect.Effect<unknown, ItemProblem>,
  wait: number | undefined,
  takeIn: typeof intake = intake
): Effect.Effect<BatchResult, never, Fleet> =>
  input.pipe(
    Effect.flatMap(decodeWorker),
    Effect.flatMap((worker) => takeIn(worker, { wait })),
    Effect.match({
      onSuccess: (status): BatchResult => ({
        status: wait !== undefined && isRegistered(status) ? 200 : 202,
        ...toAccepted(status)
      }),
      onFailure: (problem): BatchResult => ({ status: problem.status, problem })
    })
  )

/** A stream that comes faster than the scheduler takes it is slowed down instead of refused. */
const patiently: typeof intake = (input, options) =>
  intake(input, options).pipe(
    Effect.catchTag("Overloaded", () =>
      Effect.flatMap(Fleet, (fleet) => Effect.andThen(fleet.room, patiently(input, options)))
    )
  )
