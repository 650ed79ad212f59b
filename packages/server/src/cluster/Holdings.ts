/**
 * The partitions that this server holds, and how sure it may be of that. It is certain for as long after the beginning
 * of a beat that the store confirmed as no other server can claim them, whose waiting began with the end of that beat.
 */
import type { News, Sharing } from "@muster/core/fleet"
import { type Clock, Duration, Effect, Latch, PubSub, Stream } from "effect"
import type { Confirmation } from "./Membership.ts"

interface Moment {
  readonly monotonic: number
  readonly wall: number
}

interface BegunBeat {
  readonly at: Moment
  readonly held: ReadonlyMap<number, number>
}

export class Holdings {
  private readonly clock: Clock.Clock
  private readonly expiration: number
  private readonly told: PubSub.PubSub<News>
  private current: ReadonlyMap<number, number> = new Map()
  private readonly losses = new Map<number, Latch.Latch>()
  private confirmed = { monotonic: -Infinity, wall: -Infinity }
  private alive: ReadonlySet<string> = new Set()
  private wasCertain = false
  private leaving: (partition: number) => Effect.Effect<void> = () => Effect.void

  constructor(clock: Clock.Clock, expiration: Duration.Duration, news: PubSub.PubSub<News>) {
    this.clock = clock
    this.expiration = Duration.toMillis(expiration)
    this.told = news
  }

  /** Whether there are other servers. */
  get hasCompany(): boolean {
    return this.alive.size > 1
  }

  /** By two clocks: one of them stands still while a virtual machine does, the other can be set. */
  get isCertain(): boolean {
    const { monotonic, wall } = this.confirmed
    const now = this.now()
    return now.monotonic - monotonic < this.expiration && Math.abs(now.wall - wall) < this.expiration
  }

  private now(): Moment {
    return {
      monotonic: Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6,
      wall: this.clock.currentTimeMillisUnsafe()
    }
  }

  /** What has to be known of the beginning of a beat. */
  begin(): BegunBeat {
    return { at: this.now(), held: this.current }
  }

  /** The store has confirmed a beat. What was claimed meanwhile, it need not know of. */
  confirm(begun: BegunBeat, { alive, held }: Confirmation): void {
    this.confirmed = begun.at
    for (const [partition, epoch] of begun.held) {
      const isLost = this.current.get(partition) === epoch && held.get(partition) !== epoch
      if (isLost) this.remove(partition)
    }
    const isMissed = Array.from(this.alive).some((id) => !alive.includes(id))
    this.alive = new Set(alive)
    if (isMissed) this.tell({ _tag: "Gone" })
    // What was not begun while it was in doubt goes on.
    if (!this.wasCertain) this.tell({ _tag: "Held" })
    this.wasCertain = true
  }

  /** A beat was not confirmed. */
  doubt(): void {
    if (this.isCertain) return
    this.wasCertain = false
  }

  add(partition: number, epoch: number): void {
    this.current = new Map([...this.current, [partition, epoch]])
    this.tell({ _tag: "Held" })
  }

  remove(partition: number): void {
    if (!this.current.has(partition)) return
    this.current = new Map(Array.from(this.current).filter(([held]) => held !== partition))
    this.losses.get(partition)?.openUnsafe()
    this.losses.delete(partition)
    this.tell({ _tag: "Held" })
  }

  /** Waits until a partition is held no more. */
  lost(partition: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.current.has(partition)) return Effect.void
      const latch = this.losses.get(partition) ?? Latch.makeUnsafe(false)
      this.losses.set(partition, latch)
      return latch.await
    })
  }

  /** What the fleet still has to do for a partition that is given away. */
  left(partition: number): Effect.Effect<void> {
    return Effect.suspend(() => this.leaving(partition))
  }

  tell(news: News): void {
    PubSub.publishUnsafe(this.told, news)
  }

  /** As the fleet sees it; `tell` tells the other servers. */
  sharing(tell: Sharing["tell"]): Sharing {
    return {
      held: () => this.current,
      isCertain: () => this.isCertain,
      tell,
      news: Stream.fromPubSub(this.told),
      onLeaving: (done) => {
        this.leaving = done
      }
    }
  }
}
