/**
 * A real, small scheduler in memory: the registry half of a job scheduler, without jobs. It is the default of the
 * service, the state behind the test kit, and the reference that says what a scheduler which compares generations
 * does. Every call costs constant time and answers in one step; nothing is written anywhere.
 */
import { type Clock, Context, Duration, Effect, Layer, Option, Result, Stream } from "effect"
import { type SchedulerError, SchedulerRejected, SchedulerUnavailable } from "./SchedulerError.ts"
import {
  type HeldWorker,
  type SchedulerHealth,
  type SchedulerImplementation,
  SchedulerPort
} from "./SchedulerPort.ts"
import type { Worker, WorkerId } from "./Worker.ts"

export interface EmbeddedSchedulerOptions {
  /**
   * How many of the latest unregistrations are remembered for certain; an integer ≥ 0, default 100,000. Memory holds
   * at most twice as many (some 20 MB). While one is remembered, a late `register` of an older generation is
   * refused; of one that is forgotten it is accepted, like that of a new worker.
   */
  readonly tombstones?: number | undefined
  /** Whether calls of an older generation are refused. Default `true`; `false` makes a scheduler that takes all. */
  readonly comparesGenerations?: boolean | undefined
}

export interface RestartOptions {
  /** `"lost"`: it comes back empty, its memory of unregistrations included. */
  readonly memory: "kept" | "lost"
  /** For how long from now every call fails with `SchedulerUnavailable`; may be infinite. Default: not at all. */
  readonly downtime?: Duration.Input | undefined
}

/**
 * The embedded scheduler. Its layer provides the {@link SchedulerPort}, and the scheduler itself to those who want
 * to look inside or restart it.
 *
 * - `register` replaces what is held. It is refused (`SchedulerRejected.olderGeneration`) when its generation is
 *   older than the held one, or than that of the worker's last unregistration; an equal one succeeds.
 * - `unregister` is refused when its generation is older than the held one. An absent worker succeeds.
 * - `list` gives workers in the order in which they were first registered. A worker that is held from the listing's
 *   beginning to its end appears exactly once, in its state at the moment it is read; one that comes later does
 *   not appear. A listing that a restart cuts off fails with `SchedulerUnavailable`.
 *
 * @example
 * ```ts
 * import { Layer } from "effect"
 * import { EmbeddedScheduler, WorkerRegistration } from "@muster/core"
 *
 * const registration = WorkerRegistration.layer.pipe(Layer.provideMerge(EmbeddedScheduler.layer))
 * ```
 */
export class EmbeddedScheduler extends Context.Service<
  EmbeddedScheduler,
  {
    /** The port, with all of its optional parts. */
    readonly port: Required<SchedulerPort["Service"]> & {
      readonly list: Stream.Stream<HeldWorker, SchedulerError>
    }
    /** How many workers are held. Answers during a downtime too. */
    readonly size: Effect.Effect<number>
    /** Everything that is held, in the order of `list`. Answers during a downtime too. */
    readonly workers: Effect.Effect<ReadonlyArray<HeldWorker>>
    /** Stops and starts again. Replaces the downtime of an earlier restart. */
    readonly restart: (options: RestartOptions) => Effect.Effect<void>
  }
>()("@muster/core/EmbeddedScheduler") {
  /** A scheduler of its own, outside any layer. */
  static make(options: EmbeddedSchedulerOptions = {}): EmbeddedScheduler["Service"] {
    return make(options)
  }

  static readonly layerWith = (
    options: EmbeddedSchedulerOptions
  ): Layer.Layer<EmbeddedScheduler | SchedulerPort> =>
    Layer.syncContext(() => {
      const scheduler = make(options)
      return Context.make(EmbeddedScheduler, scheduler).pipe(Context.add(SchedulerPort, scheduler.port))
    })

  static readonly layer = EmbeddedScheduler.layerWith({})
}

interface Entry {
  /** Counts up with every first registration; `list` stops where the workers begin that came after it. */
  readonly ordinal: number
  worker: Worker
  generation: number
}

const toHeld = ({ generation, worker }: Entry): HeldWorker => ({ worker, generation })

/** What is held and what was, without Effect. A method that returns an error has changed nothing. */
class Registry {
  readonly held = new Map<WorkerId, Entry>()
  ordinal = 0
  // The generations of unregistrations, in two halves: when the recent one is full, the older one is dropped whole.
  // (A queue of the keys in one Map would walk over the holes that its own deletions leave at the front.)
  private recentTombstones = new Map<WorkerId, number>()
  private olderTombstones = new Map<WorkerId, number>()
  private readonly tombstoneLimit: number
  private readonly comparesGenerations: boolean

  constructor({ comparesGenerations = true, tombstones = 100_000 }: EmbeddedSchedulerOptions) {
    this.comparesGenerations = comparesGenerations
    this.tombstoneLimit = comparesGenerations ? tombstones : 0
  }

