/**
 * Pages of workers, and the filters that narrow them in every route that takes some.
 */
import { Effect } from "effect"
import type { Fleet, ListFilter, Phase } from "@muster/core/fleet"
import { storeUnavailable } from "./FleetProblems.ts"
import { HttpLimits } from "./HttpLimits.ts"
import { InvalidRequest } from "./Problems.ts"
import { toWorkerView } from "./Schemas.ts"

/** The query parameters of a filter, `label` as `key=value`. */
export interface FilterQuery {
  readonly phase?: ReadonlyArray<Phase> | undefined
  readonly namespace?: string | undefined
  readonly workerType?: string | undefined
  readonly label?: ReadonlyArray<string> | undefined
}

export interface PageQuery extends FilterQuery {
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

export const toFilter = ({ label, namespace, phase, workerType }: FilterQuery): ListFilter => ({
  phases: phase,
  namespace,
  workerType,
  labels: label?.map(splitLabel)
})

/** The page of workers that a query asks for. */
export const listWorkers = Effect.fnUntraced(function* (fleet: Fleet["Service"], query: PageQuery) {
  const after = yield* readCursor(query.cursor)
  const { items, next, total } = yield* fleet
    .list(toFilter(query), query.limit ?? HttpLimits.pageDefault, after)
    .pipe(Effect.mapError(storeUnavailable))
  return {
    items: items.map(toWorkerView),
    nextCursor: next === undefined ? null : writeCursor(next),
    total
  }
})

const splitLabel = (label: string): readonly [string, string] => {
  const at = label.indexOf("=")
  return [label.slice(0, at), label.slice(at + 1)]
}

/** Cursors are opaque to clients; that there is a number in them is nobody's business. */
const writeCursor = (ordinal: number): string => Buffer.from(`w${ordinal}`).toString("base64url")

const readCursor = (cursor: string | undefined): Effect.Effect<number, InvalidRequest> => {
  if (cursor === undefined) return Effect.succeed(0)
  const ordinal = /^w(\d{1,15})$/.exec(Buffer.from(cursor, "base64url").toString("latin1"))?.[1]
  return ordinal === undefined
    ? Effect.fail(
        new InvalidRequest({ errors: [{ path: "query.cursor", message: "expected a nextCursor" }] })
      )
    : Effect.succeed(Number(ordinal))
}
