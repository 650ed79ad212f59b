import { assert, describe, it } from "@effect/vitest"
import { render } from "./ProgressBar.ts"

describe("the progress bar", () => {
  it("shows the share that is done, the rate, the time that is left and the failures so far", () => {
    const line = render({ settled: 500, failed: 2, total: 2000, isEstimate: false }, 5, 100)
    assert.strictEqual(line, `${"█".repeat(6)}${"░".repeat(18)}  25%  500/2,000  100/s  15s left  2 failed`)
  })

  it("marks a total that is a guess, and never shows less than what is done", () => {
    assert.include(render({ settled: 10, failed: 0, total: 1000, isEstimate: true }, 1, 100), "10/~1,000")
    assert.include(render({ settled: 12, failed: 0, total: 10, isEstimate: true }, 1, 100), "100%  12/~12")
  })

  it("shows no share and no time where nothing says how much will come", () => {
    const line = render({ settled: 12_345, failed: 0, total: undefined, isEstimate: true }, 2, 100)
    assert.strictEqual(line, "12,345  6,173/s  0 failed")
  })

  it("is made of numbers from the first moment on", () => {
    for (const total of [undefined, 0, 10]) {
      assert.notMatch(render({ settled: 0, failed: 0, total, isEstimate: true }, 0, 80), /NaN|Infinity/)
    }
  })

  it("tells long times in hours and minutes", () => {
    const line = (settled: number) =>
      render({ settled, failed: 0, total: 100_000, isEstimate: false }, 100, 120)
    assert.include(line(100), "27h 45m left")
    assert.include(line(10_000), "15m 00s left")
  })

  it("leaves parts out on a narrow terminal, and never half a number", () => {
    const at = (columns: number) =>
      render({ settled: 500, failed: 2, total: 2000, isEstimate: false }, 5, columns).trim()
    assert.strictEqual(at(43), "25%  500/2,000  100/s  15s left  2 failed")
    assert.strictEqual(at(40), "25%  500/2,000  15s left  2 failed")
    assert.strictEqual(at(30), "25%  500/2,000  2 failed")
    assert.strictEqual(at(20), "25%  2 failed")
    assert.strictEqual(at(8), "25%")
    assert.strictEqual(at(3), "")
  })

  it("fits into a narrow terminal, without wrapping", () => {
    for (const columns of [1, 20, 40, 60, 80]) {
      const line = render({ settled: 500, failed: 2, total: 2000, isEstimate: false }, 5, columns)
      assert.isBelow(line.length, columns)
    }
  })
})
