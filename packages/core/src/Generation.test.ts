import { assert, describe, it } from "@effect/vitest"
import { nextGeneration } from "./Generation.ts"

describe("nextGeneration", () => {
  it("grows with every call, also when the wall clock stands still or goes back", () => {
    const now = Date.UTC(2026, 10, 23)
    const generations = [now, now, now - 60_000, now, now + 1, now].map(nextGeneration)
    const sorted = Array.from(new Set(generations)).toSorted((a, b) => a - b)
    assert.deepStrictEqual(generations, sorted)
  })

  it("is the milliseconds times 4096, so a process started later continues above an earlier one", () => {
    const later = Date.UTC(2027, 0, 1)
    assert.strictEqual(nextGeneration(later), later * 4096)
  })

  it("stays a safe integer until 2039", () => {
    assert.isTrue(Number.isSafeInteger(Date.UTC(2039, 0, 1) * 4096 + 4095))
  })
})
