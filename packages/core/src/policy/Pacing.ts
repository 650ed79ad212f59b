/**
 * Paces calls: so many workers a second go to the scheduler as it can take, which is found from its answers. Use it
 * before every scheduler that many workers may come back to at once: a storm then takes little longer than it must, and
 * hardly a call is made in vain. A policy takes a {@link SchedulerPort} and gives one.
 *
 * - **No limit** is there at first, and nothing waits.
 * - **Overloaded**: an answer with `retryAfter` says that the scheduler has had enough. What it took in the last second
 *   is what it can take, so the rate becomes a little less than that, once for all such answers to calls that were under
 *   way together; nothing is sent until the time that it asked for has passed. From there the rate grows, slowly near
 *   what was too much and ever faster beyond, as TCP CUBIC does (RFC 9438): so the limit is found again when it has
 *   moved, and touched rarely while it has not.
 * - **After an outage**, or when the connection was lost and is there again, the rate starts low and doubles each second for as long as the scheduler takes what it gets
 *   (the slow start of RFC 5681): one that has come back with empty caches is not run over.
 * - **Told a rate**, with `maxRate`, it exceeds that never.
 * - **Among several processes**, the rates that it is told are those of all; see {@link SchedulerShare}.
 *
 * A batch counts each of its members. Calls wait in the order in which they came.
 */
import { Clock, Context, Duration, Effect, Exit, Layer, Result, type Scope, Stream } from "effect"
import { observe } from "../MetricFamily.ts"
import { isAboutScheduler, type SchedulerError } from "../SchedulerError.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import { intercept } from "./intercept.ts"
import { makeLine } from "./Line.ts"
import { RecentCount } from "./RecentCount.ts"
import { rateLimit } from "./SchedulerMetrics.ts"
import { SchedulerShare } from "./SchedulerShare.ts"

export interface PacingOptions {
  /** The most workers a second, above 0. Default: what the scheduler takes. */
  readonly maxRate?: number | undefined
  /** Workers a second right after an outage, above 0. Default 50: a fleet of thousands is back in seconds, and a scheduler that is still starting is asked every 20 milliseconds. */
  readonly rampFrom?: number | undefined
  /** So many calls in a row that found the scheduler away make an outage, an integer ≥ 1. Default 3. */
  readonly outageAfter?: number | undefined
}

/** How many workers a second may go to the scheduler now. */
export interface PacingState {
  /** Workers a second; `undefined`: as many as come. */
  readonly limit: number | undefined
  /** Calls that wait for their turn. */
  readonly waiting: number
}

/**
 * The pace, for those who want to look at it.
 *
 * @example
 * ```ts
 * import { EmbeddedScheduler, Pacing, WorkerRegistration } from "@muster/core"
 * import { Layer } from "effect"
 *
 * const registration = WorkerRegistration.layer.pipe(
 *   Layer.provide(Pacing.layerWith({ maxRate: 500 })),
 *   Layer.provide(EmbeddedScheduler.layer)
 * )
 * ```
 */
export class Pacing extends Context.Service<Pacing, { readonly state: () => PacingState }>()(
  "@muster/core/Pacing"
) {
  /** The policy before the scheduler that is provided to it. Options that make no sense are a defect. */
  static readonly layerWith = (
    options: PacingOptions
  ): Layer.Layer<SchedulerPort | Pacing, never, SchedulerPort> =>
    Layer.effectContext(
      Effect.map(
        Effect.suspend(() => make(options)),
        ({ port, state }) => Context.make(SchedulerPort, port).pipe(Context.add(Pacing, { state }))
      )
    )

  /** {@link Pacing.layerWith} the defaults. */
  static readonly layer = Pacing.layerWith({})
}

/** Of what the scheduler took when it had enough, so much is sent from then on. */
const backOff = 0.98
/** A rate grows by this share in the first second after it was cut, and by half more in each second after. */
const firstGrowth = 0.004
const growthOfGrowth = 1.5
/** Beyond this there is nothing to pace: no scheduler is asked as often. */
const endless = 1_000_000
/** No scheduler that answers is asked less often. */
const slowest = 1
/** However long a scheduler asks to be left alone, it is asked again after this. */
const longestPause = 30_000
/** How often calls that wait are let go, in milliseconds: those of one moment can travel together. */
const beat = 10
/** A limit that nothing has run into for so long is forgotten: the scheduler may have become another. */
const remembered = 600_000
/** Refusals so soon after a cut are those of calls that were under way before it. */
const sameMoment = 250
/** How finely the last second is looked at, in milliseconds. */
const slice = 50

const positive = (name: string, value: number): number => {
  if (!(value > 0)) throw new RangeError(`${name} of Pacing must be above 0, but is ${value}`)
  return value
}

/** The rate and what becomes of it; without Effect, times in milliseconds. */
class Pace {
  private rate: number
  private readonly maxRateOfAll: number
  private readonly rampFrom: number
  private readonly share: () => number
  private readonly outageAfter: number
  /** What was taken within the last second. */
  private readonly taken = new RecentCount(1000 / slice, slice)
  private isRamping = false
  /** Calls in a row that found the scheduler away. */
  private away = 0
  /** What may be sent now; below 0 after a batch that was larger. */
  private tokens = 1
  private filledAt = 0
  private pausedUntil = 0
  private cutAt = -Infinity
  private growth = firstGrowth

