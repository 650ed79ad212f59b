/**
 * Where the HTTP API listens. With port 0 that is known only once it does, and what has to tell others of it is
 * started before.
 */
import { Context, Deferred, Effect, Layer } from "effect"

export class ListeningUrl extends Context.Service<
  ListeningUrl,
  {
    /** Waits until the HTTP API listens. */
    readonly url: Effect.Effect<string>
    /** The HTTP API listens there. */
    readonly tell: (url: string) => Effect.Effect<void>
  }
>()("@muster/server/ListeningUrl") {
  static readonly layer = Layer.sync(ListeningUrl, () => {
    const known = Deferred.makeUnsafe<string>()
    return {
      url: Deferred.await(known),
      tell: (url) => Effect.asVoid(Deferred.succeed(known, url))
    }
  })
}
