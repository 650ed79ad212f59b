/**
 * `/v1/workers`: one worker at a time, and listings.
 */
import type { WorkerId } from "@muster/core"
import { Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Fleet, type StoreUnavailable, type UnknownWorker } from "@muster/core/fleet"
import { Caller, covers } from "../access/Caller.ts"
import { isRestricted } from "../access/Identity.ts"
import { Api } from "./Api.ts"
import { receiveBatch } from "./BatchHandler.ts"
import { preferredWait } from "./Preferences.ts"
import { notChanged, notTold, storeUnavailable, unknownWorker, withoutKey } from "./FleetProblems.ts"
import type { UnknownWorkerProblem } from "./Problems.ts"
import { onceOf } from "./RequestKeys.ts"
import { registerWorker } from "./RegisterWorker.ts"
import { toAccepted, toLeaseView, toTimelineView, toWorkerView } from "./Schemas.ts"
import { isWorkerId } from "./WorkerInput.ts"
import { listWorkers } from "./WorkerListing.ts"

export const WorkersHandlers = HttpApiBuilder.group(
  Api,
  "workers",
  Effect.fnUntraced(function* (handlers) {
    const fleet = yield* Fleet

    /** A worker that the caller may look at; of others nobody says whether they are there. */
    const find = Effect.fnUntraced(function* (id: WorkerId) {
      const record = yield* Effect.mapError(fleet.get(id), (error) => storeUnavailable(error))
      const caller = yield* Caller
      return Option.isSome(record) && (!isRestricted(caller) || covers(caller, record.value))
        ? record.value
        : yield* unknownWorker(id)
    })

    return handlers
      .handleRaw("registerWorker", ({ headers, request }) => registerWorker(fleet, request, headers))
      .handleRaw("registerBatch", ({ headers, request }) =>
        Effect.flatMap(Caller, (caller) =>
          receiveBatch(request, {
            wait: preferredWait(headers.prefer),
            priority: headers["muster-priority"],
            idempotencyKey: headers["idempotency-key"],
            caller
          })
        ).pipe(Effect.provideService(Fleet, fleet))
      )
      .handle("listWorkers", ({ query }) => listWorkers(fleet, query))
      .handle("getWorker", ({ params }) =>
        workerId(params.id).pipe(Effect.flatMap(find), Effect.map(toWorkerView))
      )
      .handle("getTimeline", ({ params }) =>
        workerId(params.id).pipe(
          Effect.tap(find),
          Effect.flatMap((id) => Effect.mapError(fleet.timeline(id), notFound)),
          Effect.map(toTimelineView)
        )
      )
      .handle("terminateWorker", ({ headers, params }) =>
        workerId(params.id).pipe(
          Effect.flatMap((id) => fleet.terminate(id, { priority: headers["muster-priority"] })),
          Effect.map(toAccepted),
          Effect.mapError(notChanged),
          withoutKey
        )
      )
      .handle("workerReady", ({ headers, params }) =>
        workerId(params.id).pipe(
          Effect.flatMap((id) =>
            Effect.flatMap(Caller, (caller) =>
              fleet.ready(id, {
                priority: headers["muster-priority"],
                once: onceOf(caller, headers["idempotency-key"], `ready/${id}`)
              })
            )
          ),
          Effect.map(toAccepted),
          Effect.mapError(notTold)
        )
      )
      .handle("checkWorker", ({ params }) =>
        workerId(params.id).pipe(
          Effect.flatMap(fleet.check),
          Effect.map(toAccepted),
          Effect.mapError(notTold),
          withoutKey
        )
      )
      .handle("retryWorker", ({ params }) =>
        workerId(params.id).pipe(
          Effect.flatMap(fleet.hasten),
          Effect.map(toAccepted),
          Effect.mapError(notChanged),
          withoutKey
        )
      )
      .handle("workerHeartbeat", ({ params }) =>
        workerId(params.id).pipe(
          Effect.flatMap((id) => Effect.map(fleet.heartbeat(id), (lease) => toLeaseView(id, lease))),
          Effect.mapError(notTold),
          withoutKey
        )
      )
  })
)

const workerId = (id: string): Effect.Effect<WorkerId, UnknownWorkerProblem> =>
  isWorkerId(id) ? Effect.succeed(id) : Effect.fail(unknownWorker(id))

const notFound = (error: UnknownWorker | StoreUnavailable) =>
  error._tag === "UnknownWorker" ? unknownWorker(error.workerId) : storeUnavailable(error)
