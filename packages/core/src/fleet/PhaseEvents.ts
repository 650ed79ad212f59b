/**
 * Every phase change of the fleet as a stream that begins anywhere in the past that is still kept, and goes on with
 * what happens.
 */
import { Effect, Latch, Option, Stream } from "effect"
import type { WorkerId } from "../WorkerId.ts"
import type { FleetStore, StoredSegment, StoreUnavailable } from "./FleetStore.ts"
import type { TimelineItem } from "./Timeline.ts"

/** The place of an event among all: that of its commit, and its number there, from 0. */
export interface EventPosition {
  readonly sequence: number
  readonly index: number
}

export interface PhaseEvent extends EventPosition {
  readonly workerId: WorkerId
  readonly item: Extract<TimelineItem, { readonly type: "phase" }>
}

const atOnce = 256

export class PhaseEvents {
  private readonly store: FleetStore["Service"]
  private readonly followers = new Set<Latch.Latch>()

  constructor(store: FleetStore["Service"]) {
    this.store = store
  }

  /** Something was committed. */
  notify(): void {
    for (const latch of this.followers) latch.openUnsafe()
  }

  /** What happened after a position, and what happens from now on; it ends only with the store's failure. */
  after(position: EventPosition): Stream.Stream<PhaseEvent, StoreUnavailable> {
    return Stream.unwrap(
      Effect.map(Effect.acquireRelease(this.follow, this.unfollow), (latch) => {
        const read = (from: number) =>
          Effect.gen({ self: this }, function* () {
            while (true) {
              latch.closeUnsafe()
              const segments = yield* this.store.segments(from, atOnce)
              const last = segments.at(-1)
              if (last !== undefined) return [segments.flatMap(phasesOf), Option.some(last.sequence)] as const
              yield* latch.await
            }
          })
        return Stream.paginate(position.sequence - 1, read).pipe(
          Stream.filter(
            ({ index, sequence }) =>
              sequence > position.sequence || (sequence === position.sequence && index > position.index)
          )
        )
      })
    )
  }

  private get follow(): Effect.Effect<Latch.Latch> {
    return Effect.sync(() => {
      const latch = Latch.makeUnsafe(true)
      this.followers.add(latch)
      return latch
    })
  }

  private readonly unfollow = (latch: Latch.Latch): Effect.Effect<void> =>
    Effect.sync(() => {
      this.followers.delete(latch)
    })
}

const phasesOf = ({ items, sequence, workerId }: StoredSegment): ReadonlyArray<PhaseEvent> =>
  items.flatMap((item, index) => (item.type === "phase" ? [{ sequence, index, workerId, item }] : []))
