import { WorkerId } from "@muster/core"
import { Option } from "effect"
import { assert, describe, it } from "vitest"
import { toNodeName, toWorkerId } from "./NodeName.ts"

describe("the node name of a worker", () => {
  const asTheyAre = [
    "ci-7f3a",
    "a",
    "A",
    "a.b",
    "a:b",
    "a_b",
    "node-0001",
    "0",
    `a${"9".repeat(18)}`,
    "all-1",
    "x".repeat(253)
  ]
  it.each(asTheyAre)("is its id: %s", (id) => {
    assert.strictEqual(toNodeName(WorkerId.make(id)), id)
  })

  const reserved = [
    "ALL",
    "all",
    "All",
    "DEFAULT",
    "default",
    "localhost",
    `a${"9".repeat(19)}`,
    "1".repeat(253)
  ]
  it.each(reserved)("gets a + at its end where Slurm would take it for something else: %s", (id) => {
    assert.strictEqual(toNodeName(WorkerId.make(id)), `${id}+`)
  })

  it.each([...asTheyAre, ...reserved])("leads back to the id: %s", (id) => {
    assert.deepStrictEqual(toWorkerId(toNodeName(WorkerId.make(id))), Option.some(id))
  })

  it.each(["all", "ci-7f3a+", "ALL++", "+", "", "-a", "a[1-2]", "a,b", "x".repeat(254)])(
    "is never one that another id has: %s",
    (name) => {
      assert.deepStrictEqual(toWorkerId(name), Option.none())
    }
  )
})