  register(worker: Worker, generation: number): SchedulerRejected | undefined {
    const entry = this.held.get(worker.id)
    if (entry !== undefined) {
      if (this.isOlder(generation, entry.generation)) return refusal(generation, entry.generation)
      entry.worker = worker
      entry.generation = generation
      return undefined
    }
    const unregistered = this.tombstone(worker.id)
    if (unregistered !== undefined && generation < unregistered) return refusal(generation, unregistered)
    this.held.set(worker.id, { ordinal: this.ordinal++, worker, generation })
    return undefined
  }

  unregister(workerId: WorkerId, generation: number): SchedulerRejected | undefined {
    const entry = this.held.get(workerId)
    if (entry !== undefined) {
      if (this.isOlder(generation, entry.generation)) return refusal(generation, entry.generation)
      this.held.delete(workerId)
    }
    this.bury(workerId, generation)
    return undefined
  }

  private isOlder(generation: number, than: number): boolean {
    return this.comparesGenerations && generation < than
  }

  private tombstone(workerId: WorkerId): number | undefined {
    return this.recentTombstones.get(workerId) ?? this.olderTombstones.get(workerId)
  }

  private bury(workerId: WorkerId, generation: number): void {
    if (this.tombstoneLimit === 0) return
    this.recentTombstones.set(workerId, Math.max(generation, this.tombstone(workerId) ?? generation))
    if (this.recentTombstones.size < this.tombstoneLimit) return
    this.olderTombstones = this.recentTombstones
    this.recentTombstones = new Map()
  }
}

const refusal = (given: number, held: number) => SchedulerRejected.olderGeneration({ given, held })

const accepted: Result.Result<void, SchedulerError> = Result.void
const healthy: SchedulerHealth = { status: "healthy" }
const listChunk = 256

const make = (options: EmbeddedSchedulerOptions): EmbeddedScheduler["Service"] => {
  let registry = new Registry(options)
  let starts = 0
  // By the monotonic clock, in milliseconds; `undefined` keeps the clock out of every call while nothing is down.
  let downUntil: number | undefined

  const whenUp = <A>(answer: () => Effect.Effect<A, SchedulerError>): Effect.Effect<A, SchedulerError> =>
    Effect.suspend(() => (downUntil === undefined ? answer() : Effect.andThen(up, Effect.suspend(answer))))

  const up = Effect.clockWith((clock) => {
    const left = (downUntil ?? 0) - monotonicMillis(clock)
    if (left > 0) return Effect.fail(restarting(left))
    downUntil = undefined
    return Effect.void
  })

  const list = Stream.suspend(() => {
    const startsBefore = starts
    const { held, ordinal: end } = registry
    const entries = held.values()
    return Stream.paginate(undefined, () =>
      whenUp(() => {
        if (starts !== startsBefore) return Effect.fail(restarting(0))
        const chunk: Array<HeldWorker> = []
        while (chunk.length < listChunk) {
          const { done, value } = entries.next()
          if (done === true || value.ordinal >= end) return Effect.succeed([chunk, Option.none()] as const)
          chunk.push(toHeld(value))
        }
        return Effect.succeed([chunk, Option.some(undefined)] as const)
      })
    )
  })

  const implementation = {
    register: (worker, { generation }) =>
      whenUp(() => {
        const refused = registry.register(worker, generation)
        return refused === undefined ? Effect.void : Effect.fail(refused)
      }),
    unregister: (workerId, { generation }) =>
      whenUp(() => {
        const refused = registry.unregister(workerId, generation)
        return refused === undefined ? Effect.void : Effect.fail(refused)
      }),
    registerBatch: (members) =>
      whenUp(() =>
        Effect.succeed(
          members.map(({ generation, worker }) => {
            const refused = registry.register(worker, generation)
            return refused === undefined ? accepted : Result.fail(refused)
          })
        )
      ),
    list,
    get: (workerId) =>
      whenUp(() => Effect.succeed(Option.map(Option.fromUndefinedOr(registry.held.get(workerId)), toHeld))),
    health: whenUp(() => Effect.succeed(healthy)),
    // There is no connection that could be lost.
    reconnections: Stream.never
  } satisfies SchedulerImplementation

  return {
    port: { ...implementation, capabilities: SchedulerPort.make(implementation).capabilities },
    size: Effect.sync(() => registry.held.size),
    workers: Effect.sync(() => Array.from(registry.held.values(), toHeld)),
    restart: ({ downtime = Duration.zero, memory }) =>
      Effect.clockWith((clock) => {
        starts++
        if (memory === "lost") registry = new Registry(options)
        downUntil = monotonicMillis(clock) + Duration.toMillis(downtime)
        return Effect.void
      })
  }
}

const monotonicMillis = (clock: Clock.Clock) => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

const restarting = (millisLeft: number) =>
  new SchedulerUnavailable({
    message: "the embedded scheduler is restarting",
    retryAfter: Number.isFinite(millisLeft) ? Duration.millis(Math.ceil(millisLeft)) : undefined
  })
