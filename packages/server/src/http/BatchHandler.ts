/**
 * `POST /v1/workers/batch`: a JSON array, answered as a whole, or NDJSON, answered line by line while it arrives.
 * Members that nobody waits for are taken in many at a time, in one transaction.
 */
import { type Accepted, Fleet, type Once, type Priority } from "@muster/core/fleet"
import { Effect, Result, Schema, Stream } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Caller } from "../access/Caller.ts"
import { notAccepted } from "./FleetProblems.ts"
import { HttpLimits } from "./HttpLimits.ts"
import { type Line, lines } from "./NdjsonLines.ts"
import { Quota } from "./RateLimits.ts"
import { contentTooLarge, ItemProblem, MalformedJson } from "./Problems.ts"
import { parseJson, readJson, requireMediaType } from "./RequestBody.ts"
import { onceOf } from "./RequestKeys.ts"
import { type BatchResult, toAccepted } from "./Schemas.ts"
import { decodeWorker, intake, type IntakeOptions, isRegistered, type WorkerInput } from "./WorkerInput.ts"

/** How the members of a batch are taken in. */
export interface BatchOptions {
  readonly wait: number | undefined
  readonly priority: Priority | undefined
  readonly idempotencyKey: string | undefined
  readonly caller: Caller
}

/** One member: its place in the answer, its number, and what was sent, as far as it could be read. */
interface Member {
  readonly place: Pick<BatchResult, "index" | "line">
  readonly number: number
  readonly input: Result.Result<unknown, ItemProblem>
}

/** Takes in a batch. With `wait`, each member's result is told when it is registered, or after so many seconds. */
export const receiveBatch = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  options: BatchOptions
) {
  const fleet = yield* Fleet
  const quota = yield* Quota
  const batch = new Batch(fleet, options, quota)
  const type = yield* requireMediaType(request, ["application/json", "application/x-ndjson"])
  if (type === "application/x-ndjson") {
    return HttpServerResponse.stream(
      batch.lines(lines(request.stream, HttpLimits.lineBytes)).pipe(Stream.map(write), Stream.encodeText),
      { contentType: "application/x-ndjson" }
    )
  }
  const input = yield* readJson(request, HttpLimits.arrayBytes)
  if (!Array.isArray(input))
    return yield* new MalformedJson({ detail: "The body is not an array of workers." })
  if (input.length > HttpLimits.arrayItems) {
    return yield* contentTooLarge(HttpLimits.arrayItems, "items", "The array")
  }
  // One has been counted with the request.
  if (input.length > 1) yield* quota.take(input.length - 1)
  const members = input.map((item: unknown, index): Member => ({
    place: { index },
    number: index,
    input: Result.succeed(item)
  }))
  return HttpServerResponse.jsonUnsafe({ results: (yield* batch.array(members)).map(toJson) })
})

class Batch {
  private readonly fleet: Fleet["Service"]
  private readonly options: BatchOptions
  private readonly quota: Quota

  constructor(fleet: Fleet["Service"], options: BatchOptions, quota: Quota) {
    this.fleet = fleet
    this.options = options
    this.quota = quota
  }

  array(members: ReadonlyArray<Member>): Effect.Effect<ReadonlyArray<BatchResult>> {
    return this.options.wait === undefined
      ? Effect.map(
          Effect.forEach(chunksOf(members, HttpLimits.itemsAtOnce), (chunk) => this.takeInAll(chunk, false)),
          (results) => results.flat()
        )
      : Effect.forEach(members, (member) => this.takeInAndWait(member, false), {
          concurrency: HttpLimits.waitingItems
        })
  }

  /** A stream that comes faster than the scheduler takes it, or than the client may send, is slowed down. */
  lines<E>(received: Stream.Stream<Line, E>): Stream.Stream<ReadonlyArray<BatchResult>, E> {
    return this.options.wait === undefined
      ? Stream.mapArrayEffect(received, (lines) =>
          Effect.forEach(chunksOf(lines, HttpLimits.itemsAtOnce), (chunk) =>
            Effect.andThen(this.quota.pace(chunk.length), this.takeInAll(chunk.map(memberOf), true))
          ).pipe(Effect.map((results) => [results.flat()] as const))
        )
      : Stream.mapEffect(
          received,
          (line) =>
            Effect.andThen(this.quota.pace(1), this.takeInAndWait(memberOf(line), true)).pipe(
              Effect.map((result) => [result])
            ),
          { concurrency: HttpLimits.waitingItems }
        )
  }

