import { assert, describe, it } from "@effect/vitest"
import { TestFleetStore } from "@muster/testing"
import { Duration, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { ChangedRecord, Draft } from "./Draft.ts"
import { terminate } from "./FleetChanges.ts"
import { fleetDefaults, toRules } from "./FleetOptions.ts"
import { FleetStore } from "./FleetStore.ts"
import { makeGroupCommit } from "./GroupCommit.ts"
import { MemoryFleetStore } from "./MemoryFleetStore.ts"
import { WorkerId } from "../WorkerId.ts"

/** Group commit over a store in memory, and what it told. */
const setUp = Effect.gen(function* () {
  const kept = yield* MemoryFleetStore.make
  const store = new TestFleetStore(kept)
  const scope = yield* Scope.fork(yield* Effect.scope)
  const committed: Array<ReadonlyArray<ChangedRecord>> = []
  let recoveries = 0
  const groupCommit = yield* makeGroupCommit({
    context: (now) => ({
      now,
      rules: toRules(fleetDefaults),
      unfinished: 0,
      nextGeneration: (_, above) => above + 1,
      leaseTerm: (leaseTtl) => leaseTtl
    }),
    onCommit: (changed) => void committed.push(changed),
    onEnd: () => {},
    recover: Effect.sync(() => void recoveries++)
  }).pipe(Effect.provideService(FleetStore, store.service), Scope.provide(scope))
  return {
    ...groupCommit,
    store,
    kept,
    scope,
    sizes: () => committed.map((changed) => changed.length),
    recoveries: () => recoveries
  }
})

const id = (name: string | number) => WorkerId.make(`w${name}`)

/** Wants a worker gone, and gives its number back. */
const drop = (number: number) => ({
  workerIds: [id(number)],
  apply: (draft: Draft) => {
    terminate(draft, id(number), { name: "terminated" })
    return number
  }
})

/** Lets everything run that does not wait for time to pass. */
const settle = TestClock.adjust(Duration.zero)

/** Every transaction takes a second before it is done. */
const slow = () => ({ before: "1 second" }) as const

describe("GroupCommit", () => {
  it.effect("commits a lone change at once", () =>
    Effect.gen(function* () {
      const { commit, store } = yield* setUp
      assert.strictEqual(yield* commit(drop(1)), 1)
      assert.strictEqual(yield* commit(drop(2)), 2)
      assert.strictEqual(store.count("modify"), 2)
    })
  )

  it.effect("those that come while a transaction is under way share the next one, in their order", () =>
    Effect.gen(function* () {
      const { commit, kept, sizes, store } = yield* setUp
      store.answer = slow
      const first = yield* Effect.forkChild(commit(drop(0)))
      yield* settle
      const others = yield* Effect.forkChild(
        Effect.forEach([1, 2, 3, 4, 5], (number) => commit(drop(number)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(first), 0)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(others), [1, 2, 3, 4, 5])
      assert.deepStrictEqual(sizes(), [1, 5])
      const { records } = yield* kept.list({}, 10, 0)
      assert.deepStrictEqual(
        records.map((record) => record.id),
        [0, 1, 2, 3, 4, 5].map(id)
      )
    })
  )

  it.effect("each change sees what those before it in the same transaction did", () =>
    Effect.gen(function* () {
      const { commit, store } = yield* setUp
      const generationOf = (draft: Draft) => draft.record(id(1))?.generation
      const look = { workerIds: [id(1)], apply: generationOf }
      const seen = yield* Effect.all([commit(look), commit(drop(1)), commit(look)], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(seen, [undefined, 1, 1])
      assert.isAtMost(store.count("modify"), 2)
    })
  )

  it.effect("no transaction is larger than 256 workers, except for a single change of more", () =>
    Effect.gen(function* () {
      const { commit, sizes, store } = yield* setUp
      store.answer = slow
      yield* Effect.forkChild(commit(drop(0)))
      yield* settle
      const numbers = Array.from({ length: 600 }, (_, index) => index + 1)
      yield* Effect.forkChild(
        Effect.forEach(numbers, (number) => commit(drop(number)), { concurrency: "unbounded" })
      )
      const many = Array.from({ length: 300 }, (_, index) => id(`many${index}`))
      yield* Effect.forkChild(
        commit({
          workerIds: many,
          apply: (draft) => many.forEach((each) => terminate(draft, each, { name: "terminated" }))
        })
      )
      yield* Effect.repeat(TestClock.adjust("1 second"), { times: 20 })
      assert.deepStrictEqual(sizes(), [1, 256, 256, 88, 300])
    })
  )

  it.effect("lets others have a turn while it tells many that theirs is done", () =>
    Effect.gen(function* () {
      const { commit, sizes, store } = yield* setUp
      store.answer = slow
      yield* Effect.forkChild(commit(drop(0)))
      yield* settle
      let done = 0
      const numbers = Array.from({ length: 200 }, (_, index) => index + 1)
      const one = (number: number) => Effect.map(commit(drop(number)), () => void done++)
      yield* Effect.forkChild(Effect.forEach(numbers, one, { concurrency: "unbounded" }))
      const seen: Array<number> = []
      const watch = Effect.andThen(
        Effect.yieldNow,
        Effect.sync(() => seen.push(done))
      )
      yield* Effect.forkChild(Effect.repeat(watch, { until: () => done === numbers.length }))
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(sizes(), [1, 200])
      const portions = seen.map((count, index) => count - (seen[index - 1] ?? 0))
      assert.strictEqual(seen.at(-1), 200)
      assert.isAtMost(Math.max(...portions), 64)
    })
  )

  describe("when the store fails", () => {
    it.effect("all who share the transaction are told, and the next one succeeds", () =>
      Effect.gen(function* () {
        const { commit, kept, store } = yield* setUp
        store.answer = () => "fails"
        const results = yield* Effect.forEach([1, 2, 3], (number) => Effect.flip(commit(drop(number))), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(
          results.map(({ _tag }) => _tag),
          ["StoreUnavailable", "StoreUnavailable", "StoreUnavailable"]
        )
        store.answer = () => "succeeds"
        assert.strictEqual(yield* commit(drop(4)), 4)
        assert.strictEqual((yield* kept.overview).unfinished, 1)
      })
    )

    it.effect(
      "what it holds is looked at before the next transaction, since the last may have been committed",
      () =>
        Effect.gen(function* () {
          const { commit, recoveries, store } = yield* setUp
          yield* commit(drop(1))
          assert.strictEqual(recoveries(), 0)
          store.answer = (operation) => (operation === "modify" ? "does it and fails" : "succeeds")
          yield* Effect.flip(commit(drop(2)))
          assert.strictEqual(recoveries(), 0)
          store.answer = () => "succeeds"
          yield* commit(drop(3))
          yield* commit(drop(4))
          assert.strictEqual(recoveries(), 1)
        })
    )

    it.effect("the same after something else that was done between two transactions", () =>
      Effect.gen(function* () {
        const { between, commit, recoveries, store } = yield* setUp
        store.answer = () => "does it and fails"
        yield* Effect.flip(between(store.service.forget({ before: 0, keep: 0, limit: 1 })))
        store.answer = () => "succeeds"
        yield* commit(drop(1))
        assert.strictEqual(recoveries(), 1)
      })
    )
  })

  it.effect("does something else between two transactions, however many changes come", () =>
    Effect.gen(function* () {
      const { between, commit, store } = yield* setUp
      store.answer = slow
      let isOver = false
      const again = (number: number) => Effect.repeat(commit(drop(number)), { until: () => isOver })
      const numbers = Array.from({ length: 100 }, (_, index) => index)
      yield* Effect.forkChild(Effect.forEach(numbers, again, { concurrency: "unbounded" }))
      yield* TestClock.adjust("5 seconds")
      const other = yield* Effect.forkChild(between(Effect.succeed("done")))
      yield* TestClock.adjust("2 seconds")
      const exit = other.pollUnsafe()
      isOver = true
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(exit, Exit.succeed("done"))
    })
  )

  it.effect("does something else between two transactions, never during one", () =>
    Effect.gen(function* () {
      const { between, commit, kept, store } = yield* setUp
      store.answer = slow
      const change = yield* Effect.forkChild(commit(drop(1)))
      yield* settle
      const look = yield* Effect.forkChild(between(kept.overview))
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(look.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(look)).unfinished, 1)
      yield* Fiber.join(change)
    })
  )

  it.effect(
    "a caller that is interrupted is let go when its change is done; nothing is lost and nobody hangs",
    () =>
      Effect.gen(function* () {
        const { commit, kept, store } = yield* setUp
        store.answer = slow
        const first = yield* Effect.forkChild(commit(drop(1)))
        yield* settle
        const second = yield* Effect.forkChild(commit(drop(2)))
        const third = yield* Effect.forkChild(commit(drop(3)))
        yield* settle
        yield* Effect.forkChild(Fiber.interruptAll([first, second]))
        yield* TestClock.adjust("1 second")
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(first)))
        yield* TestClock.adjust("1 second")
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(second)))
        assert.strictEqual(yield* Fiber.join(third), 3)
        assert.strictEqual((yield* kept.overview).unfinished, 3)
      })
  )

  describe("when it is closed", () => {
    it.effect("ends what it has begun, and those who wait are told", () =>
      Effect.gen(function* () {
        const { commit, scope, store } = yield* setUp
        store.answer = slow
        const begun = yield* Effect.forkChild(commit(drop(1)))
        yield* settle
        const waiting = yield* Effect.forkChild(Effect.flip(commit(drop(2))))
        yield* settle
        yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* settle
        assert.strictEqual((yield* Fiber.join(waiting))._tag, "StoreUnavailable")
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(begun), 1)
        assert.strictEqual(store.count("modify"), 1)
      })
    )

    it.effect("takes nothing more", () =>
      Effect.gen(function* () {
        const { commit, scope } = yield* setUp
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* Effect.flip(commit(drop(1))))._tag, "StoreUnavailable")
      })
    )
  })
})
