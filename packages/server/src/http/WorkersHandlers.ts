/**
 * `/v1/workers`: one worker at a time, and listings.
 */
import type { WorkerId } from "@muster/core"
import { Effect, Option } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Fleet, type FleetFull, type UnknownWorker, type WorkerGone } from "../fleet/Fleet.ts"
import type { WorkerStatus } from "../fleet/FleetEntry.ts"
import { Api } from "./Api.ts"
import { receiveBatch } from "./BatchHandler.ts"
import { HttpLimits } from "./HttpLimits.ts"
import { preferredWait } from "./Preferences.ts"
import { overloaded, UnknownWorkerProblem, WorkerTerminatedProblem } from "./Problems.ts"
import { readJson, requireMediaType } from "./RequestBody.ts"
import { toAccepted, toTimelineView, toWorkerView } from "./Schemas.ts"
import { decodeWorker, intake, isRegistered, isWorkerId } from "./WorkerInput.ts"
import { listWorkers } from "./WorkerListing.ts"

export const WorkersHandlers = HttpApiBuilder.group(
  Api,
  "workers",
  Effect.fnUntraced(function* (handlers) {
    const fleet = yield* Fleet

    return handlers
      .handleRaw(
        "registerWorker",
        Effect.fnUntraced(
          function* ({ headers, request }) {
            yield* requireMediaType(request, ["application/json"])
            const input = yield* Effect.flatMap(readJson(request, HttpLimits.itemBytes), decodeWorker)
            const wait = preferredWait(headers.prefer)
            return accepted(yield* intake(input, { wait }), wait)
          },
          Effect.provideService(Fleet, fleet)
        )
      )
      .handleRaw("registerBatch", ({ headers, request }) =>
        Effect.provideService(receiveBatch(request, preferredWait(headers.prefer)), Fleet, fleet)
      )
      .handle("listWorkers", ({ query }) => listWorkers(fleet, query))
      .handle("getWorker", ({ params }) =>
        workerId(params.id).pipe(
          Effect.flatMap((id) => fleet.get(id)),
          Effect.flatMap(Option.match({ onNone: () => unknownWorker(params.id), onSome: Effect.succeed })),
          Effect.map(toWorkerView)
        )
      )
      .handle("getTimeline", ({ params }) =>
        workerId(params.id).pipe(
          Effect.flatMap((id) => fleet.timeline(id)),
          Effect.mapError(({ workerId }) => unknownWorkerProblem(workerId)),
          Effect.map(toTimelineView)
        )
      )
      .handle("terminateWorker", ({ params }) =>
        workerId(params.id).pipe(
          Effect.flatMap((id) => fleet.terminate(id)),
          Effect.map(toAccepted),
          Effect.mapError(toProblem)
        )
      )
      .handle("workerReady", ({ params }) =>
        workerId(params.id).pipe(
          Effect.flatMap((id) => fleet.ready(id, {})),
          Effect.map(toAccepted),
          Effect.mapError(toReadyProblem)
        )
      )
  })
)

/** 200 where the wait has shown that the scheduler has the worker, 202 otherwise. */
const accepted = (status: WorkerStatus, wait: number | undefined) =>
  HttpServerResponse.jsonUnsafe(toAccepted(status), {
    status: wait !== undefined && isRegistered(status) ? 200 : 202,
    headers: {
      location: `/v1/workers/${encodeURIComponent(status.id)}`,
      ...(wait === undefined ? undefined : { "preference-applied": `wait=${wait}` })
    }
  })

const workerId = (id: string): Effect.Effect<WorkerId, UnknownWorkerProblem> =>
  isWorkerId(id) ? Effect.succeed(id) : unknownWorker(id)

const unknownWorker = (id: string) => Effect.fail(unknownWorkerProblem(id))

const unknownWorkerProblem = (workerId: string) =>
  new UnknownWorkerProblem({ workerId: workerId.slice(0, 253) })

const toProblem = (error: FleetFull | UnknownWorker | UnknownWorkerProblem) => {
  switch (error._tag) {
    case "FleetFull":
      return overloaded()
    case "UnknownWorker":
      return unknownWorkerProblem(error.workerId)
    case "UnknownWorkerProblem":
      return error
  }
}

/** What stands in the way of the ready event. */
export const toReadyProblem = (error: FleetFull | UnknownWorker | UnknownWorkerProblem | WorkerGone) =>
  error._tag === "WorkerGone" ? new WorkerTerminatedProblem({ workerId: error.workerId }) : toProblem(error)
