import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Context, Duration, Effect, Latch, Layer, Option, PubSub, Stream } from "effect"
import { TestClock } from "effect/testing"
import { RegistrationConfig } from "../RegistrationConfig.ts"
import { SchedulerUnavailable } from "../SchedulerError.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import { Worker } from "../Worker.ts"
import { WorkerId } from "../WorkerId.ts"
import { fenced } from "./Fence.ts"
import { Fleet } from "./Fleet.ts"
import type { FleetOptions } from "./FleetOptions.ts"
import { FleetStore } from "./FleetStore.ts"
import { MemoryFleetStore } from "./MemoryFleetStore.ts"
import { partitionOf, partitions } from "./Partition.ts"
import { FleetSharing, type News, type Sharing } from "./Sharing.ts"

const quiet: Partial<FleetOptions> = { driftInterval: Duration.infinity, checkAfter: Duration.infinity }

const settle = TestClock.adjust(Duration.zero)

const all = Array.from({ length: partitions }, (_, partition) => partition)

/** One of several processes over one store and one scheduler. */
interface Process {
  held: ReadonlyMap<number, number>
  isCertain: boolean
  isHeldBack: boolean
  /** Open once something was lost. */
  readonly lost: Latch.Latch
  hears: boolean
  readonly tell: (news: News) => void
  leaving: (partition: number) => Effect.Effect<void>
}

class Company {
  readonly scheduler = TestScheduler.make()
  readonly epochs = new Map<number, number>()
  readonly processes: Array<Process> = []
  readonly fleets: Array<Fleet["Service"]> = []
  private readonly store: FleetStore["Service"]

  private constructor(store: FleetStore["Service"]) {
    this.store = store
  }

  static readonly of = Effect.fnUntraced(function* (size: number, options = quiet) {
    const company = new Company(yield* MemoryFleetStore.make)
    for (let index = 0; index < size; index++) yield* company.add(options)
    return company
  })

  private readonly add = Effect.fnUntraced(function* (this: Company, options: Partial<FleetOptions>) {
    const news = yield* PubSub.unbounded<News>()
    const process: Process = {
      held: new Map(),
      isCertain: true,
      isHeldBack: false,
      lost: Latch.makeUnsafe(false),
      hears: true,
      tell: (told) => {
        PubSub.publishUnsafe(news, told)
      },
      leaving: () => Effect.void
    }
    const sharing: Sharing = {
      held: () => process.held,
      isCertain: () => process.isCertain,
      isHeldBack: () => process.isHeldBack,
      isOurs: (partition) => process.isCertain && process.held.has(partition),
      ended: (partition) =>
        Effect.andThen(
          process.lost.await,
          Effect.suspend(() => (sharing.isOurs(partition) ? Effect.never : Effect.void))
        ),
      tell: (workerIds) => {
        for (const other of this.processes)
          if (other !== process && other.hears) other.tell({ _tag: "Changed", workerIds })
      },
      news: Stream.fromPubSub(news),
      onLeaving: (done) => {
        process.leaving = done
      }
    }
    const services = yield* Layer.build(
      Fleet.layerWith(options).pipe(
        Layer.provide(Layer.succeed(SchedulerPort, fenced(this.scheduler.port, sharing))),
        Layer.provide(Layer.succeed(FleetStore, this.fenced)),
        Layer.provide(Layer.orDie(RegistrationConfig.layer({ maxRetries: 0 }))),
        Layer.provide(Layer.succeed(FleetSharing, sharing))
      )
    )
    this.processes.push(process)
    this.fleets.push(Context.get(services, Fleet))
    yield* settle
  })

  private get fenced(): FleetStore["Service"] {
    return {
      ...this.store,
      modify: (read, decide) => this.store.modify(read, (found) => decide({ ...found, epochs: this.epochs }))
    }
  }

