/**
 * From the ways in which the fleet can refuse to the problems that the HTTP API answers with.
 */
import { Effect } from "effect"
import type { NotAccepted, StoreUnavailable, UnknownWorker, WorkerGone } from "@muster/core/fleet"
import {
  type Forbidden,
  forbidden,
  KeyReusedProblem,
  overloaded,
  type Overloaded,
  StoreUnavailableProblem,
  UnknownWorkerProblem,
  WorkerTerminatedProblem
} from "./Problems.ts"

/** What can stand in the way of every change. */
export type FleetProblem = Overloaded | KeyReusedProblem | Forbidden | StoreUnavailableProblem

export const notAccepted = (error: NotAccepted): FleetProblem => {
  switch (error._tag) {
    case "FleetFull":
      return overloaded()
    case "KeyReused":
      return new KeyReusedProblem({ detail: "The Idempotency-Key came before, with another request." })
    case "NotPermitted":
      return forbidden("This credential is not for this worker.")
    case "StoreUnavailable":
      return storeUnavailable(error, "The change was not accepted: send it again.")
  }
}

/** `advice`: what to do about a request that was more than a look. */
export const storeUnavailable = (
  { message }: StoreUnavailable,
  advice = "Ask again."
): StoreUnavailableProblem => new StoreUnavailableProblem({ retryAfter: 1, detail: `${message}. ${advice}` })

/** Of a change that has no key, or whose key says all of it: it cannot have come before as another one. */
export const withoutKey = <A, E, R>(
  change: Effect.Effect<A, E | KeyReusedProblem, R>
): Effect.Effect<A, E, R> =>
  Effect.catch(change, (error) =>
    error instanceof KeyReusedProblem ? Effect.die(error) : Effect.fail(error)
  )

export const unknownWorker = (workerId: string): UnknownWorkerProblem =>
  new UnknownWorkerProblem({ workerId: workerId.slice(0, 253) })

/** What can stand in the way of a change of a worker that has to be known. */
export const notChanged = (
  error: NotAccepted | UnknownWorker | UnknownWorkerProblem
): FleetProblem | UnknownWorkerProblem => {
  switch (error._tag) {
    case "UnknownWorkerProblem":
      return error
    case "UnknownWorker":
      return unknownWorker(error.workerId)
    default:
      return notAccepted(error)
  }
}

/** What can stand in the way of a change of a worker that has to be wanted. */
export const notTold = (
  error: NotAccepted | UnknownWorker | UnknownWorkerProblem | WorkerGone
): FleetProblem | UnknownWorkerProblem | WorkerTerminatedProblem =>
  error._tag === "WorkerGone" ? new WorkerTerminatedProblem({ workerId: error.workerId }) : notChanged(error)
