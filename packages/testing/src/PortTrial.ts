/**
 * The ground on which one test of the port contract stands, whatever else the scheduler is doing at the same time.
 */
import { assert } from "@effect/vitest"
import { Clock, DateTime, Effect, Option, Random, Schema, type Scope, Stream } from "effect"
import {
  type BatchMember,
  isWhole,
  type ListedWorker,
  type SchedulerCapability,
  type SchedulerError,
  SchedulerPort,
  Worker,
  WorkerCapabilities,
  WorkerId,
  WorkerMetadata
} from "@muster/core"

/** What the scheduler gives back. */
export interface PortStorage {
  readonly keeps: ((worker: Worker) => unknown) | "ids"
  readonly keepsGenerations: boolean
}

/** The port, where a part that it does not have dies instead of being `undefined`. */
type CompletePort = Required<SchedulerPort["Service"]>

const complete = (port: SchedulerPort["Service"]): CompletePort => {
  const dies = (part: SchedulerCapability) => Effect.die(new Error(`the port has no ${part}`))
  return {
    registerBatch: () => dies("registerBatch"),
    list: Stream.fromEffect(dies("list")),
    get: () => dies("get"),
    health: dies("health"),
    reconnections: Stream.never,
    ...port
  }
}

/** What one test works with: the port, and workers that no other test has. They are unregistered when it ends. */
export class PortTrial {
  readonly port: CompletePort
  readonly ids: TrialIds
  private readonly prefix: string
  private readonly storage: PortStorage
  private count = 0

  static make(ids: TrialIds, storage: PortStorage): Effect.Effect<PortTrial, never, SchedulerPort> {
    return Effect.map(SchedulerPort, (port) => new PortTrial(complete(port), ids, storage))
  }

  private constructor(port: CompletePort, ids: TrialIds, storage: PortStorage) {
    this.port = port
    this.ids = ids
    this.prefix = ids.trialPrefix()
    this.storage = storage
  }

  worker(): Effect.Effect<Worker, never, Scope.Scope> {
    const worker = this.newWorker(`${this.prefix}-${++this.count}`)
    return Effect.as(this.cleanUp([worker]), worker)
  }

  workers(count: number): Effect.Effect<ReadonlyArray<Worker>, never, Scope.Scope> {
    const workers = Array.from({ length: count }, () => this.newWorker(`${this.prefix}-${++this.count}`))
    return Effect.as(this.cleanUp(workers), workers)
  }

  /** Workers with ids at the edges of what is allowed, and as alike as can be. */
  lookalikes(): Effect.Effect<ReadonlyArray<Worker>, never, Scope.Scope> {
    const endings = ["-a", "-A", ".a", ":a", "_a", "--a", "-a.a", "a", "-__proto__-0", ".constructor"]
    const longest = [252, 253].map((length) => "-".padEnd(length - this.prefix.length, "x"))
    const workers = [...endings, ...longest].map((ending) => this.newWorker(this.prefix + ending))
    return Effect.as(this.cleanUp(workers), workers)
  }

  private newWorker(id: string): Worker {
    return Worker.make({
      id: WorkerId.make(id),
      capabilities: WorkerCapabilities.make({ cpuCores: 1, memoryMb: 1024 }),
      metadata: WorkerMetadata.make({ provisionedAt })
    })
  }

  /** Unregisters them when the test ends, whatever they are then. */
  private cleanUp(workers: ReadonlyArray<Worker>): Effect.Effect<void, never, Scope.Scope> {
    return Effect.addFinalizer(() => inParallel(workers, ({ id }) => Effect.ignore(this.unregister(id))))
  }

  /** Registers a worker at a new generation, which it gives. */
  readonly register = (worker: Worker): Effect.Effect<number, SchedulerError> =>
    Effect.suspend(() => {
      const generation = this.ids.generation()
      return Effect.as(this.port.register(worker, { generation }), generation)
    })

  /** Unregisters a worker at a new generation, which it gives. */
  readonly unregister = (workerId: WorkerId): Effect.Effect<number, SchedulerError> =>
    Effect.suspend(() => {
      const generation = this.ids.generation()
      return Effect.as(this.port.unregister(workerId, { generation }), generation)
    })

