/**
 * This server as one of a cluster.
 */
import { Context, Effect, Layer } from "effect"
import type { CannotListen } from "../http/CannotListen.ts"
import type { CannotOpenStore } from "../store/CannotOpenStore.ts"

export class ClusterMember extends Context.Service<
  ClusterMember,
  {
    /** Joins the cluster as the server whose API listens at `url`; `isFailing`: whether it finds the scheduler so. */
    readonly join: (
      url: string,
      isFailing: Effect.Effect<boolean>
    ) => Effect.Effect<void, CannotListen | CannotOpenStore>
    /** Hands over what it looks after, and leaves. */
    readonly leave: Effect.Effect<void>
  }
>()("@muster/server/ClusterMember") {
  /** There is no cluster. */
  static readonly layerAlone = Layer.succeed(ClusterMember, { join: () => Effect.void, leave: Effect.void })
}
