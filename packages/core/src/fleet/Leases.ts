/**
 * Leases: a worker that has one and is silent for longer counts as gone. How long it may be silent grows with the
 * fleet, so that all heartbeats together stay under a rate; and whenever the fleet itself could not be reached,
 * nobody's lease ends before a full term has passed since. (Nomad's `max_heartbeats_per_second`, `min_heartbeat_ttl`
 * and `failover_heartbeat_ttl` are the model.)
 *
 * A heartbeat costs no flush of the disk. Renewals gather in memory and are written together; those that a crash
 * loses are made up for by the full term that follows it.
 */
import { Clock, Duration, Effect, Latch, Metric } from "effect"
import type { WorkerId } from "../WorkerId.ts"
import type { Draft } from "./Draft.ts"
import { terminate } from "./FleetChanges.ts"
import type { FleetCounts } from "./FleetCounts.ts"
import { leasesExpired } from "./FleetMetrics.ts"
import type { FleetOptions } from "./FleetOptions.ts"
import type { FleetStore, StoreUnavailable } from "./FleetStore.ts"
import type { GroupCommit } from "./GroupCommit.ts"
import { inMillis } from "../Text.ts"
import type { Share } from "./Sharing.ts"
import type { WorkerRecord } from "./WorkerRecord.ts"

/** How long a worker may stay silent from now on. */
export interface Lease {
  readonly ttl: Duration.Duration
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** A heartbeat that the store does not know of yet. */
interface Renewal {
  /** The lease that it was for. */
  readonly leaseTtl: number
  readonly until: number
}

const expired = leasesExpired.at({})

const lookInterval = Duration.seconds(1)
/** Two looks so far from each other mean that the process stood still, or the store did, in milliseconds. */
const standstill = 6000
const atOnce = 256

export class Leases {
  private readonly options: FleetOptions
  private readonly counts: FleetCounts
  private readonly store: FleetStore["Service"]
  private readonly groupCommit: Pick<GroupCommit, "commit">
  private readonly renewals = new Map<WorkerId, Renewal>()
  private readonly needed = Latch.makeUnsafe(false)
  private readonly isStoreFine: () => boolean
  private readonly share: Share
  /** Since when heartbeats could arrive without a break. */
  private servingSince: number
  /** When that was looked at last. */
  private lookedAt: number

  constructor(dependencies: {
    readonly options: FleetOptions
    readonly counts: FleetCounts
    readonly store: FleetStore["Service"]
    readonly groupCommit: Pick<GroupCommit, "commit">
    readonly isStoreFine: () => boolean
    readonly share: Share
    readonly now: number
  }) {
    this.options = dependencies.options
    this.counts = dependencies.counts
    this.store = dependencies.store
    this.groupCommit = dependencies.groupCommit
    this.isStoreFine = dependencies.isStoreFine
    this.share = dependencies.share
    this.servingSince = dependencies.now
    this.lookedAt = dependencies.now
    this.noteNeed()
  }

  /** How long a worker with this lease may stay silent at the moment, in milliseconds. */
  term(leaseTtl: number): number {
    const bearable = (this.counts.leased / this.options.maxHeartbeatsPerSecond) * 1000
    return Math.max(leaseTtl, Duration.toMillis(this.options.minLease), Math.ceil(bearable))
  }

  /** Renews the lease of a worker that has one. */
  renew({ id, leaseTtl }: WorkerRecord, now: number): Lease | undefined {
    if (leaseTtl === undefined) return undefined
    const term = this.term(leaseTtl)
    const expiresAt = now + term
    this.renewals.set(id, { leaseTtl, until: expiresAt })
    return { ttl: Duration.millis(term), expiresAt }
  }

  /** Heartbeats may have been lost with the process that took them. */
  lost(now: number): void {
    this.servingSince = now
  }

