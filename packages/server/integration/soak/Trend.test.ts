import { assert, describe, it } from "@effect/vitest"
import { median, slopeOf, thin } from "./Trend.ts"

const line = (slope: number) => Array.from({ length: 30 }, (_, at) => ({ at, value: 5 + slope * at }))

describe("slopeOf", () => {
  it("is that of a line", () => {
    assert.closeTo(slopeOf(line(2)), 2, 1e-9)
    assert.closeTo(slopeOf(line(-0.5)), -0.5, 1e-9)
  })

  it("does not follow some that are far off, wherever they are", () => {
    const points = line(1).map(({ at, value }) => ({ at, value: at % 5 === 4 ? 1e6 : value }))
    assert.closeTo(slopeOf(points), 1, 0.05)
  })

  it("is 0 of one point, and of none", () => {
    assert.strictEqual(slopeOf([]), 0)
    assert.strictEqual(slopeOf([{ at: 1, value: 1 }]), 0)
  })
})

describe("median", () => {
  it("is the one in the middle, or between the two there", () => {
    assert.strictEqual(median([3, 1, 2]), 2)
    assert.strictEqual(median([4, 1, 3, 2]), 2.5)
  })
})

describe("thin", () => {
  it("keeps the order and no more than asked for", () => {
    assert.deepStrictEqual(thin([1, 2, 3, 4, 5, 6], 3), [1, 3, 5])
    assert.deepStrictEqual(thin([1, 2], 3), [1, 2])
  })
})
