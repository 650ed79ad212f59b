import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Duration, Effect, Fiber, Layer, Metric, Option } from "effect"
import { TestClock } from "effect/testing"
import { RegistrationConfig } from "../RegistrationConfig.ts"
import { SchedulerRejected, SchedulerUnavailable } from "../SchedulerError.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import { Worker, WorkerId } from "../Worker.ts"
import { Fleet } from "./Fleet.ts"
import type { FleetOptions } from "./FleetOptions.ts"
import { MemoryFleetStore } from "./MemoryFleetStore.ts"
import type { WorkerRecord } from "./WorkerRecord.ts"

const unavailable = TestScheduler.fail(new SchedulerUnavailable({ message: "connection refused" }))
const rejected = TestScheduler.fail(new SchedulerRejected({ message: "no such pool", code: "pool" }))

const layer = (options: Partial<FleetOptions> = {}) =>
  Fleet.layerWith({ driftInterval: Duration.infinity, checkAfter: Duration.infinity, ...options }).pipe(
    Layer.provideMerge(TestScheduler.layer),
    Layer.provideMerge(MemoryFleetStore.layer),
    Layer.provideMerge(RegistrationConfig.layer({ maxRetries: 0 }))
  )

const id = (name: string) => WorkerId.make(name)

const worker = (name: string, cpuCores = 8) =>
  Effect.orDie(Worker.decode({ id: name, capabilities: { cpuCores, memoryMb: 1024 } }))

const want = Effect.fnUntraced(function* (name: string, cpuCores?: number) {
  const fleet = yield* Fleet
  return yield* fleet.want(yield* worker(name, cpuCores), { saidWhenProvisioned: false })
})

const status = Effect.fnUntraced(function* (name: string) {
  const fleet = yield* Fleet
  return Option.getOrThrow(yield* fleet.get(id(name)))
})

const phaseOf = (record: Option.Option<WorkerRecord>) => Option.getOrThrow(record).phase

/** Lets everything run that does not wait for time to pass. */
const settle = TestClock.adjust(Duration.zero)

