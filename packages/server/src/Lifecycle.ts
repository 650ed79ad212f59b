/**
 * Whether the service takes new work. It does from its start until it is asked to stop.
 */
import { Context, Effect, Layer } from "effect"

export class Lifecycle extends Context.Service<
  Lifecycle,
  {
    readonly isStopping: () => boolean
    readonly stop: Effect.Effect<void>
  }
>()("@muster/server/Lifecycle") {
  static readonly layer = Layer.sync(Lifecycle, () => {
    let stopping = false
    return {
      isStopping: () => stopping,
      stop: Effect.sync(() => {
        stopping = true
      })
    }
  })
}
