/**
 * `POST /v1/import`: the lines of an export, each answered with what became of it, while they arrive. A stream that
 * comes faster than the scheduler takes it is slowed down.
 */
import { Fleet, isKept, type RestoredWorker } from "@muster/core/fleet"
import { Clock, Effect, Option, Result, Schema, Stream } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { type ReadLine, readLine } from "../export/ExportReading.ts"
import { notAccepted, storeUnavailable } from "./FleetProblems.ts"
import { HttpLimits } from "./HttpLimits.ts"
import { type Line, lines } from "./NdjsonLines.ts"
import { Quota } from "./RateLimits.ts"
import { contentTooLarge, InvalidExport, ItemProblem } from "./Problems.ts"
import { parseJson, requireMediaType } from "./RequestBody.ts"
import type { ImportResult } from "./Schemas.ts"

/** `dryRun`: says what would become of each line, and changes nothing. */
export const receiveImport = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  dryRun: boolean
) {
  const fleet = yield* Fleet
  const quota = yield* Quota
  yield* requireMediaType(request, ["application/x-ndjson"])
  const results = lines(request.stream, HttpLimits.exportLineBytes).pipe(
    Stream.mapArrayEffect((received) =>
      Effect.map(
        Effect.forEach(chunksOf(received, HttpLimits.itemsAtOnce), (chunk) =>
          Effect.andThen(quota.pace(chunk.length), takeIn(fleet, chunk, dryRun))
        ),
        (results) => [results.flat()] as const
      )
    )
  )
  return HttpServerResponse.stream(Stream.encodeText(Stream.map(results, write)), {
    contentType: "application/x-ndjson"
  })
})

/** Lines that say something, each with its number. */
type Numbered<A> = readonly [line: number, value: A]

/** Results in the order of the lines. */
const takeIn = Effect.fnUntraced(function* (
  fleet: Fleet["Service"],
  received: ReadonlyArray<Line>,
  dryRun: boolean
): Effect.fn.Return<ReadonlyArray<ImportResult>> {
  const results = new Map<number, ImportResult>()
  const workers: Array<Numbered<RestoredWorker>> = []
  let forgotten: number | undefined
  const noted: Array<number> = []
  const now = yield* Clock.currentTimeMillis
  for (const { bytes, line } of received) {
    const read = yield* Effect.result(decode(bytes, now))
    if (Result.isFailure(read)) results.set(line, refused(line, read.failure))
    else if (read.success._tag === "Worker") workers.push([line, read.success.worker])
    else {
      forgotten = Math.max(forgotten ?? 0, read.success.generation)
      noted.push(line)
    }
  }
  // Before the workers: what a change to one of them gets must lie above it.
  const raised =
    forgotten === undefined || dryRun ? undefined : yield* Effect.result(fleet.raiseForgotten(forgotten))
  for (const line of noted) {
    results.set(
      line,
      raised !== undefined && Result.isFailure(raised)
        ? refused(line, notAccepted(raised.failure))
        : { line, status: 200, outcome: "noted" }
    )
  }
  yield* dryRun ? foresee(fleet, workers, results) : restore(fleet, workers, results)
  return received.flatMap(({ line }) => results.get(line) ?? [])
})

const decode = (bytes: Uint8Array | undefined, now: number): Effect.Effect<ReadLine, ItemProblem> =>
  bytes === undefined
    ? Effect.fail(contentTooLarge(HttpLimits.exportLineBytes, "bytes", "The line"))
    : Effect.flatMap(Effect.fromResult(parseJson(bytes)), (input) =>
        Effect.mapError(readLine(input, now), (wrong) => new InvalidExport(wrong))
      )

/** Takes workers in; those for which there is no room wait for it. */
const restore = Effect.fnUntraced(function* (
  fleet: Fleet["Service"],
  workers: ReadonlyArray<Numbered<RestoredWorker>>,
  results: Map<number, ImportResult>
): Effect.fn.Return<void> {
  let left = workers
  while (left.length > 0) {
    const outcomes = yield* Effect.result(fleet.restoreAll(left.map(([, worker]) => worker)))
    if (Result.isFailure(outcomes)) {
      const problem = notAccepted(outcomes.failure)
      for (const [line] of left) results.set(line, refused(line, problem))
      return
    }
    const full: Array<Numbered<RestoredWorker>> = []
    for (const [position, one] of left.entries()) {
      const outcome = outcomes.success[position]
      if (outcome === undefined) continue
      if (Result.isFailure(outcome)) {
        full.push(one)
        continue
      }
      const [line] = one
      const { generation, id, outdated, phase } = outcome.success
      results.set(line, { line, status: 200, outcome: outdated ? "kept" : "imported", id, generation, phase })
    }
    left = full
    if (left.length > 0) yield* fleet.room
  }
})

/** What {@link restore} would come to. */
const foresee = Effect.fnUntraced(function* (
  fleet: Fleet["Service"],
  workers: ReadonlyArray<Numbered<RestoredWorker>>,
  results: Map<number, ImportResult>
): Effect.fn.Return<void> {
  for (const [line, worker] of workers) {
    const known = yield* Effect.result(fleet.get(worker.id))
    results.set(
      line,
      Result.isFailure(known)
        ? refused(line, storeUnavailable(known.failure))
        : {
            line,
            status: 200,
            outcome: isKept(Option.getOrUndefined(known.success), worker) ? "kept" : "imported",
            id: worker.id
          }
    )
  }
})

const refused = (line: number, problem: ItemProblem): ImportResult => ({
  line,
  status: problem.status,
  problem
})

const encodeProblem = Schema.encodeSync(ItemProblem)

const toJson = (result: ImportResult): unknown =>
  result.problem === undefined ? result : { ...result, problem: encodeProblem(result.problem) }

const write = (results: ReadonlyArray<ImportResult>): string =>
  results.map((result) => `${JSON.stringify(toJson(result))}\n`).join("")

const chunksOf = <A>(all: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
