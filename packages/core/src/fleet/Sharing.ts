/**
 * How several processes share one fleet. Each partition of it is looked after by one of them: that one makes the calls
 * for its workers and ends their leases. Whichever has the first also does what is done once for all: it compares the
 * fleet with the scheduler, and removes what is old. Changes are taken in by all of them.
 *
 * A process may be stopped for long and go on without having noticed that its partitions were given to another. So the
 * store keeps an epoch for each partition, which grows whenever it is given to somebody, and what the work on a
 * partition has come to is only committed in the epoch in which it was begun.
 */
import { Context, type Effect, type Stream } from "effect"
import type { WorkerId } from "../WorkerId.ts"
import { partitionOf } from "./Partition.ts"

/** What a process is told by those that it shares the fleet with. */
export type News =
  /** Other partitions are held than before. */
  | { readonly _tag: "Held" }
  /** These workers were changed; `undefined`: some were, and which is not known. */
  | { readonly _tag: "Changed"; readonly workerIds: ReadonlyArray<WorkerId> | undefined }
  /** Another process is gone, with what it had in memory. */
  | { readonly _tag: "Gone" }

export interface Sharing {
  /** The partitions that this process looks after, each with its epoch; not those that it is about to give away. */
  readonly held: () => ReadonlyMap<number, number>
  /** Whether that was confirmed so recently that nobody else can have been given them. */
  readonly isCertain: () => boolean
  /**
   * Whether most of the others find the scheduler failing: then it is, whatever this process has seen of it, and it makes
   * one call at a time. Not none: those others may have nothing to do, by which they would find out that it is back.
   */
  readonly isHeldBack: () => boolean
  /** Whether calls for the workers of a partition may be under way: it is held, or being given away, for certain. */
  readonly isOurs: (partition: number) => boolean
  /** Waits until they may not. */
  readonly ended: (partition: number) => Effect.Effect<void>
  /** Tells the others that these workers were changed. */
  readonly tell: (workerIds: ReadonlyArray<WorkerId>) => void
  readonly news: Stream.Stream<News>
  /** Before a partition is given away in good order, `done` is waited for: until its calls have ended. */
  readonly onLeaving: (done: (partition: number) => Effect.Effect<void>) => void
}

/** `undefined`: this process has the fleet for itself. */
export const FleetSharing = Context.Reference<Sharing | undefined>("@muster/core/FleetSharing", {
  defaultValue: () => undefined
})

/** The epoch of every partition of a fleet that nobody shares. */
const onlyEpoch = 0

/** What this process has of the fleet, as of when it last looked. */
export class Share {
  private readonly sharing: Sharing | undefined
  private held: ReadonlyMap<number, number>

  constructor(sharing: Sharing | undefined) {
    this.sharing = sharing
    this.held = sharing?.held() ?? new Map()
  }

  get isShared(): boolean {
    return this.sharing !== undefined
  }

  /** Looks anew; the partitions that were lost or gained since, or lost and gained again. */
  look(): ReadonlySet<number> {
    const before = this.held
    const now = this.sharing?.held() ?? before
    this.held = now
    const all = new Set([...before.keys(), ...now.keys()])
    return new Set(Array.from(all).filter((partition) => before.get(partition) !== now.get(partition)))
  }

  /** The partitions that it looks after; `undefined`: all. */
  get partitions(): ReadonlyArray<number> | undefined {
    return this.sharing === undefined ? undefined : Array.from(this.held.keys())
  }

  /** Does what is done once for the whole fleet. */
  get leads(): boolean {
    return this.sharing === undefined || this.held.has(0)
  }

  /** Whether calls may be begun at all. */
  get isCertain(): boolean {
    return this.sharing === undefined || this.sharing.isCertain()
  }

  /** Whether there should be a single call at a time. */
  get isHeldBack(): boolean {
    return this.sharing?.isHeldBack() === true
  }

  /** The epoch in which it looks after a worker; `undefined`: it does not. */
  epochOf(id: WorkerId): number | undefined {
    return this.sharing === undefined ? onlyEpoch : this.held.get(partitionOf(id))
  }

  /** Whether a call for a worker that was begun in this epoch may be sent at this moment. */
  mayCall(id: WorkerId, epoch: number): boolean {
    return (
      this.sharing === undefined ||
      (this.sharing.isCertain() && this.sharing.held().get(partitionOf(id)) === epoch)
    )
  }

  tell(workerIds: ReadonlyArray<WorkerId>): void {
    if (workerIds.length > 0) this.sharing?.tell(workerIds)
  }
}

/** Whether the store is still in the epoch in which a worker's partition was held. */
export const isInEpoch = (epochs: ReadonlyMap<number, number>, id: WorkerId, epoch: number): boolean =>
  (epochs.get(partitionOf(id)) ?? onlyEpoch) === epoch