  /** Gives partitions to a process; `unnoticed`: of those that had them, nobody hears of it. */
  give(to: number, given: ReadonlyArray<number>, { unnoticed = false } = {}) {
    for (const partition of given) this.epochs.set(partition, (this.epochs.get(partition) ?? 0) + 1)
    this.processes.forEach((process, index) => {
      if (index !== to && unnoticed) return
      const kept = Array.from(process.held).filter(([partition]) => !given.includes(partition))
      const gained = given.map((partition) => [partition, this.epochs.get(partition) ?? 0] as const)
      process.held = new Map(index === to ? [...kept, ...gained] : kept)
      process.tell({ _tag: "Held" })
    })
    return settle
  }

  process(index: number): Process {
    return orDie(this.processes[index])
  }

  fleet(index: number): Fleet["Service"] {
    return orDie(this.fleets[index])
  }

  readonly want = Effect.fnUntraced(function* (
    this: Company,
    by: number,
    name: string,
    { cpuCores = 1, leaseTtl }: { readonly cpuCores?: number; readonly leaseTtl?: Duration.Duration } = {}
  ) {
    const worker = yield* Effect.orDie(
      Worker.decode({ id: name, capabilities: { cpuCores, memoryMb: 1024 } })
    )
    return yield* this.fleet(by).want(worker, { saidWhenProvisioned: false, leaseTtl })
  })

  phase(name: string, by = 0) {
    return Effect.map(this.fleet(by).get(WorkerId.make(name)), (found) =>
      Option.getOrUndefined(Option.map(found, ({ phase }) => phase))
    )
  }

  /** What was asked of the scheduler for a worker. */
  callsFor(name: string) {
    return Effect.map(this.scheduler.callsOf(name), (calls) => calls.map(({ operation }) => operation))
  }

  /** What calls for a worker came to, as it is told. */
  told(name: string) {
    return Effect.map(this.fleet(1).timeline(WorkerId.make(name)), ({ items }) =>
      items.flatMap((item) => (item.type === "call" ? [item.error?.type ?? "success"] : []))
    )
  }
}

const orDie = <A>(value: A | undefined): A => {
  if (value === undefined) throw new Error("there are not so many processes")
  return value
}

/** A name in one of these partitions. */
const nameIn = (given: ReadonlyArray<number>): string => {
  for (let attempt = 0; ; attempt++) {
    const name = `worker-${attempt}`
    if (given.includes(partitionOf(WorkerId.make(name)))) return name
  }
}

const half = partitions / 2
const [lower, upper] = [all.slice(0, half), all.slice(half)]

describe("a fleet that several processes share", () => {
  it.effect("has each worker called for by the one that holds its partition, whoever took it in", () =>
    Effect.gen(function* () {
      const company = yield* Company.of(2)
      yield* company.give(0, lower)
      yield* company.give(1, upper)
      const [low, high] = [nameIn(lower), nameIn(upper)]
      for (const name of [low, high]) for (const by of [0, 1]) yield* company.want(by, name)
      yield* settle
      assert.deepStrictEqual(yield* company.callsFor(low), ["register"])
      assert.deepStrictEqual(yield* company.callsFor(high), ["register"])
      assert.strictEqual(yield* company.phase(low, 1), "registered")
      assert.strictEqual(yield* company.phase(high, 0), "registered")
    })
  )

  it.effect("does nothing for workers that nobody looks after, until somebody does", () =>
    Effect.gen(function* () {
      const company = yield* Company.of(1)
      const name = nameIn(all)
      yield* company.want(0, name)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* company.callsFor(name), [])
      yield* company.give(0, all)
      assert.deepStrictEqual(yield* company.callsFor(name), ["register"])
    })
  )

  it.effect("tells who waits for a worker what came of it elsewhere", () =>
    Effect.gen(function* () {
      const company = yield* Company.of(2)
      yield* company.give(1, all)
      const name = nameIn(all)
      const { generation, id } = yield* company.want(0, name)
      yield* settle
      const settled = yield* company.fleet(0).settled(id, generation)
      assert.strictEqual(Option.getOrUndefined(settled)?.phase, "registered")
    })
  )

  it.effect("finds what nobody told of within a second", () =>
    Effect.gen(function* () {
      const company = yield* Company.of(2)
      yield* company.give(1, all)
      company.process(1).hears = false
      const name = nameIn(all)
      yield* company.want(0, name)
      yield* TestClock.adjust("1100 millis")
      assert.deepStrictEqual(yield* company.callsFor(name), ["register"])
    })
  )

  it.effect("sends what was changed elsewhere with the next attempt of a call that is under way", () =>
    Effect.gen(function* () {
      const company = yield* Company.of(2)
      yield* company.give(1, all)
      const name = nameIn(all)
      yield* company.scheduler.onRegister(name, [
        TestScheduler.fail(new SchedulerUnavailable({ message: "connection refused" }))
      ])
      yield* company.want(0, name)
      yield* settle
      const { generation } = yield* company.want(0, name, { cpuCores: 2 })
      yield* TestClock.adjust("1 second")
      const calls = yield* company.scheduler.callsOf(name)
      assert.strictEqual(calls.at(-1)?.generation, generation)
      assert.lengthOf(calls, 2)
    })
  )
})

