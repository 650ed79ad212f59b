/**
 * A fleet that a test can crash and start again: over a `TestScheduler` and a `TestFleetStore`, both of which live on.
 */
import { Context, Effect, Exit, Layer, Metric, Option, Scope } from "effect"
import { RegistrationConfig, SchedulerPort, Worker, WorkerId } from "@muster/core"
import {
  Fleet,
  type FleetOptions,
  FleetStore,
  MemoryFleetStore,
  type StoreUnavailable,
  type WantOptions,
  type WorkerRecord
} from "@muster/core/fleet"
import { TestFleetStore } from "./TestFleetStore.ts"
import { TestScheduler, type TestSchedulerOptions } from "./TestScheduler.ts"

export interface TestFleetOptions {
  readonly fleet?: Partial<FleetOptions> | undefined
  readonly registration?: Parameters<typeof RegistrationConfig.layer>[0] | undefined
  readonly scheduler?: TestSchedulerOptions | undefined
  /** What stands between the fleet and the scheduler. */
  readonly around?: ((port: SchedulerPort["Service"]) => SchedulerPort["Service"]) | undefined
  /** The same as layers, which live as long as the fleet runs. */
  readonly policies?: Layer.Layer<SchedulerPort, never, SchedulerPort> | undefined
}

export class TestFleet {
  readonly scheduler: TestScheduler["Service"]
  /** What is in the store, whoever is connected to it. */
  readonly kept: FleetStore["Service"]
  private readonly options: TestFleetOptions
  private readonly parent: Scope.Scope
  private running: Running | undefined

  private constructor(options: TestFleetOptions, kept: FleetStore["Service"], parent: Scope.Scope) {
    this.options = options
    this.kept = kept
    this.parent = parent
    this.scheduler = TestScheduler.make(options.scheduler)
  }

  /** A fleet that runs until the scope ends. */
  static readonly make = Effect.fnUntraced(function* (options: TestFleetOptions = {}) {
    const test = new TestFleet(options, yield* MemoryFleetStore.make, yield* Effect.scope)
    yield* test.start
    return test
  })

  get fleet(): Fleet["Service"] {
    return this.current.fleet
  }

  /** The connection of the fleet that runs. */
  get store(): TestFleetStore {
    return this.current.store
  }

  /** The gauge `muster_workers` of the fleet that runs, where it is not 0. */
  get gauges(): Effect.Effect<Readonly<Record<string, number>>> {
    return Metric.snapshot.pipe(
      Effect.provideService(Metric.MetricRegistry, this.current.metrics),
      Effect.map((snapshot) =>
        Object.fromEntries(
          snapshot.flatMap((metric) =>
            metric.id === "muster_workers" && metric.type === "Gauge" && metric.state.value !== 0
              ? [[metric.attributes?.["phase"] ?? "", Number(metric.state.value)] as const]
              : []
          )
        )
      )
    )
  }

  /** What a series of the fleet that runs shows: a count, a value, or how often a histogram was told of something. */
  metric(name: string, labels: Readonly<Record<string, string>> = {}): Effect.Effect<number | undefined> {
    return Metric.snapshot.pipe(
      Effect.provideService(Metric.MetricRegistry, this.current.metrics),
      Effect.map((snapshot) => {
        const series = snapshot.find(
          ({ attributes = {}, id }) =>
            id === name && Object.entries(labels).every(([label, value]) => attributes[label] === value)
        )
        if (series === undefined) return undefined
        if (series.type === "Gauge") return Number(series.state.value)
        return "count" in series.state ? Number(series.state.count) : undefined
      })
    )
  }

  /** Ends the process without a word: nothing that it still does reaches the store. */
  get crash(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { scope, store } = this.current
      store.answer = () => "fails"
      this.running = undefined
      return Scope.close(scope, Exit.void)
    })
  }

  /** Starts the process anew, with nothing in memory. */
  get start(): Effect.Effect<void, StoreUnavailable> {
    return Effect.gen({ self: this }, function* () {
      const store = new TestFleetStore(this.kept)
      const scope = yield* Scope.fork(this.parent)
      const metrics: Running["metrics"] = new Map()
      const { around = (port) => port, fleet, policies = Layer.empty, registration } = this.options
      const services = yield* Layer.buildWithScope(
        Fleet.layerWith(fleet ?? {}).pipe(
          Layer.provide(
            policies.pipe(Layer.provideMerge(Layer.succeed(SchedulerPort, around(this.scheduler.port))))
          ),
          Layer.provide(Layer.succeed(FleetStore, store.service)),
          Layer.provide(Layer.orDie(RegistrationConfig.layer({ maxRetries: 0, ...registration }))),
          Layer.provide(Layer.succeed(Metric.MetricRegistry, metrics))
        ),
        scope
      )
      this.running = { store, scope, metrics, fleet: Context.get(services, Fleet) }
    })
  }

  /** The same as a crash, but everything is brought to its end. */
  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => Scope.close(this.current.scope, Exit.void))
  }

  want(name: string, options: Partial<WantOptions> & { readonly cpuCores?: number } = {}) {
    return Effect.gen({ self: this }, function* () {
      const { cpuCores = 8, ...rest } = options
      const worker = yield* Effect.orDie(
        Worker.decode({ id: name, capabilities: { cpuCores, memoryMb: 1024 } })
      )
      return yield* this.fleet.want(worker, { saidWhenProvisioned: false, ...rest })
    })
  }

  /** What the store holds of a worker that it must know. */
  record(name: string): Effect.Effect<WorkerRecord> {
    return Effect.orDie(
      Effect.flatMap(this.kept.get([WorkerId.make(name)]), ([record]) =>
        Effect.fromOption(Option.fromUndefinedOr(record))
      )
    )
  }

  /** The ids of the workers that the scheduler holds, sorted. */
  get held(): Effect.Effect<ReadonlyArray<string>> {
    return Effect.map(this.scheduler.workers, (held) =>
      held.map(({ worker }) => String(worker.id)).toSorted()
    )
  }

  private get current(): Running {
    if (this.running === undefined) throw new Error("the fleet has crashed and was not started again")
    return this.running
  }
}

interface Running {
  readonly store: TestFleetStore
  readonly scope: Scope.Closeable
  readonly metrics: typeof Metric.MetricRegistry.Service
  readonly fleet: Fleet["Service"]
}
