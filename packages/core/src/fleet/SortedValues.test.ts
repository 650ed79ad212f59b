import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { SortedValues } from "./SortedValues.ts"

const ascending = (left: number, right: number) => left - right

const all = <A>(values: SortedValues<A>) => Array.from(values.from(() => false))

describe("SortedValues", () => {
  it("has nothing to give while it is empty", () => {
    const values = new SortedValues(ascending)
    values.delete(1)
    assert.strictEqual(values.size, 0)
    assert.deepStrictEqual(all(values), [])
    assert.deepStrictEqual(
      values.take(3, () => false),
      []
    )
  })

  it("gives what is wanted from a place on", () => {
    const values = new SortedValues(ascending)
    for (let value = 3000; value > 0; value--) values.add(value)
    assert.deepStrictEqual(
      values.take(3, (value) => value <= 1500),
      [1501, 1502, 1503]
    )
    assert.deepStrictEqual(
      values.take(9, (value) => value < 2998),
      [2998, 2999, 3000]
    )
    assert.deepStrictEqual(
      values.take(9, () => true),
      []
    )
    assert.deepStrictEqual(
      values.takeWhile(9, (value) => value < 3),
      [1, 2]
    )
    assert.deepStrictEqual(
      values.takeWhile(0, () => true),
      []
    )
  })

  it.effect("keeps the order, whatever is added and removed", () =>
    Effect.gen(function* () {
      const values = new SortedValues(ascending)
      const expected = new Set<number>()
      for (let step = 0; step < 20_000; step++) {
        const value = yield* Random.nextIntBetween(0, 5000)
        if (expected.has(value)) values.delete(value)
        else values.add(value)
        if (!expected.delete(value)) expected.add(value)
      }
      assert.deepStrictEqual(all(values), Array.from(expected).toSorted(ascending))
      assert.strictEqual(values.size, expected.size)

      for (const value of expected) values.delete(value)
      assert.deepStrictEqual(all(values), [])
    })
  )
})
