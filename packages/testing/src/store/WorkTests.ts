/**
 * What is to be done, and the numbers.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { WorkerId } from "@muster/core"
import { laneOf, lanes, Priority, type WorkerRecord } from "@muster/core/fleet"
import {
  type DeclareTest,
  type FleetStoreTrial,
  fullRecord,
  id,
  idsOf,
  plainOverview,
  record,
  segment
} from "./FleetStoreTrial.ts"

export const testWork = (test: DeclareTest) => {
  test(
    "due gives what has been due the longest, of each lane no more than was asked for",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const records = Priority.literals.flatMap((priority) =>
        (["registered", "unregistered"] as const).flatMap((desired) =>
          [50, 30, 10, 40, 20].map((dueAt) =>
            record(`${desired}-${priority}-${dueAt}`, { desired, priority, dueAt, task: "call" })
          )
        )
      )
      yield* trial.put(...records, record("idle"))
      assert.deepStrictEqual(yield* trial.store.due(9, 10), [])

      const due = yield* trial.store.due(40, 3)
      assert.lengthOf(due, lanes * 3)
      for (let lane = 0; lane < lanes; lane++) {
        const inLane = due.filter((worker) => laneOf(worker) === lane)
        assert.deepStrictEqual(
          inLane.map(({ dueAt }) => dueAt),
          [10, 20, 30]
        )
      }
      const { desired, dueAt, id: workerId, priority, task } = due[0] ?? assert.fail("nothing is due")
      assert.deepStrictEqual(
        { desired, dueAt, priority, task, id: workerId },
        { desired, dueAt, priority, task: "call", id: id(`${desired}-${priority}-${dueAt}`) }
      )
      assert.lengthOf(yield* trial.store.due(40, 100), lanes * 4)
      assert.lengthOf(yield* trial.store.due(50, 100), lanes * 5)
    })
  )

  test(
    "checks wait with what is low",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(
        record("check", { task: "check", dueAt: 1, priority: "critical" }),
        record("call", { task: "call", dueAt: 2, priority: "low" }),
        record("verify", { task: "verify", dueAt: 3, priority: "critical" })
      )
      assert.deepStrictEqual(idsOf(yield* trial.store.due(9, 1)).toSorted(), ["check", "verify"])
      assert.deepStrictEqual(idsOf(yield* trial.store.due(9, 2)).toSorted(), ["call", "check", "verify"])
    })
  )

  test(
    "nothing is due any more once it is done, later or somewhere else",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const due = { task: "call", dueAt: 1 } as const
      yield* trial.put(record("done", due), record("later", due), record("moved", due), record("still", due))
      yield* trial.put(
        record("done"),
        record("later", { task: "call", dueAt: 100 }),
        record("moved", { ...due, desired: "unregistered", priority: "high" })
      )
      const found = yield* trial.store.due(50, 10)
      assert.deepStrictEqual(found.map(({ id, priority }) => `${id}: ${priority}`).toSorted(), [
        "moved: high",
        "still: normal"
      ])
    })
  )

  test(
    "nextDueAt is when the first worker becomes due after a moment",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      assert.isUndefined(yield* trial.store.nextDueAt(0))
      yield* trial.put(
        record("idle"),
        record("a", { task: "call", dueAt: 10 }),
        record("b", { task: "check", dueAt: 20, priority: "high" }),
        record("c", { task: "verify", dueAt: 15, desired: "unregistered" })
      )
      assert.strictEqual(yield* trial.store.nextDueAt(0), 10)
      assert.strictEqual(yield* trial.store.nextDueAt(10), 15)
      assert.strictEqual(yield* trial.store.nextDueAt(15), 20)
      assert.isUndefined(yield* trial.store.nextDueAt(20))
      yield* trial.put(record("c"))
      assert.strictEqual(yield* trial.store.nextDueAt(10), 20)
    })
  )

  test(
    "oldestUnfinished is since when the oldest change of each priority is unfinished",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const oldest = Effect.map(trial.store.oldestUnfinished, (found) => Object.fromEntries(found))
      assert.deepStrictEqual(yield* oldest, {})
      const unfinished = (name: string, unfinishedSince: number, fields: Partial<WorkerRecord> = {}) =>
        record(name, { task: "call", dueAt: 500, unfinishedSince, ...fields })
      yield* trial.put(
        record("idle"),
        unfinished("a", 30),
        unfinished("b", 10),
        unfinished("c", 20, { priority: "critical", desired: "unregistered" }),
        unfinished("d", 5, { priority: "low", task: "verify" })
      )
      assert.deepStrictEqual(yield* oldest, { critical: 20, normal: 10, low: 5 })
      yield* trial.put(record("b"), unfinished("d", 5, { priority: "high" }))
      assert.deepStrictEqual(yield* oldest, { critical: 20, high: 5, normal: 30 })
      yield* trial.put(record("a"), record("c"), record("d"))
      assert.deepStrictEqual(yield* oldest, {})
    })
  )

  test(
    "expired gives the workers whose lease has ended, the longest ago first",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(
        record("none"),
        ...[30, 10, 40, 20].map((leaseExpiresAt) => record(`l${leaseExpiresAt}`, { leaseExpiresAt }))
      )
      assert.deepStrictEqual(yield* trial.store.expired(9, 10), [])
      assert.deepStrictEqual(yield* trial.store.expired(30, 10), ["l10", "l20", "l30"].map(id))
      assert.deepStrictEqual(yield* trial.store.expired(30, 2), ["l10", "l20"].map(id))
      yield* trial.put(record("l10", { leaseExpiresAt: 100 }), record("l20"))
      assert.deepStrictEqual(yield* trial.store.expired(30, 10), [id("l30")])
    })
  )

  test(
    "scan gives every worker by id, from any id on",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const order = ["0", "1", "10", "2", "A", "B", "a", "a-b", "a.b", "a0", "a:b", "aB", "a_b", "ab", "b"]
      yield* trial.put(...order.toReversed().map((name) => record(name)))
      for (const limit of [1, 2, 7, 100]) {
        const seen: Array<string> = []
        let after: WorkerId | undefined
        for (;;) {
          const next = yield* trial.store.scan(after, limit)
          if (next.length === 0) break
          assert.isAtMost(next.length, limit)
          seen.push(...idsOf(next))
          after = next.at(-1)?.id
        }
        assert.deepStrictEqual(seen, order)
      }
      assert.deepStrictEqual(idsOf(yield* trial.store.scan(id("a.a"), 1)), ["a.b"])
    })
  )

  test(
    "scan tells of each worker what a comparison needs",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(record("bare"), fullRecord("full"))
      const scanned = yield* trial.store.scan(undefined, 10)
      for (const [index, expected] of [record("bare"), fullRecord("full")].entries()) {
        const { desired, generation, phase, priority, registeredAt, task } = expected
        assert.include(scanned[index], {
          id: expected.id,
          desired,
          phase,
          priority,
          generation,
          task,
          registeredAt
        })
      }
    })
  )

  test(
    "can be asked whether it takes anything, and then has nothing more",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(record("a"))
      const before = yield* trial.everything
      yield* trial.store.probe
      yield* trial.store.probe
      assert.deepStrictEqual(yield* trial.everything, before)
    })
  )
}

export const testOverview = (test: DeclareTest) => {
  test(
    "counts phases, leases, and what is to be done; a check is not",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const empty = {
        phases: {},
        unfinished: 0,
        unfinishedOf: {},
        leased: 0,
        forgottenGeneration: 0
      }
      assert.deepStrictEqual(plainOverview(yield* trial.store.overview), empty)
      yield* trial.put(
        record("a", { task: "call", dueAt: 1 }),
        record("b", { task: "verify", dueAt: 1, phase: "registered", leaseExpiresAt: 1 }),
        record("c", { task: "check", dueAt: 1, phase: "registered", leaseExpiresAt: 1, leaseTtl: 1 }),
        record("d", { phase: "failed", leaseTtl: 1 }),
        record("e", {
          task: "call",
          dueAt: 1,
          desired: "unregistered",
          phase: "unregistering",
          priority: "high"
        })
      )
      assert.deepStrictEqual(plainOverview(yield* trial.store.overview), {
        phases: { failed: 1, pending: 1, registered: 2, unregistering: 1 },
        unfinished: 3,
        unfinishedOf: { high: 1, normal: 2 },
        leased: 2,
        forgottenGeneration: 0
      })
    })
  )

  test(
    "follows every change",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(record("a", { task: "call", dueAt: 1, leaseExpiresAt: 1 }), record("b"))
      yield* trial.put(record("a", { task: "call", dueAt: 1, leaseExpiresAt: 1, priority: "low" }))
      assert.deepStrictEqual(plainOverview(yield* trial.store.overview).unfinishedOf, { low: 1 })
      yield* trial.put(record("a", { phase: "terminated", priority: "low" }))
      const { leased, phases, unfinished, unfinishedOf } = plainOverview(yield* trial.store.overview)
      assert.deepStrictEqual(
        { leased, phases, unfinished, unfinishedOf },
        { leased: 0, phases: { pending: 1, terminated: 1 }, unfinished: 0, unfinishedOf: {} }
      )
    })
  )

  test(
    "knows a place between the segments that were and those to come, also when none is left",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.tell(segment("a", 1), segment("a", 2))
      const last = (yield* trial.store.segments(0, 10)).at(-1)?.sequence ?? Infinity
      assert.isAtLeast((yield* trial.store.overview).sequence, last)
      yield* trial.store.forgetHistory({ segmentsBefore: 100, notesBefore: 0, limit: 10 })
      const { sequence } = yield* trial.store.overview
      assert.isAtLeast(sequence, last)
      yield* trial.tell(segment("a", 3))
      assert.isAbove((yield* trial.store.segments(sequence, 10))[0]?.sequence ?? 0, sequence)
    })
  )
}
