/**
 * A limit on the calls under way that follows the scheduler's latency: it grows while calls are answered as fast as
 * usual, and shrinks when they begin to queue up on the other side. Use it where a fixed number of calls is too many
 * for a scheduler that is busy, or too few for one that is far away. A policy takes a {@link SchedulerPort} and gives
 * one; it stands behind micro-batching, so that a call is what travels.
 *
 * The limit is that of Netflix's `Gradient2Limit` (https://github.com/Netflix/concurrency-limits): the ratio of the
 * usual latency to that of now, times the limit, plus room for a small queue. Large batches take longer than small
 * ones, so the usual latency is known for each size (to a power of two). A scheduler that is away or overloaded makes
 * the limit a tenth smaller, as its `AIMDLimit` does.
 */
import { Clock, Context, Duration, Effect, Exit, Layer, Option, type Scope } from "effect"
import { observe } from "../MetricFamily.ts"
import { RegistrationConfig } from "../RegistrationConfig.ts"
import { isAboutScheduler, type SchedulerError } from "../SchedulerError.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import { intercept } from "./intercept.ts"
import { makeLine } from "./Line.ts"
import { concurrencyLimit } from "./SchedulerMetrics.ts"

export interface AdaptiveConcurrencyOptions {
  /** The fewest calls under way that are allowed, an integer ≥ 1. Default 1. */
  readonly floor?: number | undefined
  /** The most, an integer ≥ `floor`. Default 64. */
  readonly ceiling?: number | undefined
  /** Where it starts, from `floor` to `ceiling`. Default 8, but no more than the ceiling. */
  readonly initial?: number | undefined
}

export interface ConcurrencyState {
  /** The most calls that may be under way now. */
  readonly limit: number
  readonly inFlight: number
  readonly waiting: number
}

/**
 * The limit, for those who want to look at it.
 *
 * @example
 * ```ts
 * import { AdaptiveConcurrency, EmbeddedScheduler, MicroBatching, WorkerRegistration } from "@muster/core"
 * import { Layer } from "effect"
 *
 * const registration = WorkerRegistration.layer.pipe(
 *   Layer.provide(MicroBatching.layerWith({ concurrency: 32 })),
 *   Layer.provide(AdaptiveConcurrency.layerWith({ ceiling: 32 })),
 *   Layer.provide(EmbeddedScheduler.layer)
 * )
 * ```
 */
export class AdaptiveConcurrency extends Context.Service<
  AdaptiveConcurrency,
  { readonly state: () => ConcurrencyState }
>()("@muster/core/AdaptiveConcurrency") {
  /** The policy before the scheduler that is provided to it. Options that make no sense are a defect. */
  static readonly layerWith = (
    options: AdaptiveConcurrencyOptions
  ): Layer.Layer<SchedulerPort | AdaptiveConcurrency, never, SchedulerPort> =>
    Layer.effectContext(
      Effect.map(
        Effect.suspend(() => make(options)),
        ({ port, state }) =>
          Context.make(SchedulerPort, port).pipe(Context.add(AdaptiveConcurrency, { state }))
      )
    )

  /** {@link AdaptiveConcurrency.layerWith} the defaults. */
  static readonly layer = AdaptiveConcurrency.layerWith({})
}

// The figures of Gradient2Limit: tolerance, smoothing, queue size, and how fast the usual latency follows.
const tolerance = 1.5
const smoothing = 0.2
const queueSize = 4
const usualOver = 600
const warmUp = 10
/** How much smaller the limit becomes when the scheduler fails. */
const backOff = 0.9

/** The latency of calls of one size. */
class Usual {
  latency = 0
  private count = 0

  add(latency: number): void {
    this.count++
    // A mean at first, then an exponential one over the latest some hundred calls.
    const factor = this.count <= warmUp ? 1 / this.count : 2 / (usualOver + 1)
    this.latency += (latency - this.latency) * factor
    // What was usual under load must not be what is usual for long.
    if (this.latency > 2 * latency) this.latency *= 0.95
  }
}

class Limit {
  inFlight = 0
  private limit: number
  private readonly floor: number
  private readonly ceiling: number
  private readonly usual: Array<Usual> = []

  constructor({ ceiling = 64, floor = 1, initial = Math.min(8, ceiling) }: AdaptiveConcurrencyOptions) {
    const isWhole = [floor, ceiling].every((bound) => Number.isSafeInteger(bound) && bound >= 1)
    if (!isWhole || floor > ceiling || !(initial >= floor && initial <= ceiling)) {
      throw new RangeError(
        "floor and ceiling of AdaptiveConcurrency must be whole numbers, 1 or more, with initial between them"
      )
    }
    this.floor = floor
    this.ceiling = ceiling
    this.limit = initial
  }

  get now(): number {
    return Math.floor(this.limit)
  }

  mayGo(): boolean {
    if (this.inFlight >= this.now) return false
    this.inFlight++
    return true
  }

  answered(members: number, latency: number): void {
    const size = 31 - Math.clz32(members)
    const usual = (this.usual[size] ??= new Usual())
    usual.add(latency)
    // A limit that is not reached says nothing about a higher one.
    if (this.inFlight * 2 < this.limit) return
    const gradient = Math.max(0.5, Math.min(1, (tolerance * usual.latency) / latency))
    this.set(this.limit * (1 - smoothing) + (this.limit * gradient + queueSize) * smoothing)
  }

  failed(): void {
    this.set(this.limit * backOff)
  }

  private set(limit: number): void {
    this.limit = Math.max(this.floor, Math.min(this.ceiling, limit))
  }
}

const make = Effect.fnUntraced(function* (
  options: AdaptiveConcurrencyOptions
): Effect.fn.Return<
  { readonly port: SchedulerPort["Service"]; readonly state: () => ConcurrencyState },
  never,
  SchedulerPort | Scope.Scope
> {
  const port = yield* SchedulerPort
  const clock = yield* Clock.Clock
  const { attemptTimeout } = yield* RegistrationConfig
  const limit = new Limit(options)
  yield* observe(concurrencyLimit.at({}), () => limit.now)
  const line = yield* makeLine({ mayGo: () => limit.mayGo(), wait: () => undefined })
  const millis = () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

  const ended = (members: number, latency: number, exit: Exit.Exit<unknown, SchedulerError>): void => {
    const error = Exit.isFailure(exit) ? Option.getOrUndefined(Exit.findErrorOption(exit)) : undefined
    if (Exit.isSuccess(exit) || error?._tag === "SchedulerRejected") limit.answered(members, latency)
    // Whoever leaves earlier says nothing about the scheduler.
    else if (error === undefined ? latency >= Duration.toMillis(attemptTimeout) : isAboutScheduler(error))
      limit.failed()
    limit.inFlight--
    line.advance()
  }

  const limited = <A>(
    members: number,
    call: Effect.Effect<A, SchedulerError>
  ): Effect.Effect<A, SchedulerError> =>
    Effect.suspend(() => {
      let startedAt: number | undefined
      const turn = line.turn(1, () => {
        startedAt = millis()
      })
      return Effect.onExit(Effect.andThen(turn, call), (exit) =>
        Effect.sync(() => {
          if (startedAt !== undefined) ended(members, Math.max(millis() - startedAt, 0.001), exit)
        })
      )
    })

  return {
    port: intercept(port, {
      one: (call) => limited(1, call),
      many: (call, members) => (members.length === 0 ? call : limited(members.length, call))
    }),
    state: () => ({ limit: limit.now, inFlight: limit.inFlight, waiting: line.size })
  }
})
