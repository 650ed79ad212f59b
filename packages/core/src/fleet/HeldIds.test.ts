import { assert, describe, it } from "@effect/vitest"
import { HeldIds } from "./HeldIds.ts"

const ids = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)

/** Of a hundred thousand ids that were not added, those that count as added. */
const mistaken = (held: HeldIds) => ids(100_000, "other-").filter((id) => held.has(id))

const filled = (count: number, expected: number, seed: number, prefix = "worker-") => {
  const held = new HeldIds(expected, seed)
  for (const id of ids(count, prefix)) held.add(id)
  return held
}

describe("HeldIds", () => {
  it("never forgets one that was added, also when there are many more than were expected", () => {
    for (const expected of [50_000, 0, 1]) {
      const held = filled(50_000, expected, 1)
      assert.isTrue(ids(50_000, "worker-").every((id) => held.has(id)))
    }
  })

  it("takes few of the others for added: about one in a hundred thousand", () => {
    const rates = [1, 2, 3, 4, 5].map((seed) => mistaken(filled(100_000, 100_000, seed)).length)
    // About 1 is expected of each; ten times as many would not be chance.
    assert.isAtMost(
      rates.reduce((sum, rate) => sum + rate, 0),
      50
    )
  })

  it("the same where ids are long and differ in a single place, or are very short", () => {
    const long = "a-very-long-name-of-a-worker-in-a-namespace-".repeat(5)
    const held = filled(100_000, 100_000, 7, long)
    assert.isAtMost(ids(100_000, `${long}x`).filter((id) => held.has(id)).length, 20)
    const short = new HeldIds(100, 7)
    for (const id of "abcdefghijklm") short.add(id)
    assert.deepStrictEqual(
      Array.from("nopqrstuvwxyz").filter((id) => short.has(id)),
      []
    )
  })

  it("each filter takes other ones for added, so that nobody is overlooked for ever", () => {
    // A filter that is far too small, so that there are mistakes at all.
    const [first, second] = [1, 2].map((seed) => new Set(mistaken(filled(4_000, 0, seed))))
    assert.isAbove(first?.size ?? 0, 100)
    const both = Array.from(first ?? []).filter((id) => second?.has(id) === true)
    assert.isBelow(both.length, (first?.size ?? 0) / 2)
  })

  it("holds nothing at first", () => {
    assert.deepStrictEqual(mistaken(new HeldIds(0, 0)), [])
  })
})
