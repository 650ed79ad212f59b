import { assert, describe, it } from "@effect/vitest"
import { secondsAgo, viewOf } from "../workers/TestViews.ts"
import { Causes } from "./Causes.ts"

const deadLetter = (id: string, message: string, ago = 60) =>
  viewOf(id, {
    phase: "failed",
    lastError: { type: "invalid_worker", message, retryable: false, at: secondsAgo(ago) }
  })

describe("Causes", () => {
  it("counts as one what differs in the worker and in the time it took alone", () => {
    const causes = new Causes()
    causes.add(deadLetter("ci-1", "rejected worker ci-1 after 1 attempt in 87ms: no such pool"))
    causes.add(deadLetter("ci-2", "rejected worker ci-2 after 3 attempts in 1s 20ms: no such pool", 5))
    causes.add(deadLetter("ci-3", "rejected worker ci-3 after 1 attempt in 3ms: too large"))
    assert.strictEqual(causes.total, 3)
    assert.deepStrictEqual(
      causes.items.map(({ count, example, latest }) => ({ count, example, latest })),
      [
        { count: 2, example: "ci-1", latest: secondsAgo(5) },
        { count: 1, example: "ci-3", latest: secondsAgo(60) }
      ]
    )
  })

  it("does not take an id for a part of a word", () => {
    const causes = new Causes()
    causes.add(deadLetter("to", "worker to: too large, not stored"))
    causes.add(deadLetter("large", "worker large: too small, not stored"))
    assert.lengthOf(causes.items, 2)
  })

  it("is bounded, however many different things a scheduler says", () => {
    const causes = new Causes()
    for (let i = 0; i < 5000; i++) causes.add(deadLetter("w", `reason number ${i}`))
    assert.lengthOf(causes.items, 1001)
    assert.strictEqual(causes.items[0]?.count, 4000)
  })
})
