/**
 * `/v1/dead-letters`: what failed for good, to be looked at, tried again or given up.
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import {
  Fleet,
  type ListFilter,
  type NoDeadLetter,
  type NotAccepted,
  type StoreUnavailable
} from "@muster/core/fleet"
import { Api, workerFilter } from "./Api.ts"
import { notAccepted, storeUnavailable, withoutKey } from "./FleetProblems.ts"
import { InvalidRequest, UnknownDeadLetter } from "./Problems.ts"
import { toAccepted } from "./Schemas.ts"
import { isWorkerId } from "./WorkerInput.ts"
import { type FilterQuery, listWorkers, toFilter } from "./WorkerListing.ts"

export const DeadLettersHandlers = HttpApiBuilder.group(
  Api,
  "dead-letters",
  Effect.fnUntraced(function* (handlers) {
    const fleet = yield* Fleet

    const decide = (id: string, decision: Fleet["Service"]["retry" | "giveUp"]) =>
      isWorkerId(id)
        ? decision(id).pipe(Effect.map(toAccepted), Effect.mapError(toProblem), withoutKey)
        : Effect.fail(unknownDeadLetter(id))

    return handlers
      .handle("listDeadLetters", ({ query }) => listWorkers(fleet, { ...query, phase: ["failed"] }))
      .handle("retryDeadLetters", ({ query, request }) => decideAll(query, request.url, fleet.retryAll))
      .handle("dropDeadLetters", ({ query, request }) => decideAll(query, request.url, fleet.giveUpAll))
      .handle("retryDeadLetter", ({ params }) => decide(params.id, fleet.retry))
      .handle("dropDeadLetter", ({ params }) => decide(params.id, fleet.giveUp))
  })
)

const decideAll = <A>(
  query: FilterQuery,
  url: string,
  decision: (filter: ListFilter) => Effect.Effect<A, StoreUnavailable>
) =>
  Effect.andThen(
    refuseOthers(url, filters),
    Effect.suspend(() => Effect.mapError(decision(toFilter(query)), storeUnavailable))
  )

const filters = Object.keys(workerFilter)

/** A filter that is mistyped would be no filter, and all would be retried, or dropped. */
const refuseOthers = (url: string, expected: ReadonlyArray<string>): Effect.Effect<void, InvalidRequest> => {
  const { searchParams } = new URL(url, "http://localhost")
  const others = Array.from(new Set(searchParams.keys())).filter((name) => !expected.includes(name))
  if (others.length === 0) return Effect.void
  const message = `expected one of ${expected.join(", ")}`
  const errors = others.slice(0, 10).map((name) => ({ path: `query.${name.slice(0, 100)}`, message }))
  return Effect.fail(new InvalidRequest({ errors }))
}

const unknownDeadLetter = (workerId: string) => new UnknownDeadLetter({ workerId: workerId.slice(0, 253) })

const toProblem = (error: NotAccepted | NoDeadLetter) =>
  error._tag === "NoDeadLetter" ? unknownDeadLetter(error.workerId) : notAccepted(error)