  constructor({ maxRate = Infinity, outageAfter = 3, rampFrom = 50 }: PacingOptions, share: () => number) {
    this.maxRateOfAll = positive("maxRate", maxRate)
    this.share = share
    this.rampFrom = positive("rampFrom", rampFrom)
    this.outageAfter = positive("outageAfter", outageAfter)
    this.rate = this.maxRate
  }

  private get maxRate(): number {
    return this.maxRateOfAll * this.share()
  }

  get limit(): number | undefined {
    return this.rate === Infinity ? undefined : this.rate
  }

  /** Whether so many may go now, before others that wait. */
  mayGo(members: number, now: number): boolean {
    if (now < this.pausedUntil) return false
    if (this.rate === Infinity) return true
    this.fill(now)
    if (this.tokens < 1) return false
    this.tokens -= members
    return true
  }

  /** How long nobody may go. */
  wait(now: number): number {
    const forTokens = this.rate === Infinity ? 0 : ((1 - this.tokens) * 1000) / this.rate
    return Math.max(this.pausedUntil - now, forTokens, beat)
  }

  /** The scheduler took so many, be it to refuse them for good. */
  took(members: number, now: number): void {
    this.taken.add(members, now)
    if (this.away >= this.outageAfter) this.startAgain(now)
    this.away = 0
  }

  /** The scheduler was away, and is back. */
  startAgain(now: number): void {
    this.away = 0
    this.isRamping = true
    this.setRate(Math.min(this.rampFrom * this.share(), this.maxRate), now)
  }

  wasAway(): void {
    this.away++
  }

  /** The scheduler has had enough. */
  overloaded(retryAfter: number, now: number): void {
    this.away = 0
    this.pausedUntil = Math.max(this.pausedUntil, now + Math.min(retryAfter, longestPause))
    if (now - this.cutAt < sameMoment) return
    // A second's worth: the latest slice has only begun.
    const couldTake = (this.taken.count(now) * 1000) / (1000 - slice + (now % slice))
    this.isRamping = false
    this.growth = firstGrowth
    this.cutAt = now
    this.setRate(Math.max(slowest, Math.min(couldTake, this.rate) * backOff), now)
  }

  private setRate(rate: number, now: number): void {
    this.rate = rate
    this.filledAt = now
    this.tokens = Math.min(this.tokens, 1)
  }

  /** Lets time pass: there is more to send, and the rate grows. */
  private fill(now: number): void {
    const seconds = (now - this.filledAt) / 1000
    if (seconds <= 0) return
    this.filledAt = now
    // The part of it that is this process's may have changed.
    const { maxRate } = this
    const isUnhindered = !this.isRamping && this.cutAt === -Infinity
    this.rate = isUnhindered ? maxRate : Math.min(this.rate, maxRate)
    const isUsed = this.tokens < 1
    this.tokens = Math.min(this.tokens + this.rate * seconds, 1 + (this.rate * 2 * beat) / 1000)
    if (now - this.cutAt > remembered && !this.isRamping) this.grow(Infinity)
    // Time in which nothing was sent says nothing about what could have been.
    else if (isUsed) this.growFor(Math.min(seconds, 1))
  }

  private growFor(seconds: number): void {
    if (this.isRamping) return this.grow(2 ** seconds)
    this.grow(1 + Math.min(this.growth, 1) * seconds)
    this.growth *= growthOfGrowth ** seconds
  }

  private grow(factor: number): void {
    const rate = Math.min(this.rate * factor, this.maxRate)
    this.rate = rate > endless ? this.maxRate : rate
    if (this.rate === Infinity) this.isRamping = false
  }
}

const make = Effect.fnUntraced(function* (
  options: PacingOptions
): Effect.fn.Return<
  { readonly port: SchedulerPort["Service"]; readonly state: () => PacingState },
  never,
  SchedulerPort | Scope.Scope
> {
  const port = yield* SchedulerPort
  const clock = yield* Clock.Clock
  const pace = new Pace(options, yield* SchedulerShare)
  yield* observe(rateLimit.at({}), () => pace.limit ?? 0)
  const line = yield* makeLine({
    mayGo: (members, now) => pace.mayGo(members, now),
    wait: (now) => pace.wait(now)
  })
  const { reconnections } = port
  if (reconnections !== undefined) {
    const startAgain = Effect.sync(() => pace.startAgain(clock.currentTimeMillisUnsafe()))
    yield* Effect.forkScoped(Stream.runForEach(reconnections, () => startAgain))
  }

  const note = (error: SchedulerError | undefined, members: number): void => {
    const now = clock.currentTimeMillisUnsafe()
    if (error?._tag !== "SchedulerUnavailable") pace.took(members, now)
    else if (!isAboutScheduler(error)) return
    else if (error.retryAfter === undefined) pace.wasAway()
    else pace.overloaded(Duration.toMillis(error.retryAfter), now)
  }

  const paced = <A>(
    members: number,
    call: Effect.Effect<A, SchedulerError>,
    noteAnswer: (answer: A) => void
  ): Effect.Effect<A, SchedulerError> =>
    Effect.andThen(
      line.turn(members),
      Effect.onExit(call, (exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) noteAnswer(exit.value)
          else {
            const error = Exit.findErrorOption(exit)
            if (error._tag === "Some") note(error.value, members)
          }
        })
      )
    )

  const noteOne = () => note(undefined, 1)
  return {
    port: intercept(port, {
      one: (call) => paced(1, call, noteOne),
      many: (call, members) =>
        paced(members.length, call, (results) => {
          for (const result of results) note(Result.isFailure(result) ? result.failure : undefined, 1)
        })
    }),
    state: () => ({ limit: pace.limit, waiting: line.size })
  }
})
