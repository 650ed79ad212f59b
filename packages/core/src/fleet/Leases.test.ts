import { assert, describe, it } from "@effect/vitest"
import { TestFleet, TestScheduler } from "@muster/testing"
import { Clock, Duration, Effect, Option, References } from "effect"
import { TestClock } from "effect/testing"
import { Worker, WorkerId } from "../Worker.ts"
import type { FleetOptions } from "./FleetOptions.ts"

const id = (name: string) => WorkerId.make(name)

/** Leases of a minute that may be ten seconds late. */
const make = (fleet: Partial<FleetOptions> = {}) =>
  TestFleet.make({
    fleet: {
      driftInterval: Duration.infinity,
      checkAfter: Duration.infinity,
      defaultLease: Duration.minutes(1),
      leaseGrace: Duration.seconds(10),
      ...fleet
    }
  })

/** Seconds until it happens, at most `limit`. */
const secondsUntil = Effect.fnUntraced(function* (isSo: Effect.Effect<boolean, unknown>, limit = 1000) {
  let seconds = 0
  while (seconds < limit && !(yield* Effect.orDie(isSo))) {
    yield* TestClock.adjust("1 second")
    seconds++
  }
  return seconds
})

const isGone = (test: TestFleet, name: string) =>
  Effect.map(test.record(name), ({ desired }) => desired === "unregistered")

/** A heartbeat of a worker that is known. */
const beat = (test: TestFleet, name: string) => Effect.orDie(test.fleet.heartbeat(id(name)))

/** A clock that jumps while nothing runs. */
const withSkewedClock = <A, E, R>(use: (clock: { skew: number }) => Effect.Effect<A, E, R>) =>
  TestClock.testClockWith((clock) => {
    const skewed = { skew: 0 }
    const now = () => clock.currentTimeMillisUnsafe() + skewed.skew
    return Effect.provideService(use(skewed), Clock.Clock, {
      ...clock,
      currentTimeMillisUnsafe: now,
      currentTimeMillis: Effect.sync(now)
    })
  })

const settle = TestClock.adjust(Duration.zero)

describe("a lease", () => {
  it.effect("ends a worker that is silent for longer than it and the grace, and says why", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      assert.strictEqual(yield* secondsUntil(isGone(test, "a")), 70)
      yield* settle
      assert.strictEqual((yield* test.record("a")).phase, "terminated")
      assert.deepStrictEqual(yield* test.held, [])
      const { items } = yield* test.fleet.timeline(id("a"))
      const expired = items.find((item) => item.type === "change" && item.change === "expired")
      assert.deepInclude(expired, { reason: "no heartbeat for 1m 10s, with a lease of 1m" })
    })
  )

  it.effect("is renewed by heartbeats, which say for how long", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      for (let i = 0; i < 20; i++) {
        yield* TestClock.adjust("50 seconds")
        const lease = Option.getOrThrow(yield* beat(test, "a"))
        assert.strictEqual(Duration.toMillis(lease.ttl), 60_000)
        assert.strictEqual(lease.expiresAt, (i + 1) * 50_000 + 60_000)
      }
      assert.strictEqual(yield* secondsUntil(isGone(test, "a")), 70)
    })
  )

  it.effect("is renewed by being provisioned again, and by being ready", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* TestClock.adjust("65 seconds")
      yield* test.want("a")
      yield* TestClock.adjust("65 seconds")
      yield* test.fleet.ready(id("a"), {})
      assert.strictEqual(yield* secondsUntil(isGone(test, "a")), 70)
    })
  )

  it.effect("is as long as was said last, whatever was renewed before", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a", { leaseTtl: Duration.hours(1) })
      yield* settle
      yield* beat(test, "a")
      yield* test.want("a", { leaseTtl: Duration.seconds(20) })
      assert.strictEqual(yield* secondsUntil(isGone(test, "a")), 30)
    })
  )

  it.effect("is never shorter than the shortest one", () =>
    Effect.gen(function* () {
      const test = yield* make({ minLease: Duration.seconds(30) })
      yield* test.want("a", { leaseTtl: Duration.seconds(1) })
      assert.strictEqual(yield* secondsUntil(isGone(test, "a")), 40)
    })
  )

  it.effect("grows with the fleet, so that its heartbeats stay under their rate", () =>
    Effect.gen(function* () {
      const test = yield* make({ maxHeartbeatsPerSecond: 2, minLease: Duration.zero })
      for (let i = 0; i < 200; i++) yield* test.want(`w${i}`)
      yield* settle
      assert.strictEqual(Duration.toMillis(Option.getOrThrow(yield* beat(test, "w0")).ttl), 100_000)
      // It shrinks with it too.
      for (let i = 100; i < 200; i++) yield* test.fleet.terminate(id(`w${i}`))
      assert.strictEqual(Duration.toMillis(Option.getOrThrow(yield* beat(test, "w0")).ttl), 60_000)
    })
  )

  it.effect("nobody has who did not ask for one, where there is none for all, and no static worker has", () =>
    Effect.gen(function* () {
      const test = yield* make()
      const worker = yield* Worker.decode({
        id: "static",
        capabilities: { cpuCores: 1, memoryMb: 1 },
        metadata: { workerType: "static" }
      })
      yield* test.fleet.want(worker, { saidWhenProvisioned: false })
      yield* test.want("dynamic")
      assert.isTrue(Option.isNone(yield* beat(test, "static")))
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual(yield* test.held, ["static"])

      const without = yield* make({ defaultLease: Duration.infinity })
      yield* without.want("a")
      assert.isTrue(Option.isNone(yield* beat(without, "a")))
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual(yield* without.held, ["a"])
    })
  )

  it.effect("has an end that a heartbeat after it does not change", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* Effect.flip(test.fleet.heartbeat(id("a"))))._tag, "WorkerGone")
      assert.strictEqual((yield* Effect.flip(test.fleet.heartbeat(id("x"))))._tag, "UnknownWorker")
      // Whoever comes back is provisioned again.
      const { generation } = yield* test.want("a")
      yield* settle
      assert.deepInclude(yield* test.record("a"), { phase: "registered", generation })
    })
  )

  it.effect("ends when there is room for it, where there was none", () =>
    Effect.gen(function* () {
      const test = yield* make({ maxUnfinished: 1 })
      yield* test.want("a")
      yield* settle
      yield* test.scheduler.onRegister("b", [TestScheduler.always(TestScheduler.hang)])
      yield* test.want("b", { leaseTtl: Duration.hours(1) })
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* test.record("a")).phase, "registered")
      yield* test.scheduler.onRegister("b", [])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* test.record("a")).phase, "terminated")
    })
  )

  it.effect("of one that is unfinished ends also where there is no room", () =>
    Effect.gen(function* () {
      const test = yield* make({ maxUnfinished: 1 })
      yield* test.want("a")
      yield* settle
      yield* test.scheduler.onRegister("b", [TestScheduler.always(TestScheduler.hang)])
      yield* test.want("b")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* test.record("b")).desired, "unregistered")
    })
  )
})

