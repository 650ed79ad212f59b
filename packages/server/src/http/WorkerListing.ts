/**
 * Pages of workers, and the filters that narrow them in every route that takes some.
 */
import { Effect } from "effect"
import type { BrowseOrder, Fleet, ListFilter, Phase } from "@muster/core/fleet"
import { storeUnavailable } from "./FleetProblems.ts"
import { HttpLimits } from "./HttpLimits.ts"
import { InvalidRequest } from "./Problems.ts"
import { toWorkerView } from "./Schemas.ts"

/** The query parameters of a filter, `label` as `key=value`. */
export interface FilterQuery {
  readonly phase?: ReadonlyArray<Phase> | undefined
  readonly search?: string | undefined
  readonly namespace?: string | undefined
  readonly workerType?: string | undefined
  readonly label?: ReadonlyArray<string> | undefined
}

export interface PageQuery extends FilterQuery {
  readonly sort?: BrowseOrder["by"] | `-${BrowseOrder["by"]}` | undefined
  readonly offset?: number | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

export const toFilter = ({ label, namespace, phase, search, workerType }: FilterQuery): ListFilter => ({
  phases: phase,
  search,
  namespace,
  workerType,
  labels: label?.map(splitLabel)
})

/** The page of workers that a query asks for. */
export const listWorkers = Effect.fnUntraced(function* (fleet: Fleet["Service"], query: PageQuery) {
  if (query.sort !== undefined || query.offset !== undefined) return yield* browseWorkers(fleet, query)
  const after = yield* readCursor(query.cursor, "w")
  const { items, next, total } = yield* fleet
    .list(toFilter(query), query.limit ?? HttpLimits.pageDefault, after)
    .pipe(Effect.mapError(storeUnavailable))
  return {
    items: items.map(toWorkerView),
    nextCursor: next === undefined ? null : writeCursor("w", next),
    total
  }
})

const browseWorkers = Effect.fnUntraced(function* (fleet: Fleet["Service"], query: PageQuery) {
  const { cursor, limit = HttpLimits.pageDefault, offset, sort = "known" } = query
  if (cursor !== undefined && offset !== undefined) {
    return yield* new InvalidRequest({
      errors: [{ path: "query.offset", message: "expected no offset beside a cursor" }]
    })
  }
  const skip = offset ?? (yield* readCursor(cursor, "o"))
  const { items, total } = yield* fleet
    .browse(toFilter(query), { order: toOrder(sort), skip, limit })
    .pipe(Effect.mapError(storeUnavailable))
  const end = skip + items.length
  return {
    items: items.map(toWorkerView),
    nextCursor: items.length > 0 && end < total ? writeCursor("o", end) : null,
    total
  }
})

const toOrder = (sort: NonNullable<PageQuery["sort"]>): BrowseOrder => {
  switch (sort) {
    case "-known":
      return { by: "known", descending: true }
    case "-id":
      return { by: "id", descending: true }
    case "-updatedAt":
      return { by: "updatedAt", descending: true }
    default:
      return { by: sort, descending: false }
  }
}

const splitLabel = (label: string): readonly [string, string] => {
  const at = label.indexOf("=")
  return [label.slice(0, at), label.slice(at + 1)]
}

/** The place of a worker, or how many come before. */
type CursorKind = "w" | "o"

/** Cursors are opaque to clients; that there is a number in them is nobody's business. */
const writeCursor = (kind: CursorKind, number: number): string =>
  Buffer.from(`${kind}${number}`).toString("base64url")

const readCursor = (cursor: string | undefined, kind: CursorKind): Effect.Effect<number, InvalidRequest> => {
  if (cursor === undefined) return Effect.succeed(0)
  const [, kindOf, number] =
    /^([wo])(\d{1,15})$/.exec(Buffer.from(cursor, "base64url").toString("latin1")) ?? []
  return number === undefined || kindOf !== kind
    ? Effect.fail(
        new InvalidRequest({
          errors: [{ path: "query.cursor", message: "expected a nextCursor of the same list" }]
        })
      )
    : Effect.succeed(Number(number))
}