  /** Results by position; what is wrong with a member stands in its result. */
  private takeInAll(
    members: ReadonlyArray<Member>,
    isPatient: boolean
  ): Effect.Effect<ReadonlyArray<BatchResult>> {
    return Effect.gen({ self: this }, function* () {
      const results = new Map<Member, BatchResult>()
      let left: Array<{
        readonly member: Member
        readonly input: WorkerInput
        readonly once: Once | undefined
      }> = []
      for (const [position, member] of members.entries()) {
        if (position > 0 && position % HttpLimits.itemsDecoded === 0) yield* Effect.yieldNow
        const input = yield* Effect.result(this.decode(member))
        if (Result.isFailure(input)) results.set(member, refused(member, input.failure))
        else left.push({ member, ...input.success })
      }
      while (left.length > 0) {
        const { priority } = this.options
        const wanted = left.map(({ input, once }) => ({
          ...input,
          priority: input.priority ?? priority,
          once
        }))
        const outcomes = yield* Effect.result(this.fleet.wantAll(wanted))
        if (Result.isFailure(outcomes)) {
          const problem = notAccepted(outcomes.failure)
          for (const { member } of left) results.set(member, refused(member, problem))
          break
        }
        const full: typeof left = []
        left.forEach((one, position) => {
          const outcome = outcomes.success[position]
          if (outcome === undefined) return
          if (Result.isSuccess(outcome)) results.set(one.member, taken(one.member, 202, outcome.success))
          else if (isPatient && outcome.failure._tag === "FleetFull") full.push(one)
          else results.set(one.member, refused(one.member, notAccepted(outcome.failure)))
        })
        left = full
        if (left.length > 0) yield* this.fleet.room
      }
      return members.flatMap((member) => results.get(member) ?? [])
    })
  }

  private takeInAndWait(member: Member, isPatient: boolean): Effect.Effect<BatchResult> {
    const { priority, wait } = this.options
    const { fleet } = this
    const patiently = (input: WorkerInput, options: IntakeOptions): ReturnType<typeof intake> =>
      intake(fleet, input, options).pipe(
        Effect.catchIf(
          (problem) => isPatient && problem._tag === "Overloaded",
          () => Effect.andThen(fleet.room, patiently(input, options))
        )
      )
    return this.decode(member).pipe(
      Effect.flatMap(({ input, once }) => patiently(input, { wait, priority, once })),
      Effect.match({
        onSuccess: (accepted) => taken(member, isRegistered(accepted) ? 200 : 202, accepted),
        onFailure: (problem) => refused(member, problem)
      })
    )
  }

  private decode({ input, number }: Member) {
    return Effect.flatMap(Effect.fromResult(input), (item) =>
      Effect.map(decodeWorker(item), (worker) => ({
        input: worker,
        once: onceOf(this.options.caller, this.options.idempotencyKey, `batch/${number}`, worker)
      }))
    )
  }
}

const memberOf = ({ bytes, line }: Line): Member => ({
  place: { line },
  number: line,
  input:
    bytes === undefined
      ? Result.fail(contentTooLarge(HttpLimits.lineBytes, "bytes", "The line"))
      : parseJson(bytes)
})

const taken = ({ place }: Member, status: number, accepted: Accepted): BatchResult => ({
  ...place,
  status,
  ...toAccepted(accepted)
})

const refused = ({ place }: Member, problem: ItemProblem): BatchResult => ({
  ...place,
  status: problem.status,
  problem
})

const encodeProblem = Schema.encodeSync(ItemProblem)

/** Only a problem needs its schema to be written. */
const toJson = (result: BatchResult): unknown =>
  result.problem === undefined ? result : { ...result, problem: encodeProblem(result.problem) }

const write = (results: ReadonlyArray<BatchResult>): string =>
  results.map((result) => `${JSON.stringify(toJson(result))}\n`).join("")

const chunksOf = <A>(all: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