describe("heartbeats", () => {
  it.effect("are written together, once a second", () =>
    Effect.gen(function* () {
      const test = yield* make()
      for (let i = 0; i < 100; i++) yield* test.want(`w${i}`)
      yield* settle
      const before = test.store.count("modify")
      for (let second = 0; second < 10; second++) {
        for (let i = 0; i < 100; i++) yield* beat(test, `w${i}`)
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual(test.store.count("modify") - before, 10)
      assert.strictEqual((yield* test.record("w7")).leaseExpiresAt, 69_000)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(test.store.count("modify") - before, 10)
    })
  )

  it.effect("leave nothing in a timeline", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* settle
      const { items } = yield* test.fleet.timeline(id("a"))
      for (let i = 0; i < 5; i++) {
        yield* beat(test, "a")
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual((yield* test.fleet.timeline(id("a"))).items, items)
    })
  )

  it.effect("are written when the fleet is stopped", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* TestClock.adjust("30500 millis")
      yield* beat(test, "a")
      yield* test.stop
      assert.strictEqual((yield* test.record("a")).leaseExpiresAt, 90_500)
    })
  )
})

describe("nobody's lease ends before a full term has passed", () => {
  it.effect("since a restart, however long the process was away and whatever renewals it took with it", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* settle
      yield* test.crash
      yield* TestClock.adjust("1 day")
      yield* test.start
      assert.strictEqual(yield* secondsUntil(isGone(test, "a")), 70)
    })
  )

  it.effect("since the store could be written to again", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* settle
      test.store.answer = () => "fails"
      yield* Effect.flip(test.want("b"))
      yield* TestClock.adjust("1 hour")
      test.store.answer = () => "succeeds"
      // It is found out within a second.
      assert.strictEqual(yield* secondsUntil(isGone(test, "a")), 71)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )

  it.effect("since it could be read again, where nobody wanted to write", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* settle
      test.store.answer = () => "fails"
      yield* Effect.repeat(
        Effect.andThen(Effect.flip(test.fleet.heartbeat(id("a"))), TestClock.adjust("10 seconds")),
        {
          times: 30
        }
      )
      test.store.answer = () => "succeeds"
      assert.strictEqual(yield* secondsUntil(isGone(test, "a")), 70)
    })
  )

  it.effect("since a heartbeat could not be taken, although all else went well", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* settle
      yield* TestClock.adjust("69 seconds")
      test.store.answer = (operation) => (operation === "get" ? "fails" : "succeeds")
      yield* Effect.flip(test.fleet.heartbeat(id("a")))
      test.store.answer = () => "succeeds"
      assert.strictEqual(yield* secondsUntil(isGone(test, "a")), 70)
    })
  )

  it.effect("since the store answered again, where it stood still", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a")
      yield* test.want("b", { leaseTtl: Duration.days(1) })
      yield* TestClock.adjust("30500 millis")
      yield* beat(test, "b")
      test.store.answer = (operation) => (operation === "modify" ? { before: "5 minutes" } : "succeeds")
      yield* TestClock.adjust("1 second")
      test.store.answer = () => "succeeds"
      yield* TestClock.adjust("299 seconds")
      assert.isFalse(yield* isGone(test, "a"))
      assert.strictEqual(yield* secondsUntil(isGone(test, "a")), 71)
    })
  )

  it.effect("since the process stood still", () =>
    withSkewedClock((clock) =>
      Effect.gen(function* () {
        const test = yield* make()
        yield* test.want("a")
        yield* TestClock.adjust("30500 millis")
        clock.skew += 600_000
        assert.strictEqual(yield* secondsUntil(isGone(test, "a")), 71)
      })
    )
  )

  it.effect("nor is it cut short by a clock that goes back", () =>
    withSkewedClock((clock) =>
      Effect.gen(function* () {
        const test = yield* make()
        yield* test.want("a")
        yield* TestClock.adjust("30 seconds")
        clock.skew -= 20_000
        yield* beat(test, "a")
        assert.strictEqual(yield* secondsUntil(isGone(test, "a")), 70)
      })
    )
  )
})