  /** A batch of these workers, each at a new generation. */
  members(workers: ReadonlyArray<Worker>): ReadonlyArray<BatchMember> {
    return workers.map((worker) => ({ worker, generation: this.ids.generation() }))
  }

  /** What the scheduler holds of this test's workers. */
  get listed(): Stream.Stream<ListedWorker, SchedulerError> {
    return Stream.filter(this.port.list, ({ worker }) => worker.id.startsWith(this.prefix))
  }

  expectHeld(worker: Worker, generation?: number): Effect.Effect<void, SchedulerError> {
    return Effect.map(this.held(worker.id), (held) => this.assertSame(held, worker, generation))
  }

  expectAbsent(workerId: WorkerId): Effect.Effect<void, SchedulerError> {
    return Effect.map(this.held(workerId), (held) => assert.isUndefined(held, `${workerId} is held`))
  }

  assertSame(held: ListedWorker | undefined, worker: Worker, generation?: number): void {
    assert.isDefined(held, `${worker.id} is not held`)
    const { keeps } = this.storage
    if (keeps === "ids") {
      assert.deepStrictEqual(held.worker, { id: worker.id })
    } else {
      assert(isWhole(held), `of ${worker.id} only the id is held`)
      assert.deepStrictEqual(keeps(held.worker), keeps(worker))
    }
    if (this.storage.keepsGenerations && generation !== undefined) {
      assert.strictEqual(held.generation, generation)
    }
  }

  private held(workerId: WorkerId): Effect.Effect<ListedWorker | undefined, SchedulerError> {
    return this.port.capabilities.has("get")
      ? Effect.map(this.port.get(workerId), Option.getOrUndefined)
      : this.listed.pipe(
          Stream.filter(({ worker }) => worker.id === workerId),
          Stream.runHead,
          Effect.map(Option.getOrUndefined)
        )
  }
}

/** Ids that no other trial has, and generations that only grow, from run to run as well. */
export class TrialIds {
  private readonly prefix: string
  private trials = 0
  private lastGeneration = Effect.runSync(Clock.currentTimeMillis) * 4096

  constructor(prefix = randomPrefix()) {
    this.prefix = prefix
  }

  /** Not the beginning of any other trial's. */
  trialPrefix(): string {
    return `${this.prefix}-${++this.trials}t`
  }

  generation(): number {
    return ++this.lastGeneration
  }
}

export const inParallel = <A, B, E, R>(values: ReadonlyArray<A>, f: (value: A) => Effect.Effect<B, E, R>) =>
  Effect.forEach(values, f, { concurrency: 10, discard: true })

const randomPrefix = () => `contract-${Effect.runSync(Random.nextIntBetween(0, 2 ** 48)).toString(36)}`

const provisionedAt = DateTime.makeUnsafe("2026-01-31T12:00:00.123Z")

export const withMoreCores = (worker: Worker): Worker =>
  Worker.make({
    ...worker,
    capabilities: WorkerCapabilities.make({
      ...worker.capabilities,
      cpuCores: worker.capabilities.cpuCores + 1
    })
  })

/** A worker that uses every field, with text from beyond ASCII. */
export const withEverything = ({ id }: Worker): Worker =>
  Worker.make({
    id,
    capabilities: WorkerCapabilities.make({
      cpuCores: 31.85,
      memoryMb: 2 ** 33,
      dockerEnabled: true,
      customResources: { gpu: 8, "example.com/fpga": 0, bandwidth: 2.5 }
    }),
    metadata: WorkerMetadata.make({
      workerType: "static",
      namespace: "équipe-ß/構築",
      labels: { zone: "eu-1", "example.com/owner": 'Zoë 👩‍🔧 = "quoted", comma; newline\n', empty: "" },
      tags: ["größe:l", "spot", "漢字"],
      provisionedAt
    })
  })

const encode = Schema.encodeSync(Worker)

/** A worker as JSON, with the set of tags in one order. */
export const toJson = (worker: Worker) => {
  const json = encode(worker)
  return { ...json, metadata: { ...json.metadata, tags: json.metadata?.tags?.toSorted() } }
}
