import { assert, describe, it } from "@effect/vitest"
import { TestFleet, TestScheduler } from "@muster/testing"
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { SchedulerRejected } from "../SchedulerError.ts"
import { WorkerId } from "../WorkerId.ts"
import type { FleetOptions } from "./FleetOptions.ts"

const make = (fleet: Partial<FleetOptions> = {}) =>
  TestFleet.make({
    fleet: { driftInterval: Duration.infinity, checkAfter: Duration.infinity, ...fleet }
  })

const once = { key: "request 1", fingerprint: "of its content" }

const settle = TestClock.adjust(Duration.zero)

describe("the same request twice", () => {
  it.effect("gets the same answer, and changes nothing the second time", () =>
    Effect.gen(function* () {
      const test = yield* make()
      const first = yield* test.want("a", { once })
      assert.isFalse(first.repeated)
      yield* settle
      yield* test.fleet.terminate(WorkerId.make("a"))
      yield* settle
      // What was answered then is answered now, although much has happened since.
      const second = yield* test.want("a", { once })
      assert.deepStrictEqual(second, { ...first, repeated: true })
      yield* settle
      assert.deepStrictEqual(yield* test.held, [])
      assert.strictEqual((yield* test.record("a")).phase, "terminated")
    })
  )

  it.effect("at the same time is one too", () =>
    Effect.gen(function* () {
      const test = yield* make()
      const answers = yield* Effect.all(
        Array.from({ length: 10 }, (_, index) => test.want("a", { once, cpuCores: index + 1 })),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(
        answers.filter(({ repeated }) => !repeated),
        1
      )
      assert.lengthOf(new Set(answers.map(({ generation }) => generation)), 1)
    })
  )

  it.effect("is recognised after a restart", () =>
    Effect.gen(function* () {
      const test = yield* make()
      const first = yield* test.want("a", { once })
      yield* test.crash
      yield* test.start
      assert.deepStrictEqual(yield* test.want("a", { once }), { ...first, repeated: true })
    })
  )

  it.effect("is recognised when the first answer was lost", () =>
    Effect.gen(function* () {
      const test = yield* make()
      test.store.answer = (operation) => (operation === "modify" ? "does it and fails" : "succeeds")
      yield* Effect.flip(test.want("a", { once }))
      test.store.answer = () => "succeeds"
      assert.isTrue((yield* test.want("a", { once })).repeated)
    })
  )

  it.effect("with another content is refused", () =>
    Effect.gen(function* () {
      const test = yield* make()
      const { generation } = yield* test.want("a", { once })
      const other = { ...once, fingerprint: "of another" }
      assert.strictEqual((yield* Effect.flip(test.want("b", { once: other })))._tag, "KeyReused")
      const refused = yield* Effect.flip(test.fleet.terminate(WorkerId.make("a"), { once: other }))
      assert.strictEqual(refused._tag, "KeyReused")
      assert.deepInclude(yield* test.record("a"), { desired: "registered", generation })
      assert.deepInclude(yield* test.fleet.load, { known: 1 })
    })
  )

  it.effect("is another one after a day", () =>
    Effect.gen(function* () {
      const test = yield* make({ repeatRetention: Duration.days(1) })
      yield* test.want("a", { once })
      yield* TestClock.adjust("23 hours")
      assert.isTrue((yield* test.want("a", { once })).repeated)
      yield* TestClock.adjust("62 minutes")
      assert.isFalse((yield* test.want("b", { once: { ...once, fingerprint: "of another" } })).repeated)
    })
  )

  it.effect("is not recognised when the first was refused", () =>
    Effect.gen(function* () {
      const test = yield* make({ maxUnfinished: 1 })
      yield* test.scheduler.onRegister("a", [TestScheduler.delay("1 second")])
      yield* test.want("a")
      assert.strictEqual((yield* Effect.flip(test.want("b", { once })))._tag, "FleetFull")
      const gone = yield* Effect.flip(test.fleet.ready(WorkerId.make("x"), { once }))
      assert.strictEqual(gone._tag, "UnknownWorker")
      yield* TestClock.adjust("1 second")
      assert.isFalse((yield* test.want("b", { once })).repeated)
    })
  )
})

describe("an event that is older than the last one of its source", () => {
  const at = (occurredAt: number, source = "/autoscaler") => ({ place: { source, occurredAt } })

  it.effect("changes nothing, and is remembered as such", () =>
    Effect.gen(function* () {
      const test = yield* make()
      const { fleet } = test
      const id = WorkerId.make("a")
      yield* test.want("a", at(10))
      const { generation } = yield* fleet.drop(id, at(20))
      const late = yield* test.want("a", { ...at(15), once })
      assert.deepInclude(late, { outdated: true, generation, phase: "unregistering" })
      assert.deepInclude(yield* test.want("a", { ...at(15), once }), { outdated: true, repeated: true })
      yield* settle
      assert.strictEqual((yield* test.record("a")).phase, "terminated")
    })
  )

  it.effect("says nothing about those of another source", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.want("a", at(10))
      assert.isFalse((yield* test.fleet.drop(WorkerId.make("a"), at(5, "/operator"))).outdated)
    })
  )

  it.effect("survives a restart, and a dead letter", () =>
    Effect.gen(function* () {
      const test = yield* make()
      yield* test.scheduler.onRegister("a", [
        TestScheduler.fail(new SchedulerRejected({ message: "no such pool" }))
      ])
      yield* test.want("a", at(10))
      yield* settle
      yield* test.crash
      yield* test.start
      assert.isTrue((yield* test.want("a", { ...at(9), cpuCores: 2 })).outdated)
      assert.isFalse((yield* test.want("a", { ...at(10), cpuCores: 2 })).outdated)
    })
  )
})
