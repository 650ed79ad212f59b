/**
 * All workers of a running service that match, read page by page, no faster than they are taken.
 */
import { Effect, Option, Stream } from "effect"
import { ask, type MusterClient } from "../client/MusterClient.ts"
import type { ServiceUnavailable } from "../client/ServiceAnswer.ts"
import type { WorkerQuery } from "../commands/workerFilter.ts"
import { HttpLimits } from "../http/HttpLimits.ts"
import type { WorkerView } from "../http/Schemas.ts"

interface WorkerPage {
  readonly items: ReadonlyArray<WorkerView>
  readonly nextCursor: string | null
  readonly total: number
}

export type ReadPage = (
  query: WorkerQuery & { readonly limit: number; readonly cursor?: string }
) => Effect.Effect<WorkerPage, ServiceUnavailable, MusterClient>

export const readWorkers: ReadPage = (query) => ask((api) => api.workers.listWorkers({ query }))

export const readDeadLetters: ReadPage = (query) =>
  ask((api) => api["dead-letters"].listDeadLetters({ query }))

/** `most`: how many workers are wanted at most. There is always a first page, also of nothing. */
export const workerPages = (
  read: ReadPage,
  query: WorkerQuery,
  most = Infinity
): Stream.Stream<WorkerPage, ServiceUnavailable, MusterClient> =>
  Stream.paginate({ cursor: Option.none<string>(), left: most }, ({ cursor, left }) =>
    Effect.map(
      read({
        ...query,
        limit: Math.min(left, HttpLimits.pageMaximum),
        ...(Option.isSome(cursor) ? { cursor: cursor.value } : undefined)
      }),
      (page) => {
        const next = { cursor: Option.fromNullOr(page.nextCursor), left: left - page.items.length }
        return [[page], next.left > 0 && Option.isSome(next.cursor) ? Option.some(next) : Option.none()]
      }
    )
  )
