/**
 * The partitions that this server holds, and how sure it may be of that. It is certain for almost as long after the
 * beginning of a beat that the store confirmed as no other server can claim them: their waiting began with that beat's
 * end. What is left of that time is for calls under way to be given up.
 */
import { type News, partitions, type Sharing } from "@muster/core/fleet"
import { type Clock, Duration, Effect, Latch, PubSub, Stream } from "effect"
import type { Confirmation } from "./Membership.ts"

/** Of the time after which others can claim what nothing was heard of. */
const certainShare = 0.9
const doubtInterval = Duration.millis(100)
/** What was given up ends at once, or never will. */
const giveUpTime = Duration.seconds(1)

interface Moment {
  readonly monotonic: number
  readonly wall: number
}

interface BegunBeat {
  readonly at: Moment
  readonly held: ReadonlyMap<number, number>
  /** This server finds the scheduler failing. */
  readonly isFailing: boolean
}

export class Holdings {
  private readonly clock: Clock.Clock
  /** How long after a beat this server is certain, in milliseconds. */
  private readonly certainty: number
  private readonly told: PubSub.PubSub<News>
  private current: ReadonlyMap<number, number> = new Map()
  /** Nothing new is begun for these, but what is under way may end. */
  private readonly leaving = new Set<number>()
  private changed = Latch.makeUnsafe(false)
  private readonly losses = new Map<number, Latch.Latch>()
  private confirmed = { monotonic: -Infinity, wall: -Infinity }
  private alive: ReadonlySet<string> = new Set()
  private wasCertain = false
  /** Most of the others find the scheduler failing. */
  private isHeldBack = false
  private leave: (partition: number) => Effect.Effect<void> = () => Effect.void

  constructor(clock: Clock.Clock, expiration: Duration.Duration, news: PubSub.PubSub<News>) {
    this.clock = clock
    this.certainty = Duration.toMillis(expiration) * certainShare
    this.told = news
  }

  /** Of the limits that hold for all servers: as much as it has of the partitions, over which the work is spread. */
  readonly share = (): number => Math.max(1, this.current.size + this.leaving.size) / partitions

  /** How many servers there are, with this one. */
  get servers(): number {
    return this.alive.size
  }

  /** How many partitions are held for certain. */
  get size(): number {
    return this.isCertain ? this.current.size : 0
  }

  /** By two clocks: one of them stands still while a virtual machine does, the other can be set. */
  get isCertain(): boolean {
    return this.certainFor > 0
  }

  private get certainFor(): number {
    const { monotonic, wall } = this.confirmed
    const now = this.now()
    return this.certainty - Math.max(now.monotonic - monotonic, Math.abs(now.wall - wall))
  }

  private isOurs(partition: number): boolean {
    return this.isCertain && (this.current.has(partition) || this.leaving.has(partition))
  }

  private ended(partition: number): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.isOurs(partition) ? Effect.andThen(this.changed.await, this.ended(partition)) : Effect.void
    )
  }

  /** Notices, for ever, when this server cannot be certain any more. */
  get watch(): Effect.Effect<never> {
    const look = Effect.suspend(() => {
      const left = this.certainFor
      if (left > 0) return Effect.sleep(left)
      if (this.wasCertain) this.touch()
      this.wasCertain = false
      return Effect.sleep(doubtInterval)
    })
    return Effect.forever(look)
  }

  private now(): Moment {
    return {
      monotonic: Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6,
      wall: this.clock.currentTimeMillisUnsafe()
    }
  }

  /** What has to be known of the beginning of a beat. */
  begin(isFailing: boolean): BegunBeat {
    return { at: this.now(), held: this.current, isFailing }
  }

  /** The store has confirmed a beat. What was claimed meanwhile, it need not know of. */
  confirm(begun: BegunBeat, { alive, failing, held }: Confirmation): void {
    this.confirmed = begun.at
    const wasHeldBack = this.isHeldBack
    // Who finds it failing goes on asking now and then; or nobody would find out that it is back.
    this.isHeldBack = !begun.isFailing && failing * 2 > alive.length
    if (wasHeldBack && !this.isHeldBack) this.tell({ _tag: "Held" })
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

  add(partition: number, epoch: number): void {
    this.current = new Map([...this.current, [partition, epoch]])
    this.tell({ _tag: "Held" })
  }

  /** It is somebody else's, or may be. */
  remove(partition: number): void {
    this.leaving.delete(partition)
    if (this.current.has(partition)) {
      this.current = new Map(Array.from(this.current).filter(([held]) => held !== partition))
      this.losses.get(partition)?.openUnsafe()
      this.losses.delete(partition)
      this.tell({ _tag: "Held" })
    }
    this.touch()
  }

  /** Nothing new is begun for it. Waits until what is under way has ended; what has not within `grace` is given up. */
  giveAway(partition: number, grace: Duration.Duration): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (this.current.has(partition)) this.leaving.add(partition)
      const isLeaving = this.leaving.has(partition)
      this.current = new Map(Array.from(this.current).filter(([held]) => held !== partition))
      this.tell({ _tag: "Held" })
      if (isLeaving) yield* Effect.timeoutOption(this.leave(partition), grace)
      this.remove(partition)
      yield* Effect.timeoutOption(this.leave(partition), giveUpTime)
    })
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

  private touch(): void {
    const { changed } = this
    this.changed = Latch.makeUnsafe(false)
    changed.openUnsafe()
  }

  tell(news: News): void {
    PubSub.publishUnsafe(this.told, news)
  }

  /** As the fleet sees it; `tell` tells the other servers. */
  sharing(tell: Sharing["tell"]): Sharing {
    return {
      held: () => this.current,
      isCertain: () => this.isCertain,
      isHeldBack: () => this.isHeldBack,
      isOurs: (partition) => this.isOurs(partition),
      ended: (partition) => this.ended(partition),
      tell,
      news: Stream.fromPubSub(this.told),
      onLeaving: (done) => {
        this.leave = done
      }
    }
  }
}
