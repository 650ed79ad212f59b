import { assert, describe, it } from "@effect/vitest"
import { TestFleet, TestScheduler } from "@muster/testing"
import { Duration, Effect, Option, Queue, References, Stream } from "effect"
import { TestClock } from "effect/testing"
import { SchedulerRejected, SchedulerUnavailable } from "../SchedulerError.ts"
import { type SchedulerCapability, SchedulerPort } from "../SchedulerPort.ts"
import { Worker, WorkerId } from "../Worker.ts"
import type { FleetOptions } from "./FleetOptions.ts"

const unavailable = TestScheduler.fail(new SchedulerUnavailable({ message: "connection refused" }))

const id = (name: string) => WorkerId.make(name)

const make = (
  fleet: Partial<FleetOptions> = {},
  around?: (port: SchedulerPort["Service"]) => SchedulerPort["Service"]
) =>
  TestFleet.make({
    fleet: { checkAfter: Duration.infinity, driftInterval: Duration.minutes(5), ...fleet },
    around
  }).pipe(Effect.tap(() => settle))

/** Lets everything run that does not wait for time to pass; a comparison takes many turns. */
const settle = Effect.repeat(TestClock.adjust(Duration.zero), { times: 20 })

/** Longer than the longest wait between two comparisons. */
const aComparison = TestClock.adjust("7 minutes")

const report = (test: TestFleet) => Effect.map(test.fleet.drift, Option.getOrThrow)

const changesOf = (test: TestFleet, name: string) =>
  Effect.map(test.fleet.timeline(id(name)), ({ items }) =>
    items.flatMap((item) =>
      item.type === "change"
        ? [item.reason === undefined ? item.change : `${item.change}: ${item.reason}`]
        : []
    )
  )

const lists = (test: TestFleet) =>
  Effect.map(test.scheduler.calls, (calls) =>
    calls.filter(({ operation }) => operation === "list").map(({ startedAt }) => startedAt)
  )

const registrations = (test: TestFleet) =>
  Effect.map(test.scheduler.calls, (calls) => calls.filter(({ operation }) => operation === "register"))

const decode = (name: string) =>
  Effect.orDie(Worker.decode({ id: name, capabilities: { cpuCores: 1, memoryMb: 1 } }))

describe("a connection that was lost and is there again", () => {
  it.effect("has the scheduler compared at once: it may have come back empty", () =>
    Effect.gen(function* () {
      const lost = yield* Queue.unbounded<void>()
      const test = yield* make({ driftInterval: Duration.days(1) }, (port) => ({
        ...port,
        reconnections: Stream.fromQueue(lost)
      }))
      yield* test.want("a")
      yield* settle
      yield* TestClock.adjust("1 minute")
      yield* test.scheduler.forget
      yield* Queue.offer(lost, undefined)
      yield* settle
      assert.deepStrictEqual(yield* test.held, ["a"])
    })
  )
})

describe("a check after registering", () => {
  it.effect.each([
    ["is made where the scheduler can be asked", ["get"], true],
    ["is not made where it cannot: registering again would be none", ["list"], false]
  ] as const)("%s", ([, capabilities, isDue]) =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({
        scheduler: { capabilities },
        fleet: { checkAfter: Duration.minutes(1) }
      })
      yield* test.want("a")
      yield* settle
      assert.strictEqual((yield* test.record("a")).dueAt !== undefined, isDue)
      yield* TestClock.adjust("10 minutes")
      assert.lengthOf(yield* registrations(test), 1)
    })
  )
})

