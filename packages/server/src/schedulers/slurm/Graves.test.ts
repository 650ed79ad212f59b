import { WorkerId } from "@muster/core"
import { assert, describe, it } from "vitest"
import { Graves } from "./Graves.ts"

const id = (index: number) => WorkerId.make(`w${index}`)

describe("the generations of unregistrations", () => {
  it("are remembered, the largest of each worker", () => {
    const graves = new Graves(10)
    assert.strictEqual(graves.generation(id(1)), 0)
    graves.bury(id(1), 7)
    graves.bury(id(1), 5)
    assert.strictEqual(graves.generation(id(1)), 7)
  })

  it("are at most twice as many as are remembered for certain", () => {
    const graves = new Graves(10)
    for (let index = 1; index <= 100; index++) graves.bury(id(index), index)
    const remembered = Array.from({ length: 100 }, (_, index) => graves.generation(id(index + 1))).filter(
      Boolean
    )
    assert.isAtLeast(remembered.length, 10)
    assert.isAtMost(remembered.length, 20)
    assert.strictEqual(graves.generation(id(100)), 100)
  })
})