  /** A heartbeat could not be taken. */
  get missed(): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      this.servingSince = now
    })
  }

  /** Something was committed. */
  noteNeed(): void {
    if (this.counts.leased > 0) this.needed.openUnsafe()
    else this.needed.closeUnsafe()
  }

  /** Writes renewals and ends leases, once a second while there are any. */
  get keep(): Effect.Effect<never> {
    return Effect.suspend(() => this.needed.await).pipe(
      Effect.andThen(Clock.currentTimeMillis),
      Effect.map((now) => {
        this.lookedAt = now
      }),
      Effect.andThen(Effect.sleep(lookInterval)),
      Effect.andThen(this.attend),
      Effect.andThen(this.writeRenewals),
      Effect.andThen(this.endLeases),
      // The store's trouble is told elsewhere. What could not be written is written later.
      Effect.catchTag("StoreUnavailable", () => this.missed),
      Effect.forever
    )
  }

  /** Notices when much more time has passed than should have, or the store cannot be written to. */
  private get attend(): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      if (now - this.lookedAt > standstill || !this.isStoreFine()) this.servingSince = now
      this.lookedAt = now
    })
  }

  get writeRenewals(): Effect.Effect<void, StoreUnavailable> {
    return Effect.gen({ self: this }, function* () {
      const all = Array.from(this.renewals)
      for (let from = 0; from < all.length; from += atOnce) {
        const renewals = all.slice(from, from + atOnce)
        yield* this.groupCommit.commit({
          workerIds: renewals.map(([id]) => id),
          apply: (draft) => {
            for (const [id, { leaseTtl, until }] of renewals) {
              const record = draft.record(id)
              // A lease that was given anew meanwhile is as long as was said then.
              if (record?.leaseTtl === leaseTtl) extend(draft, record, until)
            }
          }
        })
        for (const [id, renewal] of renewals) if (this.renewals.get(id) === renewal) this.renewals.delete(id)
      }
    })
  }

  private get endLeases(): Effect.Effect<void, StoreUnavailable> {
    return Effect.gen({ self: this }, function* () {
      const grace = Duration.toMillis(this.options.leaseGrace)
      while (this.isStoreFine()) {
        yield* this.attend
        const now = yield* Clock.currentTimeMillis
        const workerIds = yield* this.store.expired(now - grace, atOnce, this.share.partitions)
        if (workerIds.length === 0) return
        const ends = yield* this.groupCommit.commit({
          workerIds,
          readsEpochs: this.share.isShared,
          apply: (draft) => workerIds.map((id) => this.end(draft, draft.record(id), draft.now - grace))
        })
        yield* Metric.update(expired, ends.filter((end) => end === "ended").length)
        if (ends.includes("no room") || ends.includes("not ours")) return
      }
    })
  }

  private end(
    draft: Draft,
    record: WorkerRecord | undefined,
    before: number
  ): "ended" | "goes on" | "not ours" | "no room" {
    const { leaseExpiresAt, leaseTtl } = record ?? {}
    if (record === undefined || leaseTtl === undefined || leaseExpiresAt === undefined) return "goes on"
    const epoch = this.share.epochOf(record.id)
    if (epoch === undefined || !draft.isInEpoch(record.id, epoch)) return "not ours"
    const renewal = this.renewals.get(record.id)
    const renewedUntil = renewal?.leaseTtl === leaseTtl ? renewal.until : 0
    const renewed = Math.max(renewedUntil, this.servingSince + this.term(leaseTtl))
    if (renewed > before) {
      extend(draft, record, renewed)
      return "goes on"
    }
    if (leaseExpiresAt > before) return "goes on"
    const silence = inMillis(Duration.millis(draft.now - leaseExpiresAt + leaseTtl))
    const reason = `no heartbeat for ${silence}, with a lease of ${inMillis(Duration.millis(leaseTtl))}`
    const { _tag } = terminate(draft, record.id, { name: "expired", reason })
    return _tag === "Full" ? "no room" : _tag === "Applied" ? "ended" : "goes on"
  }
}

const extend = (draft: Draft, record: WorkerRecord | undefined, until: number): void => {
  if (record?.leaseExpiresAt !== undefined && record.leaseExpiresAt < until) {
    draft.put({ ...record, leaseExpiresAt: until })
  }
}
