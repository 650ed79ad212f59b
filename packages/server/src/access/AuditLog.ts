/**
 * The log of who did what to which worker, as it is read. It is written by the store, in the transaction of what it
 * tells of.
 */
import type { StoreUnavailable } from "@muster/core/fleet"
import { Context, type Effect } from "effect"
import type { ChainedEntry, ChainPlace } from "./AuditChain.ts"

export interface AuditEnds {
  /** The latest entry that was removed because of its age; the chain goes on from there. */
  readonly removed: ChainPlace
  /** The latest entry. */
  readonly latest: ChainPlace
}

export class AuditLog extends Context.Service<
  AuditLog,
  {
    /** The at most `limit` entries after a number, oldest first. */
    readonly after: (
      sequence: number,
      limit: number
    ) => Effect.Effect<ReadonlyArray<ChainedEntry>, StoreUnavailable>
    readonly ends: Effect.Effect<AuditEnds, StoreUnavailable>
    /** Removes entries from before, the oldest first, at most `limit`; how many it removed. */
    readonly removeBefore: (before: number, limit: number) => Effect.Effect<number, StoreUnavailable>
  }
>()("@muster/server/AuditLog") {}
