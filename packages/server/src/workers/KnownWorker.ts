/**
 * One worker, asked of a running service, and what its story is told from.
 */
import type { WorkerId } from "@muster/core"
import { Effect } from "effect"
import { ask, type MusterClient } from "../client/MusterClient.ts"
import type { ServiceUnavailable } from "../client/ServiceAnswer.ts"
import type { SchedulerView, TimelineView, WorkerView } from "../http/Schemas.ts"
import { NotAllDone } from "../NotAllDone.ts"

export const unknownHere = (address: string, id: string) =>
  new NotAllDone({
    message:
      `${address} knows no worker ${id}. It was never sent there, or it was terminated so long ago that it is ` +
      `forgotten. Check the id with "muster workers", and the address.`
  })

/** `undefined`: the service does not know it. */
export const readWorker = (
  id: WorkerId
): Effect.Effect<WorkerView | undefined, ServiceUnavailable, MusterClient> =>
  ask((api) =>
    Effect.catchTag(api.workers.getWorker({ params: { id } }), "UnknownWorkerProblem", () =>
      Effect.succeed(undefined)
    )
  )

/** What happened to it; `undefined`: the service does not know it. */
export const readTimeline = (
  id: WorkerId
): Effect.Effect<typeof TimelineView.Type | undefined, ServiceUnavailable, MusterClient> =>
  ask((api) =>
    Effect.catchTag(api.workers.getTimeline({ params: { id } }), "UnknownWorkerProblem", () =>
      Effect.succeed(undefined)
    )
  )

/** The scheduler that it is registered with. */
export const readScheduler: Effect.Effect<typeof SchedulerView.Type, ServiceUnavailable, MusterClient> = ask(
  (api) => api.scheduler.getScheduler({})
)