describe("a comparison with the scheduler", () => {
  it.effect("finds nothing where there is nothing to find, and changes nothing", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* test.want("gone")
      yield* settle
      yield* test.fleet.terminate(id("gone"))
      yield* settle
      const before = test.store.count("modify")
      yield* aComparison
      assert.deepInclude(yield* report(test), { held: 1, lost: 0, ghosts: 0, unknown: 0, error: undefined })
      assert.strictEqual(test.store.count("modify"), before)
    })
  )

  it.effect("is not made with a scheduler that has turned out to have no list, until it may have one", () =>
    Effect.gen(function* () {
      const capabilities = new Set<SchedulerCapability>(["list"])
      let isReplaced = false
      const missing = new SchedulerRejected({ message: "no such method", code: "unimplemented" })
      const test = yield* make({}, (port) => ({
        ...port,
        list: Stream.unwrap(
          Effect.sync(() => {
            if (isReplaced) return Stream.empty
            capabilities.delete("list")
            return Stream.fail(missing)
          })
        ),
        capabilities
      }))
      yield* aComparison
      assert.deepInclude(yield* report(test), { error: "no such method" })
      const { endedAt } = yield* report(test)
      yield* aComparison
      assert.strictEqual((yield* report(test)).endedAt, endedAt)
      isReplaced = true
      capabilities.add("list")
      yield* aComparison
      assert.isUndefined((yield* report(test)).error)
    })
  )

  it.effect("registers again what the scheduler has lost, under its generation", () =>
    Effect.gen(function* () {
      const test = yield* make()
      const { generation } = yield* test.want("a")
      yield* test.want("b")
      yield* settle
      yield* test.fleet.ready(id("a"), {})
      yield* settle
      yield* test.scheduler.drop("a")
      yield* aComparison
      assert.deepInclude(yield* report(test), { held: 1, lost: 1, ghosts: 0 })
      assert.deepStrictEqual(yield* test.held, ["a", "b"])
      assert.deepInclude(yield* test.record("a"), { phase: "ready", generation, attempts: 1 })
      assert.deepStrictEqual(yield* changesOf(test, "a"), [
        "provisioned",
        "ready",
        "lost: the scheduler had lost it"
      ])
    })
  )

  it.effect("unregisters again what is gone and the scheduler still has", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* settle
      const { generation } = yield* test.fleet.terminate(id("a"))
      yield* settle
      yield* test.scheduler.forget
      yield* test.scheduler.hold(yield* decode("a"), generation - 1)
      yield* aComparison
      assert.deepInclude(yield* report(test), { held: 1, ghosts: 1, lost: 0, unknown: 0 })
      assert.deepStrictEqual(yield* test.held, [])
      assert.deepInclude(yield* test.record("a"), { phase: "terminated", generation })
      assert.include(yield* changesOf(test, "a"), "ghost: the scheduler still had it")
    })
  )

  it.effect("registers again what the scheduler has in an older state", () =>
    Effect.gen(function* () {
      const test = yield* make()
      const { generation } = yield* test.want("a")
      yield* settle
      yield* test.scheduler.forget
      yield* test.scheduler.hold(yield* decode("a"), generation - 1)
      yield* aComparison
      const [held] = yield* test.scheduler.workers
      assert.strictEqual(held?.generation, generation)
      assert.include(yield* changesOf(test, "a"), "lost: the scheduler had an older state of it")
    })
  )

  it.effect("leaves alone what the scheduler does not say the generation of", () =>
    Effect.gen(function* () {
      const test = yield* make({}, (port) =>
        SchedulerPort.make({
          register: port.register,
          unregister: port.unregister,
          list: Stream.map(port.list ?? Stream.empty, ({ worker }) => ({ worker, generation: undefined }))
        })
      )
      yield* test.want("a")
      yield* settle
      yield* aComparison
      assert.deepInclude(yield* report(test), { held: 1, lost: 0 })
      assert.lengthOf(yield* registrations(test), 1)
    })
  )

  it.effect("leaves alone dead letters, what is on its way, and what was changed while it listed", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.scheduler.onRegister("waiting", [TestScheduler.always(unavailable)])
      yield* test.scheduler.onRegister("broken", [TestScheduler.die("a bug")])
      yield* test.want("waiting")
      yield* test.want("broken")
      yield* test.want("leaving")
      yield* settle
      // Everything that it lists is from the beginning of a list that takes ten seconds.
      yield* test.scheduler.onEvery("list", [TestScheduler.applyThen(TestScheduler.delay("10 seconds"))])
      while ((yield* lists(test)).length < 2) yield* TestClock.adjust("1 second")
      yield* test.want("coming")
      yield* test.fleet.terminate(id("leaving"))
      yield* TestClock.adjust("20 seconds")
      assert.deepInclude(yield* report(test), { lost: 0, ghosts: 0, unknown: 0, error: undefined })
      assert.deepStrictEqual(yield* changesOf(test, "coming"), ["provisioned"])
      assert.deepStrictEqual(yield* changesOf(test, "broken"), ["provisioned"])
      assert.deepStrictEqual(yield* changesOf(test, "waiting"), ["provisioned"])
      assert.deepStrictEqual(yield* changesOf(test, "leaving"), ["provisioned", "terminated"])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("registers the urgent ones first", () =>
    Effect.gen(function* () {
      const test = yield* make({ concurrency: 1, maxUnfinished: 1000 })
      for (let i = 0; i < 600; i++) yield* test.want(`a${i}`, { priority: "low" })
      yield* test.want("z", { priority: "critical" })
      yield* settle
      yield* test.scheduler.forget
      const { length } = yield* registrations(test)
      yield* aComparison
      assert.strictEqual((yield* registrations(test))[length]?.workerId, "z")
      assert.lengthOf(yield* test.held, 601)
    })
  )

  it.effect("leaves half of the room to others", () =>
    Effect.gen(function* () {
      const test = yield* make({ maxUnfinished: 100, concurrency: 1 })
      for (let i = 0; i < 400; i++) {
        yield* test.want(`w${i}`)
        yield* settle
      }
      yield* test.scheduler.onEvery("register", [TestScheduler.always(TestScheduler.delay("100 millis"))])
      yield* test.scheduler.forget
      let most = 0
      for (let second = 0; second < 480; second++) {
        yield* TestClock.adjust("1 second")
        most = Math.max(most, (yield* test.fleet.load).unfinished)
      }
      assert.isAtLeast(most, 40)
      assert.isAtMost(most, 50)
      assert.lengthOf(yield* test.held, 400)
      assert.deepInclude(yield* report(test), { lost: 400, error: undefined })
    })
  )
})