describe("a partition that is given to another process", () => {
  it.effect("is looked after by that one from then on", () =>
    Effect.gen(function* () {
      const company = yield* Company.of(2)
      yield* company.give(0, all)
      yield* company.give(1, upper)
      const name = nameIn(upper)
      yield* company.want(0, name)
      yield* settle
      assert.deepStrictEqual(yield* company.callsFor(name), ["register"])
      assert.strictEqual(yield* company.phase(name), "registered")
    })
  )

  it.effect("is not written to by a process that has not noticed, whatever came of its calls", () =>
    Effect.gen(function* () {
      const company = yield* Company.of(2)
      yield* company.give(0, all)
      const name = nameIn(all)
      yield* company.scheduler.onRegister(name, [
        TestScheduler.delay("10 seconds"),
        TestScheduler.delay("20 seconds")
      ])
      yield* company.want(0, name)
      yield* TestClock.adjust("1 second")
      // So long that the calls of both are under way.
      yield* company.give(1, all, { unnoticed: true })
      yield* TestClock.adjust("15 seconds")
      assert.notStrictEqual(yield* company.phase(name), "registered")
      assert.deepStrictEqual(yield* company.told(name), [])
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(yield* company.phase(name, 1), "registered")
      assert.deepStrictEqual(yield* company.told(name), ["success"])
    })
  )

  it.effect("is called for no more by a process that cannot be certain to have it", () =>
    Effect.gen(function* () {
      const company = yield* Company.of(1)
      yield* company.give(0, all)
      const name = nameIn(all)
      company.process(0).isCertain = false
      yield* company.want(0, name)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* company.callsFor(name), [])
      company.process(0).isCertain = true
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* company.callsFor(name), ["register"])
    })
  )

  it.effect("is called for one worker at a time while most of the others find the scheduler failing", () =>
    Effect.gen(function* () {
      const company = yield* Company.of(1)
      yield* company.give(0, all)
      company.process(0).isHeldBack = true
      const names = Array.from({ length: 5 }, (_, index) => `w-${index}`)
      for (const name of names) {
        yield* company.scheduler.onRegister(name, [TestScheduler.delay("10 seconds")])
        yield* company.want(0, name)
      }
      yield* TestClock.adjust("5 seconds")
      assert.lengthOf(yield* company.scheduler.calls, 1)
      yield* TestClock.adjust("10 seconds")
      assert.lengthOf(yield* company.scheduler.calls, 2)
      company.process(0).isHeldBack = false
      yield* TestClock.adjust("1 second")
      assert.lengthOf(yield* company.scheduler.calls, 5)
    })
  )

  it.effect(
    "has the calls given up that are under way when it is lost, and they are made again by the other",
    () =>
      Effect.gen(function* () {
        const company = yield* Company.of(2)
        yield* company.give(0, all)
        const name = nameIn(all)
        yield* company.scheduler.onRegister(name, [TestScheduler.delay("20 seconds")])
        yield* company.want(0, name)
        yield* TestClock.adjust("1 second")
        yield* company.give(1, all)
        company.process(0).lost.openUnsafe()
        yield* settle
        const calls = yield* company.scheduler.callsOf(name)
        assert.deepStrictEqual(
          calls.map(({ outcome }) => outcome),
          ["interrupted", "succeeded"]
        )
        assert.strictEqual(yield* company.phase(name), "registered")
      })
  )

  it.effect("is left once its calls have ended and are written down", () =>
    Effect.gen(function* () {
      const company = yield* Company.of(2)
      yield* company.give(0, all)
      const name = nameIn(all)
      yield* company.scheduler.onRegister(name, [TestScheduler.delay("5 seconds")])
      yield* company.want(0, name)
      yield* settle
      const process = company.process(0)
      const partition = partitionOf(WorkerId.make(name))
      let hasLeft = false
      yield* Effect.forkChild(
        Effect.andThen(
          Effect.suspend(() => process.leaving(partition)),
          Effect.sync(() => {
            hasLeft = true
          })
        )
      )
      yield* TestClock.adjust("4 seconds")
      assert.isFalse(hasLeft)
      yield* TestClock.adjust("1 second")
      assert.isTrue(hasLeft)
      assert.strictEqual(yield* company.phase(name), "registered")
    })
  )
})