describe("Fleet", () => {
  it.effect("registers what is wanted, under the generation that it tells", () =>
    Effect.gen(function* () {
      const { generation, phase } = yield* want("a")
      assert.strictEqual(phase, "pending")
      yield* settle
      assert.deepInclude(yield* status("a"), { phase: "registered", attempts: 1, lastError: undefined })
      const held = yield* (yield* TestScheduler).workers
      assert.deepStrictEqual(
        held.map(({ generation, worker }) => [String(worker.id), generation]),
        [["a", generation]]
      )
    }).pipe(Effect.provide(layer()))
  )

  it.effect("does nothing about a worker that is wanted already, whatever the time of its intake", () =>
    Effect.gen(function* () {
      const first = yield* want("a")
      yield* TestClock.adjust("1 hour")
      const second = yield* want("a")
      yield* settle
      assert.strictEqual(second.generation, first.generation)
      assert.lengthOf(yield* (yield* TestScheduler).calls, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("many changes while the scheduler is away cost one call when it is back", () =>
    Effect.gen(function* () {
      const fleet = yield* Fleet
      const scheduler = yield* TestScheduler
      yield* scheduler.onEvery("register", [unavailable])
      yield* want("a", 1)
      yield* settle
      assert.deepInclude(yield* status("a"), { phase: "pending", attempts: 1 })

      yield* want("a", 2)
      yield* fleet.terminate(id("a"))
      const { generation } = yield* want("a", 4)
      yield* TestClock.adjust("1 second")
      const calls = yield* scheduler.calls
      assert.deepStrictEqual(
        calls.map(({ operation }) => operation),
        ["register", "register"]
      )
      assert.strictEqual(calls.at(-1)?.worker?.capabilities.cpuCores, 4)
      assert.strictEqual(calls.at(-1)?.generation, generation)
      assert.strictEqual((yield* status("a")).phase, "registered")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("tries again for as long as the worker is wanted, at growing distances up to a longest one", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      yield* scheduler.onEvery("register", [TestScheduler.always(unavailable)])
      yield* want("a")
      yield* TestClock.adjust("10 minutes")
      const times = (yield* scheduler.calls).map(({ startedAt }) => startedAt)
      const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0))
      waits.forEach((wait, index) => {
        const longest = Math.min(500 * 2 ** index, 30_000)
        assert.isAtLeast(wait, Math.floor(longest / 2))
        assert.isAtMost(wait, longest + 1)
      })
      assert.isAtLeast(waits.length, 20)
      const { lastError, nextAttemptAt, phase } = yield* status("a")
      assert.strictEqual(phase, "pending")
      assert.deepInclude(lastError, { type: "scheduler_unavailable", retryable: true })
      assert.isDefined(nextAttemptAt)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("waits as long as the scheduler asks for", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      const busy = new SchedulerUnavailable({ message: "busy", retryAfter: Duration.minutes(2) })
      yield* scheduler.onEvery("register", [TestScheduler.fail(busy)])
      yield* want("a")
      yield* TestClock.adjust("119 seconds")
      assert.lengthOf(yield* scheduler.calls, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* status("a")).phase, "registered")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a termination does not wait as long as the registration that has failed many times", () =>
    Effect.gen(function* () {
      const fleet = yield* Fleet
      const scheduler = yield* TestScheduler
      yield* scheduler.onEvery("register", [TestScheduler.always(unavailable)])
      yield* want("waiting")
      yield* TestClock.adjust("10 minutes")
      yield* fleet.terminate(id("waiting"))
      yield* TestClock.adjust("500 millis")
      assert.deepInclude(yield* status("waiting"), { phase: "terminated", nextAttemptAt: undefined })
      const { length } = yield* scheduler.calls
      yield* TestClock.adjust("10 minutes")
      assert.lengthOf(yield* scheduler.calls, length)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("nor one that comes while the last of many calls fails", () =>
    Effect.gen(function* () {
      const fleet = yield* Fleet
      const scheduler = yield* TestScheduler
      yield* scheduler.onEvery("register", [
        TestScheduler.always(TestScheduler.delay("10 seconds", unavailable))
      ])
      yield* want("a")
      while ((yield* status("a")).attempts < 8) yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* status("a")).phase, "registering")
      yield* fleet.terminate(id("a"))
      yield* TestClock.adjust("10 seconds")
      yield* TestClock.adjust("500 millis")
      assert.strictEqual((yield* status("a")).phase, "terminated")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("but not sooner than the scheduler asks for, at most a day", () =>
    Effect.gen(function* () {
      const fleet = yield* Fleet
      const scheduler = yield* TestScheduler
      const busy = (retryAfter: Duration.Duration) =>
        TestScheduler.fail(new SchedulerUnavailable({ message: "busy", retryAfter }))
      yield* scheduler.onRegister("a", [busy(Duration.minutes(2))])
      yield* scheduler.onRegister("b", [busy(Duration.infinity)])
      yield* want("a")
      yield* want("b")
      yield* TestClock.adjust("1 minute")
      yield* fleet.terminate(id("a"))
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual((yield* status("a")).phase, "unregistering")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* status("a")).phase, "terminated")
      assert.strictEqual((yield* status("b")).nextAttemptAt, Duration.toMillis(Duration.days(1)))
      yield* TestClock.adjust("1 day")
      assert.strictEqual((yield* status("b")).phase, "registered")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("forgets what an attempt met that was given up, once another has succeeded", () =>
    Effect.gen(function* () {
      let calls = 0
      const port = SchedulerPort.make({
        // The first call ends long after it was interrupted.
        register: () => (++calls === 1 ? Effect.uninterruptible(Effect.sleep("10 seconds")) : Effect.void),
        unregister: () => Effect.void
      })
      const services = Fleet.layer.pipe(
        Layer.provide(Layer.succeed(SchedulerPort, port)),
        Layer.provide(MemoryFleetStore.layer),
        Layer.provide(RegistrationConfig.layer({ attemptTimeout: "1 second" }))
      )
      yield* Effect.gen(function* () {
        yield* want("a")
        yield* TestClock.adjust("5 seconds")
        assert.deepInclude(yield* status("a"), { phase: "registered", lastError: undefined })
        yield* TestClock.adjust("10 seconds")
        assert.deepInclude(yield* status("a"), { phase: "registered", lastError: undefined })
      }).pipe(Effect.provide(services))
    })
  )

  it.effect("gives up on a worker that the scheduler rejects, until it is sent again", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("a", [rejected])
      const first = yield* want("a")
      yield* TestClock.adjust("1 hour")
      assert.lengthOf(yield* scheduler.calls, 1)
      const { lastError, phase } = yield* status("a")
      assert.strictEqual(phase, "failed")
      assert.deepInclude(lastError, { type: "invalid_worker", retryable: false })
      const second = yield* want("a")
      assert.isAbove(second.generation, first.generation)
      yield* settle
      assert.strictEqual((yield* status("a")).phase, "registered")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a termination during the call follows it; nothing brings the worker back", () =>
    Effect.gen(function* () {
      const fleet = yield* Fleet
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("a", [TestScheduler.delay("1 second")])
      yield* want("a")
      yield* settle
      assert.strictEqual((yield* status("a")).phase, "registering")
      yield* fleet.terminate(id("a"))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* status("a")).phase, "terminated")
      assert.lengthOf(yield* scheduler.workers, 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a change during the call is sent after it, under its own generation", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("a", [TestScheduler.delay("1 second")])
      yield* want("a", 1)
      yield* settle
      const { generation } = yield* want("a", 2)
      yield* TestClock.adjust("1 second")
      const [held] = yield* scheduler.workers
      assert.strictEqual(held?.generation, generation)
      assert.strictEqual(held?.worker.capabilities.cpuCores, 2)
      assert.lengthOf(yield* scheduler.calls, 2)
    }).pipe(Effect.provide(layer()))
  )

  describe("ready", () => {
    it.effect("registers again what the scheduler has lost", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* want("a")
        yield* settle
        yield* scheduler.forget
        yield* fleet.ready(id("a"), {})
        yield* settle
        assert.lengthOf(yield* scheduler.workers, 1)
        assert.strictEqual((yield* status("a")).phase, "ready")
      }).pipe(Effect.provide(layer()))
    )

    it.effect("only asks where the scheduler has the worker", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* want("a")
        yield* settle
        yield* fleet.ready(id("a"), {})
        yield* settle
        const calls = yield* scheduler.calls
        assert.deepStrictEqual(
          calls.map(({ operation }) => operation),
          ["register", "get"]
        )
      }).pipe(Effect.provide(layer()))
    )

    it.effect("before the registration is done makes the worker ready when it is", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        yield* want("a")
        yield* fleet.ready(id("a"), {})
        yield* settle
        assert.strictEqual((yield* status("a")).phase, "ready")
      }).pipe(Effect.provide(layer()))
    )

    it.effect("fails for a worker that is unknown or gone", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        assert.strictEqual((yield* Effect.flip(fleet.ready(id("a"), {})))._tag, "UnknownWorker")
        yield* want("a")
        yield* fleet.terminate(id("a"))
        assert.strictEqual((yield* Effect.flip(fleet.ready(id("a"), {})))._tag, "WorkerGone")
      }).pipe(Effect.provide(layer()))
    )
  })

  describe("bounds", () => {
    it.effect("takes no more unfinished changes than it may, and more as soon as one is done", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* scheduler.onEvery("register", [TestScheduler.always(TestScheduler.delay("1 second"))])
        yield* want("a")
        yield* want("b")
        assert.strictEqual((yield* Effect.flip(want("c")))._tag, "FleetFull")
        // What is unfinished already can change without taking more room.
        yield* want("a", 2)
        yield* fleet.terminate(id("b"))
        const waiting = yield* Effect.forkChild(fleet.room)
        yield* TestClock.adjust("1 second")
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(waiting)
        yield* want("c")
      }).pipe(Effect.provide(layer({ maxUnfinished: 2 })))
    )

    it.effect("makes no more calls at the same time than it may", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* scheduler.onEvery("register", [TestScheduler.always(TestScheduler.delay("1 second"))])
        for (let i = 0; i < 20; i++) yield* want(`w${i}`)
        yield* TestClock.adjust("7 seconds")
        assert.strictEqual(yield* scheduler.peakConcurrency, 3)
        assert.lengthOf(yield* scheduler.workers, 20)
      }).pipe(Effect.provide(layer({ concurrency: 3 })))
    )

    it.effect("forgets the terminated workers that have been so for longest", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        for (let i = 0; i < 25; i++) {
          yield* want(`w${i}`)
          yield* settle
          yield* fleet.terminate(id(`w${i}`))
          yield* settle
        }
        yield* TestClock.adjust("1 minute")
        const { total } = yield* fleet.list({}, 1000, 0)
        assert.strictEqual(total, 10)
        assert.isTrue(Option.isNone(yield* fleet.get(id("w0"))))
        assert.strictEqual((yield* status("w24")).phase, "terminated")
      }).pipe(Effect.provide(layer({ maxTerminated: 10 })))
    )
  })

  describe("settled", () => {
    it.effect("waits for the outcome of a change, also of a verification", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("a", [TestScheduler.delay("3 seconds")])
        const { generation } = yield* want("a")
        const waiting = yield* Effect.forkChild(fleet.settled(id("a"), generation))
        yield* TestClock.adjust("3 seconds")
        assert.strictEqual(phaseOf(yield* Fiber.join(waiting)), "registered")

        yield* scheduler.onGet("a", [TestScheduler.delay("1 second")])
        yield* fleet.ready(id("a"), {})
        yield* TestClock.adjust("1 second")
        yield* scheduler.onGet("a", [TestScheduler.delay("1 second")])
        yield* fleet.ready(id("a"), {})
        const again = yield* Effect.forkChild(fleet.settled(id("a"), generation))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(phaseOf(yield* Fiber.join(again)), "ready")
      }).pipe(Effect.provide(layer()))
    )

    it.effect("ends when the worker is not wanted any more", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("a", [TestScheduler.hang])
        const { generation } = yield* want("a")
        const waiting = yield* Effect.forkChild(fleet.settled(id("a"), generation))
        yield* settle
        yield* fleet.terminate(id("a"))
        assert.strictEqual(phaseOf(yield* Fiber.join(waiting)), "unregistering")
      }).pipe(Effect.provide(layer()))
    )
  })

  it.effect("drained waits for what can be done now, and not for what is to be tried later", () =>
    Effect.gen(function* () {
      const fleet = yield* Fleet
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("slow", [TestScheduler.delay("1 second")])
      yield* scheduler.onRegister("failing", [TestScheduler.always(unavailable)])
      yield* want("slow")
      yield* want("failing")
      const waiting = yield* Effect.forkChild(fleet.drained)
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* scheduler.onRegister("failing", [unavailable])
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(waiting)
    }).pipe(Effect.provide(layer()))
  )

  describe("the timeline of a worker", () => {
    const story = Effect.fnUntraced(function* (name: string) {
      const fleet = yield* Fleet
      const { items } = yield* fleet.timeline(id(name))
      return items.map((item) => {
        switch (item.type) {
          case "change":
            return [item.change, item.source, item.reason].filter((part) => part !== undefined).join(" ")
          case "call":
            return `${item.call} ${item.attempt ?? ""}: ${item.error?.type ?? item.held ?? "success"}`
          case "phase":
            return `-> ${item.phase}`
        }
      })
    })

    it.effect("tells the changes, the calls and how they ended, and the phases, oldest first", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("a", [unavailable])
        yield* want("a")
        yield* TestClock.adjust("500 millis")
        yield* fleet.ready(id("a"), {})
        yield* settle
        yield* fleet.drop(id("a"), {
          place: { source: "/autoscaler", occurredAt: 0 },
          reason: "scaled in"
        })
        yield* settle
        assert.deepStrictEqual(yield* story("a"), [
          "provisioned",
          "-> pending",
          "-> registering",
          "register 1: scheduler_unavailable",
          "-> pending",
          "-> registering",
          "register 2: success",
          "-> registered",
          "ready",
          "verify : true",
          "-> ready",
          "terminated /autoscaler scaled in",
          "-> unregistering",
          "unregister 1: success",
          "-> terminated"
        ])
      }).pipe(Effect.provide(layer()))
    )

    it.effect("says when things happened, under which generation, and when the next call will be", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("a", [TestScheduler.delay("2 seconds", unavailable)])
        const { generation } = yield* want("a")
        yield* TestClock.adjust("2 seconds")
        const { items } = yield* fleet.timeline(id("a"))
        assert.deepStrictEqual(
          items.map(({ at }) => at),
          [0, 0, 0, 2000, 2000]
        )
        assert.isTrue(items.every((item) => item.generation === generation))
        const { nextAttemptAt } = yield* status("a")
        assert.isDefined(nextAttemptAt)
        assert.deepStrictEqual(items.at(-1), {
          type: "phase",
          at: 2000,
          generation,
          phase: "pending",
          nextAttemptAt
        })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("tells that the scheduler had lost a worker, and what was decided about a dead letter", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("a", [TestScheduler.succeed, rejected, rejected])
        yield* want("a")
        yield* settle
        yield* scheduler.forget
        yield* fleet.ready(id("a"), {})
        yield* settle
        yield* fleet.retry(id("a"))
        yield* settle
        yield* fleet.giveUp(id("a"))
        yield* settle
        assert.deepStrictEqual((yield* story("a")).slice(5), [
          "ready",
          "verify : false",
          "register 2: invalid_worker",
          "-> failed",
          "retried",
          "-> pending",
          "-> registering",
          "register 1: invalid_worker",
          "-> failed",
          "dropped",
          "-> unregistering",
          "unregister 1: success",
          "-> terminated"
        ])
      }).pipe(Effect.provide(layer()))
    )

    it.effect("tells of calls that were given up, and of an adapter that died", () =>
      Effect.gen(function* () {
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("a", [TestScheduler.hang, TestScheduler.die("boom")])
        yield* want("a")
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(
          (yield* story("a")).filter((line) => line.startsWith("register")),
          ["register 1: timeout", "register 2: unexpected"]
        )
      }).pipe(Effect.provide(layer()))
    )

    it.effect("keeps the latest hundred items, and says how many there were before", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* scheduler.onEvery("register", [TestScheduler.always(unavailable)])
        yield* want("a")
        yield* TestClock.adjust("1 hour")
        const { forgotten, items } = yield* fleet.timeline(id("a"))
        assert.lengthOf(items, 100)
        assert.strictEqual(forgotten + items.length, 2 + 3 * (yield* scheduler.calls).length)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("is that of a known worker", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        assert.strictEqual((yield* Effect.flip(fleet.timeline(id("x"))))._tag, "UnknownWorker")
      }).pipe(Effect.provide(layer()))
    )
  })

  describe("a check that somebody asks for", () => {
    it.effect("asks the scheduler, and registers the worker again if it is lost", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* want("a")
        yield* settle
        yield* fleet.check(id("a"))
        yield* settle
        const operations = Effect.map(scheduler.calls, (calls) => calls.map(({ operation }) => operation))
        assert.deepStrictEqual(yield* operations, ["register", "get"])
        yield* scheduler.forget
        yield* fleet.check(id("a"))
        yield* settle
        assert.deepStrictEqual(yield* operations, ["register", "get", "get", "register"])
        assert.strictEqual((yield* status("a")).phase, "registered")
        assert.lengthOf(yield* scheduler.workers, 1)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("tries a dead letter again, and leaves alone what is about to be called", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("a", [rejected])
        yield* scheduler.onEvery("register", [unavailable])
        yield* want("a")
        yield* settle
        assert.strictEqual((yield* fleet.check(id("a"))).phase, "pending")
        yield* settle
        const before = yield* status("a")
        yield* fleet.check(id("a"))
        yield* settle
        assert.strictEqual((yield* status("a")).dueAt, before.dueAt)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("is refused for a worker that is gone, or not known", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        assert.strictEqual((yield* Effect.flip(fleet.check(id("a"))))._tag, "UnknownWorker")
        yield* want("a")
        yield* fleet.terminate(id("a"))
        assert.strictEqual((yield* Effect.flip(fleet.check(id("a"))))._tag, "WorkerGone")
      }).pipe(Effect.provide(layer()))
    )
  })

  describe("a wait for the next call", () => {
    it.effect("ends when somebody asks for it", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("a", [TestScheduler.always(unavailable)])
        yield* want("a")
        yield* TestClock.adjust("5 seconds")
        assert.isDefined((yield* status("a")).nextAttemptAt)
        const { attempts } = yield* status("a")
        yield* fleet.hasten(id("a"))
        yield* settle
        assert.strictEqual((yield* status("a")).attempts, attempts + 1)
        const { items } = yield* fleet.timeline(id("a"))
        assert.include(
          items.map((item) => (item.type === "change" ? item.change : "")),
          "retried"
        )
      }).pipe(Effect.provide(layer()))
    )

    it.effect("does not end before the time that the scheduler has asked for", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        const later = new SchedulerUnavailable({ message: "busy", retryAfter: Duration.seconds(2) })
        yield* scheduler.onRegister("a", [TestScheduler.fail(later)])
        yield* want("a")
        yield* settle
        yield* fleet.hasten(id("a"))
        yield* TestClock.adjust("1999 millis")
        assert.strictEqual((yield* status("a")).attempts, 1)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual((yield* status("a")).phase, "registered")
      }).pipe(Effect.provide(layer()))
    )

    it.effect(
      "need not be there: a worker that is registered stays as it is, and a dead letter is retried",
      () =>
        Effect.gen(function* () {
          const fleet = yield* Fleet
          const scheduler = yield* TestScheduler
          yield* scheduler.onRegister("dead", [rejected])
          yield* want("a")
          yield* want("dead")
          yield* settle
          const before = yield* status("a")
          assert.strictEqual((yield* fleet.hasten(id("a"))).phase, "registered")
          assert.deepStrictEqual(yield* status("a"), before)
          assert.strictEqual((yield* fleet.hasten(id("dead"))).phase, "pending")
          assert.strictEqual((yield* Effect.flip(fleet.hasten(id("b"))))._tag, "UnknownWorker")
        }).pipe(Effect.provide(layer()))
    )
  })

  describe("dead letters", () => {
    it.effect("are tried again, under the same generation, when that is asked for", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("a", [rejected])
        const { generation } = yield* want("a")
        yield* settle
        assert.strictEqual((yield* fleet.retry(id("a"))).phase, "pending")
        yield* settle
        assert.deepInclude(yield* status("a"), { phase: "registered", generation, attempts: 1 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("stay dead letters when they fail again", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* scheduler.onRegister("a", [rejected, rejected])
        yield* want("a")
        yield* settle
        yield* fleet.retry(id("a"))
        yield* settle
        assert.strictEqual((yield* status("a")).phase, "failed")
        assert.lengthOf(yield* scheduler.calls, 2)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("begin with a short wait when they are tried again, however often they failed before", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        const often = Array.from({ length: 8 }, () => unavailable)
        yield* scheduler.onRegister("a", [...often, rejected, unavailable])
        yield* want("a")
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* status("a")).phase, "failed")
        yield* fleet.retry(id("a"))
        yield* settle
        assert.strictEqual((yield* status("a")).phase, "pending")
        yield* TestClock.adjust("500 millis")
        assert.strictEqual((yield* status("a")).phase, "registered")
      }).pipe(Effect.provide(layer()))
    )

    it.effect("are given up all that match, as far as there is room", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        for (const name of ["a", "b", "c"]) {
          yield* scheduler.onRegister(name, [rejected])
          yield* want(name)
          yield* settle
        }
        yield* want("fine")
        yield* settle
        assert.deepStrictEqual(yield* fleet.giveUpAll({ namespace: "elsewhere" }), { dropped: 0, left: 0 })
        assert.deepStrictEqual(yield* fleet.giveUpAll({ phases: ["registered"] }), { dropped: 2, left: 1 })
        yield* settle
        assert.deepStrictEqual(yield* fleet.giveUpAll({}), { dropped: 1, left: 0 })
        yield* settle
        assert.strictEqual((yield* fleet.list({ phases: ["terminated"] }, 10, 0)).total, 3)
        assert.strictEqual((yield* status("fine")).phase, "registered")
      }).pipe(Effect.provide(layer({ maxUnfinished: 2 })))
    )

    it.effect("are tried again all that match, as far as there is room", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        for (const name of ["a", "b", "c"]) {
          yield* scheduler.onRegister(name, [rejected])
          yield* want(name)
          yield* settle
        }
        yield* want("fine")
        yield* settle
        assert.deepStrictEqual(yield* fleet.retryAll({ namespace: "elsewhere" }), { retried: 0, left: 0 })
        assert.deepStrictEqual(yield* fleet.retryAll({ phases: ["registered"] }), { retried: 2, left: 1 })
        yield* settle
        assert.deepStrictEqual(yield* fleet.retryAll({}), { retried: 1, left: 0 })
        yield* settle
        assert.strictEqual((yield* fleet.list({ phases: ["registered"] }, 10, 0)).total, 4)
      }).pipe(Effect.provide(layer({ maxUnfinished: 2 })))
    )

    it.effect("given up, leave no earlier state of the worker with the scheduler", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* want("a")
        yield* settle
        yield* scheduler.onRegister("a", [rejected])
        yield* want("a", 16)
        yield* settle
        assert.strictEqual((yield* status("a")).phase, "failed")
        assert.lengthOf(yield* scheduler.workers, 1)
        yield* fleet.giveUp(id("a"))
        yield* settle
        assert.strictEqual((yield* status("a")).phase, "terminated")
        assert.lengthOf(yield* scheduler.workers, 0)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("of workers that the scheduler would not unregister count as gone when they are given up", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* want("a")
        yield* settle
        yield* scheduler.onUnregister("a", [rejected])
        yield* fleet.terminate(id("a"))
        yield* settle
        assert.strictEqual((yield* status("a")).phase, "failed")
        const { length } = yield* scheduler.calls
        yield* fleet.giveUp(id("a"))
        yield* settle
        assert.strictEqual((yield* status("a")).phase, "terminated")
        assert.lengthOf(yield* scheduler.calls, length)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("are none of those that are well, on their way or unknown", () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        yield* want("well")
        yield* settle
        for (const name of ["well", "unknown"]) {
          assert.strictEqual((yield* Effect.flip(fleet.retry(id(name))))._tag, "NoDeadLetter")
          assert.strictEqual((yield* Effect.flip(fleet.giveUp(id(name))))._tag, "NoDeadLetter")
        }
      }).pipe(Effect.provide(layer()))
    )
  })

  it.effect("counts the workers in each phase", () =>
    Effect.gen(function* () {
      const fleet = yield* Fleet
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("a", [rejected])
      for (const name of ["a", "b", "c", "d"]) yield* want(name)
      yield* settle
      yield* fleet.terminate(id("b"))
      yield* fleet.ready(id("c"), {})
      yield* settle
      const snapshot = yield* Metric.snapshot
      const counts = snapshot.flatMap((metric) =>
        metric.id === "muster_workers" && metric.type === "Gauge" && metric.state.value !== 0
          ? [[metric.attributes?.["phase"], metric.state.value]]
          : []
      )
      assert.sameDeepMembers(counts, [
        ["failed", 1],
        ["terminated", 1],
        ["ready", 1],
        ["registered", 1]
      ])
    }).pipe(
      Effect.provide(layer().pipe(Layer.provideMerge(Layer.sync(Metric.MetricRegistry, () => new Map()))))
    )
  )

  it.effect(
    "lists a page of many in the order of their coming, whatever comes and goes between two pages",
    () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        for (let i = 0; i < 10; i++) yield* want(`w${i}`)
        const first = yield* fleet.list({}, 4, 0)
        yield* want("late")
        const second = yield* fleet.list({}, 4, first.next ?? 0)
        assert.deepStrictEqual(
          second.items.map(({ id }) => String(id)),
          ["w4", "w5", "w6", "w7"]
        )
        assert.strictEqual(second.total, 11)
      }).pipe(Effect.provide(layer()))
  )
})
