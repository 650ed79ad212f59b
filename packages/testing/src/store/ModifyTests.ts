/**
 * What is committed together, and what is found of it: all or nothing, and nothing lost.
 */
import { assert } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import {
  decision,
  type DeclareTest,
  type FleetStoreTrial,
  fullRecord,
  id,
  ids,
  idsOf,
  plain,
  record,
  segment
} from "./FleetStoreTrial.ts"

export const testModify = (test: DeclareTest) => {
  test(
    "finds what was asked for and is known, and nothing else",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(record("a"), record("b"), record("c"))
      yield* trial.commit({ notes: [{ key: "k", value: "v", at: 1 }] })
      assert.deepStrictEqual(yield* trial.found(["a", "c", "missing"], ["k", "missing"]), {
        records: plain([record("a"), record("c")]),
        notes: [["k", "v"]]
      })
      assert.deepStrictEqual(yield* trial.found([]), { records: [], notes: [] })
    })
  )

  test(
    "finds records by their own ids, and one record for an id that was asked for twice",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(record("a"), record("A"), record("a.b"), record("a_b"), record("a-b"))
      const found = yield* trial.store.modify(
        { workerIds: ["a", "A", "a_b", "a"].map(id), keys: [] },
        (found) =>
          decision({ value: Array.from(found.records, ([key, { id }]) => `${key} is ${id}`).toSorted() })
      )
      assert.deepStrictEqual(found, ["A is A", "a is a", "a_b is a_b"])
      assert.deepStrictEqual(idsOf(yield* trial.store.get([id("a_b"), id("b"), id("a_b")])), ["a_b"])
      assert.deepStrictEqual(yield* trial.store.get([]), [])
    })
  )

  test(
    "answers with the value that was decided",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const value = { some: "value" }
      const answer = yield* trial.store.modify({ workerIds: [], keys: [] }, () => decision({ value }))
      assert.strictEqual(answer, value)
    })
  )

  test(
    "puts a record in the place of the one before, asked for or not",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(record("a"), record("b"))
      const replacements = [fullRecord("a"), fullRecord("b", { told: 5 }), fullRecord("c")]
      yield* trial.store.modify({ workerIds: [id("a")], keys: [] }, () => decision({ records: replacements }))
      assert.deepStrictEqual((yield* trial.everything).records, plain(replacements))
    })
  )

  test(
    "takes and finds thousands at once",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const all = ids(3001)
      const told = all.slice(0, 1777)
      yield* trial.commit({
        records: all.map((id, index) => record(id, { generation: index })),
        segments: told.map((id) => segment(id, 1)),
        trims: all.map((workerId) => ({ workerId, upTo: 0 })),
        notes: all.map((key, at) => ({ key, value: `${key}!`, at }))
      })
      const found = yield* trial.found(all, all)
      assert.deepStrictEqual(
        found.records.map(({ generation, id }) => [id, generation]),
        all.map((id, index) => [id, index])
      )
      assert.deepStrictEqual(
        found.notes,
        all.map((key) => [key, `${key}!`])
      )
      assert.deepStrictEqual(
        (yield* trial.store.segments(0, 10_000)).map(({ workerId }) => workerId),
        told
      )
    })
  )

  test(
    "takes any number at once",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      for (let count = 0; count <= 40; count++) {
        const all = ids(count, `n${count}`)
        yield* trial.commit({
          records: all.map((id) => record(id)),
          segments: all.map((id) => segment(id, 1))
        })
        assert.lengthOf((yield* trial.found(all)).records, count)
      }
      assert.strictEqual((yield* trial.store.list({}, 1, 0)).total, 820)
      assert.lengthOf(yield* trial.store.segments(0, 1000), 820)
    })
  )

  test(
    "loses nothing when many change the same workers at once",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const names = ["a", "b", "c"]
      const increment = (order: ReadonlyArray<string>) =>
        trial.store.modify({ workerIds: order.map(id), keys: ["count"] }, ({ notes, records }) =>
          decision({
            records: order.map((name) => {
              const { attempts } = records.get(id(name)) ?? { attempts: 0 }
              return record(name, { attempts: attempts + 1 })
            }),
            notes: [{ key: "count", value: String(Number(notes.get("count") ?? 0) + 1), at: 0 }]
          })
        )
      const orders = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? names : names.toReversed()))
      yield* Effect.forEach(orders, increment, { concurrency: "unbounded" })
      const { notes, records } = yield* trial.found(names, ["count"])
      assert.deepStrictEqual(
        records.map(({ attempts }) => attempts),
        [50, 50, 50]
      )
      assert.deepStrictEqual(notes, [["count", "50"]])
    })
  )
}

export const testAtomicity = (test: DeclareTest) => {
  const some = {
    records: [record("a"), fullRecord("b")],
    segments: [segment("a", 1), segment("a", 2)],
    trims: [],
    notes: [{ key: "k", value: "v", at: 1 }]
  }

  test(
    "changes nothing when a decision changes nothing",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.commit(some)
      const before = yield* trial.everything
      yield* trial.store.modify({ workerIds: [id("a")], keys: ["k"] }, () => decision({}))
      assert.deepStrictEqual(yield* trial.everything, before)
    })
  )

  test(
    "changes nothing when the decision throws, which is a defect, and goes on",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.commit(some)
      const before = yield* trial.everything
      const bug = new Error("a bug in a decision")
      const exit = yield* Effect.exit(
        trial.store.modify({ workerIds: [id("a")], keys: ["k"] }, () => {
          throw bug
        })
      )
      assert.deepStrictEqual(exit, Exit.die(bug))
      assert.deepStrictEqual(yield* trial.everything, before)
      yield* trial.put(record("c"))
      assert.isDefined(yield* trial.read("c"))
    })
  )

  test(
    "takes a segment of a worker that nobody knows for a defect, and changes nothing",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.commit(some)
      const before = yield* trial.everything
      const exit = yield* Effect.exit(
        trial.commit({
          records: [record("a", { attempts: 9 }), record("new")],
          segments: [segment("new", 1), segment("unknown", 1)],
          notes: [{ key: "k", value: "other", at: 1 }]
        })
      )
      assert.isTrue(Exit.hasDies(exit))
      assert.deepStrictEqual(yield* trial.everything, before)
      assert.deepStrictEqual((yield* trial.found([], ["k"])).notes, [["k", "v"]])
    })
  )

  test(
    "is done as a whole or not at all when it is interrupted",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      for (let turns = 0; turns < 20; turns++) {
        const all = ids(10, `t${turns}`)
        const fiber = yield* Effect.forkChild(
          trial.commit({ records: all.map((id) => record(id)), segments: all.map((id) => segment(id, 1)) })
        )
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        const { length } = yield* trial.store.get(all)
        assert.include([0, 10], length)
        const timelines = yield* Effect.forEach(all, trial.store.timeline)
        assert.lengthOf(timelines.flat(), length)
      }
      yield* trial.put(record("last"))
      assert.isDefined(yield* trial.read("last"))
    })
  )
}
