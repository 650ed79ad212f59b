/**
 * Workers from requests into the fleet, and what became of them as the answer, or as the problem that stands in its
 * place.
 */
import { describeIssue, type InvalidWorker, Worker, WorkerId } from "@muster/core"
import { Duration, Effect, Option, Predicate, Schema } from "effect"
import { Fleet } from "../fleet/Fleet.ts"
import type { EventPlace, WorkerStatus } from "../fleet/FleetEntry.ts"
import {
  InvalidWorkerProblem,
  overloaded,
  type Overloaded,
  SchedulerFailure,
  Superseded,
  WorkerRejected
} from "./Problems.ts"

export interface WorkerInput {
  readonly worker: Worker
  readonly saidWhenProvisioned: boolean
}

export const isWorkerId = Schema.is(WorkerId)

/** A worker from parsed JSON. */
export const decodeWorker = (input: unknown): Effect.Effect<WorkerInput, InvalidWorkerProblem> =>
  Worker.decode(input).pipe(
    Effect.map((worker) => ({ worker, saidWhenProvisioned: saysWhenProvisioned(input) })),
    Effect.mapError(invalidWorker)
  )

const saysWhenProvisioned = (input: unknown): boolean =>
  Predicate.hasProperty(input, "metadata") &&
  Predicate.hasProperty(input.metadata, "provisionedAt") &&
  input.metadata.provisionedAt !== undefined

const invalidWorker = ({ issues, workerId }: InvalidWorker) =>
  new InvalidWorkerProblem({
    workerId,
    errors: issues.map((issue) => ({ path: issue.path, message: describeIssue(issue) }))
  })

/** What a worker that was waited for has come to. */
export type OutcomeProblem = WorkerRejected | Superseded | SchedulerFailure

/**
 * Takes a worker into the fleet. With `wait`, in seconds, waits as long for the outcome: the answer is then the
 * worker's state at the end of the wait, or the problem that it met for good.
 */
export const intake = Effect.fnUntraced(function* (
  { saidWhenProvisioned, worker }: WorkerInput,
  options: { readonly wait?: number | undefined; readonly place?: EventPlace | undefined }
): Effect.fn.Return<WorkerStatus & { readonly outdated: boolean }, Overloaded | OutcomeProblem, Fleet> {
  const fleet = yield* Fleet
  const accepted = yield* fleet
    .want(worker, { saidWhenProvisioned, place: options.place })
    .pipe(Effect.mapError(overloaded))
  if (options.wait === undefined) return accepted
  const settled = yield* Effect.timeoutOption(
    fleet.settled(worker.id, accepted.generation),
    Duration.seconds(options.wait)
  )
  const status = Option.isSome(settled)
    ? settled.value
    : Option.getOrElse(yield* fleet.get(worker.id), () => accepted)
  const problem = problemOf(status)
  return problem === undefined ? { ...status, outdated: accepted.outdated } : yield* problem
})

/** Whether the scheduler has the worker. */
export const isRegistered = ({ phase }: WorkerStatus): boolean => phase === "registered" || phase === "ready"

const problemOf = ({ attempts, id, lastError, phase }: WorkerStatus): OutcomeProblem | undefined => {
  if (phase === "unregistering" || phase === "terminated") {
    return new Superseded({ workerId: id, detail: "The worker was terminated before it was registered." })
  }
  if (phase !== "failed") return undefined
  const detail = lastError?.message ?? "The scheduler gave no reason."
  switch (lastError?.type) {
    case "invalid_worker":
      return new WorkerRejected({ workerId: id, attempts, detail })
    case "superseded":
      return new Superseded({ workerId: id, detail })
    default:
      return new SchedulerFailure({ detail })
  }
}
