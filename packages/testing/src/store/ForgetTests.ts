/**
 * What is removed, and what stays.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { ForgetOptions } from "@muster/core/fleet"
import { type DeclareTest, type FleetStoreTrial, id, record, segment } from "./FleetStoreTrial.ts"

export const testForget = (test: DeclareTest) => {
  const gone = (name: string, updatedAt: number, generation = updatedAt) =>
    record(name, { phase: "terminated", desired: "unregistered", updatedAt, generation })

  const forgetting = (trial: FleetStoreTrial, options: ForgetOptions) =>
    Effect.gen(function* () {
      const removed = yield* trial.store.forget(options)
      return { removed, left: (yield* trial.pages({}, 100)).ids }
    })

  test(
    "removes terminated workers that have not changed since, and no others",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(
        gone("g30", 30),
        gone("g10", 10),
        gone("g20", 20),
        record("old", { updatedAt: 1, generation: 99 }),
        record("failed", { updatedAt: 1, phase: "failed" })
      )
      const options = { before: 20, keep: 100, limit: 10 }
      const left = ["g30", "g20", "old", "failed"]
      assert.deepStrictEqual(yield* forgetting(trial, options), { removed: 1, left })
      assert.deepStrictEqual(yield* forgetting(trial, options), { removed: 0, left })
      assert.deepStrictEqual(yield* trial.store.get([id("g10")]), [])
    })
  )

  test(
    "keeps no more than so many of them, the latest",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(...[50, 10, 40, 20, 30].map((at) => gone(`g${at}`, at)), record("a"))
      assert.deepStrictEqual(yield* forgetting(trial, { before: 0, keep: 3, limit: 10 }), {
        removed: 2,
        left: ["g50", "g40", "g30", "a"]
      })
      assert.deepStrictEqual(yield* forgetting(trial, { before: 0, keep: 3, limit: 10 }), {
        removed: 0,
        left: ["g50", "g40", "g30", "a"]
      })
      assert.deepStrictEqual(yield* forgetting(trial, { before: 0, keep: 0, limit: 10 }), {
        removed: 3,
        left: ["a"]
      })
    })
  )

  test(
    "removes no more than so many in one step, the oldest first",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(...[5, 1, 4, 2, 3].map((at) => gone(`g${at}`, at)))
      const options = { before: 5, keep: 100, limit: 3 }
      assert.deepStrictEqual(yield* forgetting(trial, options), { removed: 3, left: ["g5", "g4"] })
      assert.deepStrictEqual(yield* forgetting(trial, options), { removed: 1, left: ["g5"] })
      assert.deepStrictEqual(yield* forgetting(trial, options), { removed: 0, left: ["g5"] })
    })
  )

  test(
    "takes over the generation up to which workers were forgotten elsewhere, and never a lower one",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const told = (forgottenGeneration: number) =>
        trial.store.modify({ workerIds: [], keys: [] }, () => ({
          records: [],
          segments: [],
          trims: [],
          notes: [],
          forgottenGeneration,
          value: undefined
        }))
      yield* told(Number.MAX_SAFE_INTEGER - 1)
      yield* told(7)
      assert.strictEqual((yield* trial.store.overview).forgottenGeneration, Number.MAX_SAFE_INTEGER - 1)
    })
  )

  test(
    "removes their timelines with them, and remembers the largest generation",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(gone("a", 1, 700), gone("b", 2, Number.MAX_SAFE_INTEGER), gone("c", 3, 5), record("d"))
      yield* trial.tell(segment("a", 1), segment("c", 1), segment("d", 1), segment("a", 2))
      yield* trial.store.forget({ before: 2, keep: 100, limit: 10 })
      assert.strictEqual((yield* trial.store.overview).forgottenGeneration, 700)
      assert.deepStrictEqual(yield* trial.store.timeline(id("a")), [])
      yield* trial.store.forget({ before: 100, keep: 100, limit: 1 })
      yield* trial.store.forget({ before: 100, keep: 100, limit: 1 })
      assert.strictEqual((yield* trial.store.overview).forgottenGeneration, Number.MAX_SAFE_INTEGER)
      assert.deepStrictEqual(
        (yield* trial.store.segments(0, 10)).map(({ workerId }) => workerId),
        [id("d")]
      )
      // Nothing of the others lies where nobody sees it.
      assert.strictEqual(
        yield* trial.store.forgetHistory({ segmentsBefore: 100, notesBefore: 0, limit: 10 }),
        1
      )
    })
  )

  test(
    "a worker that comes back is a new one",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(gone("a", 1), record("b"))
      yield* trial.put(record("a", { updatedAt: 0 }))
      assert.deepStrictEqual(yield* forgetting(trial, { before: 9, keep: 0, limit: 10 }), {
        removed: 0,
        left: ["a", "b"]
      })
      yield* trial.put(gone("a", 1))
      yield* trial.store.forget({ before: 9, keep: 0, limit: 10 })
      yield* trial.put(record("a"))
      assert.deepStrictEqual((yield* trial.pages({}, 10)).ids, ["b", "a"])
    })
  )
}

export const testForgetHistory = (test: DeclareTest) => {
  test(
    "removes segments and notes from before, each as if alone, the workers untouched",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(record("a"))
      yield* trial.tell(...[3, 1, 2].map((at, index) => segment("a", index + 1, { at })))
      yield* trial.commit({ notes: [1, 2, 3].map((at) => ({ key: `k${at}`, value: "v", at })) })
      const left = Effect.gen(function* () {
        const times = (yield* trial.store.segments(0, 10)).map(({ at }) => at)
        const { notes } = yield* trial.found([], ["k1", "k2", "k3"])
        return [...times, ...notes.map(([key]) => key)]
      })
      const forget = (segmentsBefore: number, notesBefore: number, limit = 10) =>
        trial.store.forgetHistory({ segmentsBefore, notesBefore, limit })

      assert.strictEqual(yield* forget(1, 1), 0)
      assert.strictEqual(yield* forget(2, 1), 1)
      assert.deepStrictEqual(yield* left, [3, 2, "k1", "k2", "k3"])
      assert.strictEqual(yield* forget(1, 2), 1)
      assert.deepStrictEqual(yield* left, [3, 2, "k2", "k3"])
      assert.strictEqual(yield* forget(9, 9, 1), 2)
      assert.deepStrictEqual(yield* left, [3, "k3"])
      assert.strictEqual(yield* forget(9, 9, 1), 2)
      assert.strictEqual(yield* forget(9, 9, 1), 0)
      assert.deepStrictEqual(yield* left, [])
      assert.isDefined(yield* trial.read("a"))
    })
  )
}
