/**
 * What other processes do to a fleet that they share with this one: what it knows of their changes, and what it tells
 * them of its own.
 */
import { Clock, Effect } from "effect"
import type { WorkerId } from "../WorkerId.ts"
import type { ChangedRecord } from "./Draft.ts"
import type { Drift } from "./Drift.ts"
import type { FleetStore, StoreUnavailable } from "./FleetStore.ts"
import type { Leases } from "./Leases.ts"
import type { Observers } from "./Observers.ts"
import type { PhaseEvents } from "./PhaseEvents.ts"
import type { Reconciler } from "./Reconciler.ts"
import type { News, Share } from "./Sharing.ts"

interface Dependencies {
  readonly share: Share
  readonly store: FleetStore["Service"]
  readonly reconciler: Reconciler
  readonly observers: Observers
  readonly events: PhaseEvents
  readonly leases: Leases
  readonly drift: Drift
}

export class Neighbours {
  private readonly has: Dependencies
  /** The workers that this process has changed while it reads what others have. */
  private readonly meanwhile = new Set<Set<WorkerId>>()

  constructor(has: Dependencies) {
    this.has = has
  }

  /** This process has committed something. */
  committed(changed: ReadonlyArray<ChangedRecord>): void {
    const { share } = this.has
    if (!share.isShared) return
    const workerIds = changed.map(({ after }) => after.id)
    for (const read of this.meanwhile) for (const id of workerIds) read.add(id)
    share.tell(workerIds)
  }

  heard(news: News): Effect.Effect<void> {
    switch (news._tag) {
      case "Held":
        return this.looked
      case "Gone":
        return this.heartbeatsLost
      case "Changed":
        return Effect.ignore(this.changed(news.workerIds))
    }
  }

  private get looked(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { drift, reconciler, share } = this.has
      const led = share.leads
      reconciler.onHeld(share.look())
      if (share.leads && !led) drift.request()
      return this.heartbeatsLost
    })
  }

  /** Nobody's lease ends before a full term has passed. */
  private get heartbeatsLost(): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => this.has.leases.lost(now))
  }

  private changed(workerIds: ReadonlyArray<WorkerId> | undefined): Effect.Effect<void, StoreUnavailable> {
    return Effect.suspend(() => {
      const { events, observers, reconciler, share, store } = this.has
      events.notify()
      const known = workerIds ?? [...observers.workerIds, ...reconciler.flights.keys()]
      const concerned = known.filter((id) => share.epochOf(id) !== undefined || observers.has(id))
      if (workerIds === undefined) reconciler.expectMore()
      if (concerned.length === 0) return Effect.void
      const read = new Set<WorkerId>()
      this.meanwhile.add(read)
      return store.get(concerned).pipe(
        Effect.map((records) => {
          // What this process has changed since is newer.
          const current = records.filter(({ id }) => !read.has(id))
          reconciler.onCommit(current.map((after) => ({ before: undefined, after })))
          for (const record of current) observers.notify(record)
          reconciler.dispatch()
        }),
        Effect.ensuring(Effect.sync(() => this.meanwhile.delete(read)))
      )
    })
  }
}
