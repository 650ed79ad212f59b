/**
 * A listing of a running service, read page by page, no faster than it is taken.
 */
import { Effect, Option, Stream } from "effect"
import { HttpLimits } from "../http/HttpLimits.ts"

export interface CursorPage {
  readonly items: ReadonlyArray<unknown>
  readonly nextCursor: string | null
}

/** Which page is asked for. */
export interface PagePlace {
  readonly limit: number
  readonly cursor?: string
}

/** `most`: how many items are wanted at most. There is always a first page, also of nothing. */
export const cursorPages = <Page extends CursorPage, E, R>(
  read: (place: PagePlace) => Effect.Effect<Page, E, R>,
  most = Infinity
): Stream.Stream<Page, E, R> =>
  Stream.paginate({ cursor: Option.none<string>(), left: most }, ({ cursor, left }) =>
    Effect.map(
      read({
        limit: Math.min(left, HttpLimits.pageMaximum),
        ...(Option.isSome(cursor) ? { cursor: cursor.value } : undefined)
      }),
      (page) => {
        const next = { cursor: Option.fromNullOr(page.nextCursor), left: left - page.items.length }
        return [[page], next.left > 0 && Option.isSome(next.cursor) ? Option.some(next) : Option.none()]
      }
    )
  )