describe("workers that only the scheduler knows", () => {
  const withUnknown = Effect.fnUntraced(function* (unknownWorkers: FleetOptions["unknownWorkers"]) {
    const test = yield* make({ unknownWorkers })
    yield* test.want("known")
    yield* settle
    yield* test.scheduler.hold(yield* decode("stranger"), 1)
    yield* aComparison
    assert.deepInclude(yield* report(test), { held: 2, lost: 0, ghosts: 0, unknown: 1 })
    return test
  })

  it.effect("are reported", () =>
    Effect.gen(function* () {
      const test = yield* withUnknown("report")
      assert.deepStrictEqual(yield* test.held, ["known", "stranger"])
      assert.isTrue(Option.isNone(yield* test.fleet.get(id("stranger"))))
    })
  )

  it.effect("become members of the fleet as they are, where that is wanted", () =>
    Effect.gen(function* () {
      const test = yield* withUnknown("adopt")
      const record = yield* test.record("stranger")
      assert.deepInclude(record, { phase: "registered", desired: "registered" })
      assert.strictEqual(record.stored?.worker.capabilities.cpuCores, 1)
      assert.deepStrictEqual(yield* changesOf(test, "stranger"), ["adopted"])
      yield* aComparison
      assert.deepInclude(yield* report(test), { held: 2, unknown: 0 })
    })
  )

  it.effect("are unregistered, where that is wanted", () =>
    Effect.gen(function* () {
      const test = yield* withUnknown("remove")
      assert.deepStrictEqual(yield* test.held, ["known"])
      assert.deepStrictEqual(yield* changesOf(test, "stranger"), ["ghost: only the scheduler knew it"])
    })
  )

  describe("by their ids alone", () => {
    const listsIds = Effect.fnUntraced(function* (unknownWorkers: FleetOptions["unknownWorkers"]) {
      const test = yield* make({ unknownWorkers }, ({ get: _, list = Stream.empty, ...port }) => ({
        ...port,
        list: Stream.map(list, ({ worker }) => ({ worker: { id: worker.id } }))
      }))
      yield* test.want("known")
      yield* settle
      yield* test.scheduler.hold(yield* decode("stranger"), 1)
      yield* aComparison
      assert.deepInclude(yield* report(test), { held: 2, lost: 0, ghosts: 0, unknown: 1, error: undefined })
      return test
    })

    it.effect("are not made up where they should be adopted", () =>
      Effect.gen(function* () {
        const test = yield* listsIds("adopt")
        assert.isTrue(Option.isNone(yield* test.fleet.get(id("stranger"))))
        assert.deepStrictEqual(yield* test.held, ["known", "stranger"])
      })
    )

    it.effect("are unregistered, where that is wanted", () =>
      Effect.gen(function* () {
        const test = yield* listsIds("remove")
        assert.deepStrictEqual(yield* test.held, ["known"])
      })
    )
  })

  it.effect("do not hide what it has lost, however many they are", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* settle
      yield* test.scheduler.forget
      for (let i = 0; i < 10_000; i++) yield* test.scheduler.hold(yield* decode(`stranger${i}`), 1)
      yield* aComparison
      assert.deepInclude(yield* report(test), { held: 10_000, lost: 1, unknown: 10_000 })
    })
  )
})

