/**
 * `/v1/dead-letters`: what failed for good, to be looked at, tried again or given up.
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Fleet, type FleetFull, type NoDeadLetter } from "../fleet/Fleet.ts"
import { Api } from "./Api.ts"
import { overloaded, UnknownDeadLetter } from "./Problems.ts"
import { toAccepted } from "./Schemas.ts"
import { listWorkers, toFilter } from "./WorkerListing.ts"
import { isWorkerId } from "./WorkersHandlers.ts"

export const DeadLettersHandlers = HttpApiBuilder.group(
  Api,
  "dead-letters",
  Effect.fnUntraced(function* (handlers) {
    const fleet = yield* Fleet

    const decide = (id: string, decision: Fleet["Service"]["retry" | "giveUp"]) =>
      isWorkerId(id)
        ? decision(id).pipe(Effect.map(toAccepted), Effect.mapError(toProblem))
        : Effect.fail(unknownDeadLetter(id))

    return handlers
      .handle("listDeadLetters", ({ query }) => listWorkers(fleet, { ...query, phase: ["failed"] }))
      .handle("retryDeadLetters", ({ query }) => fleet.retryAll(toFilter(query)))
      .handle("retryDeadLetter", ({ params }) => decide(params.id, fleet.retry))
      .handle("dropDeadLetter", ({ params }) => decide(params.id, fleet.giveUp))
  })
)

const unknownDeadLetter = (workerId: string) => new UnknownDeadLetter({ workerId: workerId.slice(0, 253) })

const toProblem = (error: FleetFull | NoDeadLetter) =>
  error._tag === "FleetFull" ? overloaded() : unknownDeadLetter(error.workerId)
