import { assert, describe, it } from "@effect/vitest"
import { SeenEvents } from "./SeenEvents.ts"

describe("SeenEvents", () => {
  it("knows an event by its source and its id together", () => {
    const seen = new SeenEvents(10)
    assert.isTrue(seen.add("a", "bc"))
    assert.isTrue(seen.add("ab", "c"))
    assert.isFalse(seen.add("a", "bc"))
    assert.isTrue(seen.add("x".repeat(1000), "1"))
    assert.isFalse(seen.add("x".repeat(1000), "1"))
  })

  it("takes an event again that was forgotten", () => {
    const seen = new SeenEvents(10)
    seen.add("a", "1")
    seen.remove("a", "1")
    assert.isTrue(seen.add("a", "1"))
  })

  it("remembers the latest, at least as many as it should and at most twice as many", () => {
    const seen = new SeenEvents(100)
    for (let i = 0; i < 1000; i++) seen.add("a", String(i))
    for (let i = 900; i < 1000; i++) assert.isFalse(seen.add("a", String(i)))
    assert.isTrue(seen.add("a", "0"))
  })
})