describe("the fleet compares itself", () => {
  it.effect("at the start", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* settle
      yield* test.crash
      yield* test.scheduler.forget
      yield* TestClock.adjust("1 second")
      yield* test.start
      yield* settle
      assert.deepStrictEqual(yield* test.held, ["a"])
    })
  )

  it.effect("every five minutes, a quarter more or less each time", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* TestClock.adjust("5 hours")
      const times = yield* lists(test)
      const distances = times.slice(1).map((time, index) => time - (times[index] ?? 0))
      assert.isAtLeast(distances.length, 40)
      for (const distance of distances) {
        assert.isAtLeast(distance, 225_000)
        // Beside the wait there is the least distance.
        assert.isAtMost(distance, 386_000)
      }
      assert.isAbove(new Set(distances).size, 30)
    })
  )

  it.effect("after an outage of the scheduler, which may have come back empty", () =>
    Effect.gen(function* () {
      const test = yield* make({ driftInterval: Duration.days(1) })
      for (const name of ["a", "b", "c"]) yield* test.want(name)
      yield* TestClock.adjust("1 minute")
      yield* test.scheduler.onEvery("register", [TestScheduler.always(unavailable)])
      yield* test.scheduler.forget
      for (const name of ["d", "e"]) yield* test.want(name)
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(yield* lists(test), 1)
      yield* test.scheduler.onEvery("register", [])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* test.held, ["a", "b", "c", "d", "e"])
      assert.lengthOf(yield* lists(test), 2)
    })
  )

  it.effect("not where the scheduler cannot list, nor where it is not to", () =>
    Effect.gen(function* () {
      const blind = yield* TestFleet.make({ scheduler: { capabilities: ["get"] } })
      yield* blind.want("a")
      yield* TestClock.adjust("10 minutes")
      assert.isTrue(Option.isNone(yield* blind.fleet.drift))
      assert.deepStrictEqual(yield* blind.held, ["a"])
      const never = yield* make({ driftInterval: Duration.infinity })
      yield* TestClock.adjust("1 day")
      assert.lengthOf(yield* lists(never), 0)
    })
  )
})

describe("a list that fails", () => {
  it.effect("half-way is told, what it showed counts, and nobody is taken for lost", () =>
    Effect.gen(function* () {
      const test = yield* make({ unknownWorkers: "remove" })
      yield* test.want("a")
      yield* settle
      yield* test.scheduler.drop("a")
      yield* test.scheduler.hold(yield* decode("stranger"), 1)
      yield* test.scheduler.onEvery("list", [TestScheduler.always(TestScheduler.applyThen(unavailable))])
      while ((yield* lists(test)).length < 2) yield* TestClock.adjust("1 second")
      yield* settle
      const { error, lost, unknown } = yield* report(test)
      assert.deepStrictEqual([lost, unknown], [0, 1])
      assert.include(error, "connection refused")
      assert.deepStrictEqual(yield* test.held, [])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("is asked for again soon", () =>
    Effect.gen(function* () {
      const test = yield* make({ driftInterval: Duration.days(1) })
      yield* test.crash
      yield* test.scheduler.onEvery("list", [unavailable])
      yield* test.start
      yield* TestClock.adjust("2 minutes")
      assert.deepInclude(yield* report(test), { error: undefined })
      assert.lengthOf(yield* lists(test), 3)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("by never ending, in its middle, is given up", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* settle
      yield* test.scheduler.onEvery("list", [TestScheduler.applyThen(TestScheduler.hang)])
      while ((yield* lists(test)).length < 2) yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("31 seconds")
      assert.deepInclude(yield* report(test), { held: 1, lost: 0, error: "the list stopped coming" })
      yield* test.scheduler.forget
      yield* aComparison
      assert.deepStrictEqual(yield* test.held, ["a"])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("or a store that does, ends no further comparison", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* settle
      yield* test.scheduler.forget
      test.store.answer = (operation) => (operation === "scan" ? "fails" : "succeeds")
      yield* aComparison
      assert.strictEqual((yield* report(test)).error, "no scan")
      test.store.answer = () => "succeeds"
      yield* aComparison
      assert.deepStrictEqual(yield* test.held, ["a"])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
})

describe("a fleet of twenty thousand", () => {
  it.effect("is brought to a scheduler that has lost it all", () =>
    Effect.gen(function* () {
      const test = yield* make({ maxUnfinished: 100_000 })
      yield* Effect.forEach(
        Array.from({ length: 20_000 }, (_, index) => `w${index}`),
        (name) => test.want(name),
        { concurrency: "unbounded", discard: true }
      )
      yield* test.fleet.drained
      yield* TestClock.adjust("1 second")
      yield* test.scheduler.forget
      yield* aComparison
      assert.deepInclude(yield* report(test), { held: 0, lost: 20_000 })
      assert.lengthOf(yield* test.held, 20_000)
      assert.deepStrictEqual(yield* test.gauges, { registered: 20_000 })
      yield* aComparison
      assert.deepInclude(yield* report(test), { held: 20_000, lost: 0, ghosts: 0, unknown: 0 })
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
})
