/**
 * How many requests are open at the same time. A request is open until its answer has been sent: a stream for as long
 * as it lasts.
 */
import { Effect, type Scope } from "effect"
import { Overloaded, TooManyRequests } from "./Problems.ts"

/** Counts the request that is asked with, until its end, or refuses it where `maximum` are open; `what` says which. */
export const atMost = (
  maximum: number,
  retryAfter: number,
  what: string
): Effect.Effect<void, Overloaded, Scope.Scope> => {
  let open = 0
  const enter = Effect.suspend(() =>
    open < maximum
      ? Effect.sync(() => open++)
      : Effect.fail(new Overloaded({ retryAfter, detail: `${maximum} ${what}.` }))
  )
  const leave = Effect.sync(() => open--)
  return Effect.asVoid(Effect.acquireRelease(enter, () => leave))
}

/** The same for each client by itself. */
export const atMostEach = (
  maximum: number,
  retryAfter: number,
  what: string
): ((client: string) => Effect.Effect<void, TooManyRequests, Scope.Scope>) => {
  const open = new Map<string, number>()
  const of = (client: string) => open.get(client) ?? 0
  return (client) => {
    const enter = Effect.suspend(() =>
      of(client) < maximum
        ? Effect.sync(() => open.set(client, of(client) + 1))
        : Effect.fail(new TooManyRequests({ retryAfter, detail: `${maximum} ${what}.` }))
    )
    const leave = Effect.sync(() => {
      const left = of(client) - 1
      if (left > 0) open.set(client, left)
      else open.delete(client)
    })
    return Effect.asVoid(Effect.acquireRelease(enter, () => leave))
  }
}
