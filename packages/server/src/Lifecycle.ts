/**
 * Whether the service takes new work. It does from its start until it is asked to stop.
 */
import { Context, Effect, Latch, Layer } from "effect"

export class Lifecycle extends Context.Service<
  Lifecycle,
  {
    readonly isStopping: () => boolean
    readonly stop: Effect.Effect<void>
    /** Waits until the service is asked to stop. */
    readonly stopped: Effect.Effect<void>
  }
>()("@muster/server/Lifecycle") {
  static readonly layer = Layer.sync(Lifecycle, () => {
    let stopping = false
    const stopped = Latch.makeUnsafe(false)
    return {
      isStopping: () => stopping,
      stop: Effect.sync(() => {
        stopping = true
        stopped.openUnsafe()
      }),
      stopped: stopped.await
    }
  })
}
