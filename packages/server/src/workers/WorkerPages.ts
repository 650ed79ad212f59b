/**
 * All workers of a running service that match, read page by page, no faster than they are taken.
 */
import type { Effect, Stream } from "effect"
import { cursorPages, type PagePlace } from "../client/CursorPages.ts"
import { ask, type MusterClient } from "../client/MusterClient.ts"
import type { ServiceUnavailable } from "../client/ServiceAnswer.ts"
import type { WorkerQuery } from "../commands/workerFilter.ts"
import type { WorkerView } from "../http/Schemas.ts"

interface WorkerPage {
  readonly items: ReadonlyArray<WorkerView>
  readonly nextCursor: string | null
  readonly total: number
}

export type ReadPage = (
  query: WorkerQuery & PagePlace
) => Effect.Effect<WorkerPage, ServiceUnavailable, MusterClient>

export const readWorkers: ReadPage = (query) => ask((api) => api.workers.listWorkers({ query }))

export const readDeadLetters: ReadPage = (query) =>
  ask((api) => api["dead-letters"].listDeadLetters({ query }))

/** `most`: how many workers are wanted at most. There is always a first page, also of nothing. */
export const workerPages = (
  read: ReadPage,
  query: WorkerQuery,
  most?: number
): Stream.Stream<WorkerPage, ServiceUnavailable, MusterClient> =>
  cursorPages((place) => read({ ...query, ...place }), most)