describe("leases of a fleet that is shared", () => {
  it.effect(
    "are kept by heartbeats that reach any process, and ended by the one that looks after the worker",
    () =>
      Effect.gen(function* () {
        const company = yield* Company.of(2)
        yield* company.give(0, all)
        const name = nameIn(all)
        const { id } = yield* company.want(0, name, { leaseTtl: Duration.seconds(20) })
        for (let beat = 0; beat < 10; beat++) {
          yield* TestClock.adjust("10 seconds")
          yield* company.fleet(1).heartbeat(id)
        }
        assert.strictEqual(yield* company.phase(name), "registered")
        yield* TestClock.adjust("60 seconds")
        assert.strictEqual(yield* company.phase(name), "terminated")
      })
  )

  it.effect("end no sooner than a full term after a process has gone with what it had heard", () =>
    Effect.gen(function* () {
      const company = yield* Company.of(2)
      yield* company.give(0, all)
      const name = nameIn(all)
      yield* company.want(0, name, { leaseTtl: Duration.seconds(20) })
      yield* TestClock.adjust("29 seconds")
      company.process(0).tell({ _tag: "Gone" })
      yield* TestClock.adjust("19 seconds")
      assert.strictEqual(yield* company.phase(name), "registered")
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(yield* company.phase(name), "terminated")
    })
  )
})

describe("the comparison with the scheduler", () => {
  it.effect("is made by the process with the first partition alone, and told by all", () =>
    Effect.gen(function* () {
      const company = yield* Company.of(2, {
        checkAfter: Duration.infinity,
        driftInterval: Duration.minutes(1)
      })
      yield* company.give(1, all)
      yield* TestClock.adjust("5 minutes")
      const lists = (yield* company.scheduler.calls).filter(({ operation }) => operation === "list")
      assert.isAtLeast(lists.length, 3)
      assert.isAtMost(lists.length, 8)
      const [told, own] = [yield* company.fleet(0).drift, yield* company.fleet(1).drift]
      assert.deepStrictEqual(
        Option.map(told, ({ startedAt }) => startedAt),
        Option.map(own, ({ startedAt }) => startedAt)
      )
      assert.isTrue(Option.isSome(told))
    })
  )
})
