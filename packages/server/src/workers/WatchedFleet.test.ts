import { WorkerId } from "@muster/core"
import { assert, describe, it } from "@effect/vitest"
import { secondsAgo, viewOf } from "./TestViews.ts"
import { matches, WatchedFleet } from "./WatchedFleet.ts"
import { orderBy } from "./WorkerRow.ts"

const changed = (id: string, phase: "pending" | "registered" | "failed", ago: number) => ({
  workerId: WorkerId.make(id),
  phase,
  generation: 8,
  at: secondsAgo(ago),
  nextAttemptAt: null
})

const idsOf = (fleet: WatchedFleet, most = 10) => fleet.first(most, orderBy("updated")).map(({ id }) => id)

describe("WatchedFleet", () => {
  it("shows the latest changes first, and no more than it is asked for", () => {
    const fleet = new WatchedFleet({})
    fleet.replace(["a", "b", "c"].map((id, index) => viewOf(id, { updatedAt: secondsAgo(60 - index) })))
    assert.deepStrictEqual(idsOf(fleet), ["c", "b", "a"])
    fleet.apply(changed("a", "failed", 1))
    assert.deepStrictEqual(idsOf(fleet, 2), ["a", "c"])
    assert.deepStrictEqual(Array.from(fleet.count()), [
      ["failed", 1],
      ["registered", 2]
    ])
  })

  it("is not set back by a change that is older than what was listed", () => {
    const fleet = new WatchedFleet({})
    fleet.replace([viewOf("a", { updatedAt: secondsAgo(5) })])
    fleet.apply(changed("a", "pending", 6))
    assert.deepStrictEqual(Array.from(fleet.count().keys()), ["registered"])
  })

  it("asks for what it does not know of the rows that are shown, and for new workers", () => {
    const fleet = new WatchedFleet({})
    fleet.replace([viewOf("a"), viewOf("b")])
    fleet.apply(changed("a", "failed", 1))
    fleet.apply(changed("new", "pending", 0))
    const shown = fleet.first(1, orderBy("updated"))
    assert.deepStrictEqual(fleet.wanted(shown, 10), [WorkerId.make("a"), WorkerId.make("new")])
    fleet.update(viewOf("a", { phase: "failed", updatedAt: secondsAgo(1) }))
    fleet.update(viewOf("new", { phase: "pending", updatedAt: secondsAgo(0) }))
    assert.isEmpty(fleet.wanted(fleet.first(10, orderBy("updated")), 10))
    assert.deepStrictEqual(idsOf(fleet), ["new", "a", "b"])
  })

  it("keeps only what its filter asks for", () => {
    const fleet = new WatchedFleet({ phase: ["failed"], namespace: "gpu" })
    fleet.replace([viewOf("a", { phase: "failed", metadata: { namespace: "gpu" } })])
    fleet.apply(changed("b", "registered", 1))
    fleet.apply(changed("a", "registered", 1))
    assert.strictEqual(fleet.size, 0)
    assert.isEmpty(fleet.wanted([], 10))
    fleet.apply(changed("c", "failed", 1))
    fleet.update(viewOf("c", { phase: "failed", metadata: { namespace: "cpu" } }))
    assert.strictEqual(fleet.size, 0)
  })

  it("lets go of the oldest of more new workers than it can ask for", () => {
    const fleet = new WatchedFleet({})
    for (let i = 0; i < 10_100; i++) fleet.apply(changed(`w${i}`, "pending", 0))
    const wanted = fleet.wanted([], 20_000)
    assert.lengthOf(wanted, 10_000)
    assert.strictEqual(wanted[0], "w100")
  })
})

describe("matches", () => {
  const view = viewOf("a", { metadata: { namespace: "gpu", workerType: "static", labels: { zone: "a=b" } } })

  it.each([
    [{}, true],
    [{ namespace: "gpu", workerType: "static" as const, label: ["zone=a=b"] }, true],
    [{ namespace: "cpu" }, false],
    [{ workerType: "dynamic" as const }, false],
    [{ label: ["zone=a"] }, false],
    [{ label: ["toString=x"] }, false],
    [{ phase: ["failed" as const] }, false]
  ])("%j: %s", (query, isMatch) => assert.strictEqual(matches(query, view), isMatch))
})
