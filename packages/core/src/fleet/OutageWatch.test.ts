import { assert, describe, it } from "@effect/vitest"
import type { Failure } from "./Failure.ts"
import { OutageWatch } from "./OutageWatch.ts"

const failure = (type: Failure["type"], retryable: boolean): Failure => ({
  type,
  message: "",
  retryable,
  at: 0
})

const refused = failure("scheduler_unavailable", true)

/** How many outages end in this story. */
const ends = (...story: ReadonlyArray<Failure | undefined>) => {
  let count = 0
  const watch = new OutageWatch(() => count++)
  for (const each of story) watch.note(each)
  return count
}

describe("an outage of the scheduler", () => {
  it("is three failures in a row, and ends with a success", () => {
    assert.strictEqual(ends(refused, refused, undefined), 0)
    assert.strictEqual(ends(refused, refused, refused), 0)
    assert.strictEqual(ends(refused, refused, refused, undefined, undefined), 1)
    assert.strictEqual(ends(refused, refused, undefined, refused, undefined), 0)
  })

  it("ends with a refusal as well, since somebody has answered", () => {
    assert.strictEqual(ends(refused, refused, refused, failure("invalid_worker", false)), 1)
  })

  it("does not end with a call that was overtaken, perhaps before it was made", () => {
    const superseded = failure("superseded", false)
    assert.strictEqual(ends(refused, refused, refused, superseded), 0)
    assert.strictEqual(ends(refused, refused, superseded, refused, undefined), 1)
  })
})
