import { assert, describe, it } from "@effect/vitest"
import { WorkerId } from "@muster/core"
import { Sessions } from "./Sessions.ts"

const id = WorkerId.make("ci-1")
const one = new Uint8Array([1])
const other = new Uint8Array([2])

describe("a session", () => {
  it("is for what was registered in it, and for nothing else", () => {
    const sessions = new Sessions()
    sessions.keep(id, one, "s-1")
    assert.strictEqual(sessions.find(id, one), "s-1")
    assert.strictEqual(sessions.find(id, other), "")
    assert.strictEqual(sessions.find(WorkerId.make("ci-2"), one), "")
    sessions.keep(id, other, "s-2")
    assert.strictEqual(sessions.find(id, one), "")
    assert.strictEqual(sessions.find(id, other), "s-2")
  })

  it("is forgotten with its worker, and where the scheduler gives none", () => {
    const sessions = new Sessions()
    sessions.keep(id, one, "s-1")
    sessions.forget(id)
    assert.strictEqual(sessions.find(id, one), "")
    sessions.keep(id, one, "s-2")
    sessions.keep(id, one, "")
    assert.strictEqual(sessions.find(id, one), "")
  })

  it("is forgotten when there are very many: the one that was renewed longest ago first", () => {
    const sessions = new Sessions()
    const ids = Array.from({ length: 100_001 }, (_, index) => WorkerId.make(`w${index}`))
    const [first = id, second = id, ...rest] = ids
    for (const workerId of [first, second, ...rest.slice(1)]) sessions.keep(workerId, one, "s")
    sessions.keep(first, one, "renewed")
    sessions.keep(id, one, "s")
    assert.strictEqual(sessions.find(first, one), "renewed")
    assert.strictEqual(sessions.find(second, one), "")
    assert.strictEqual(sessions.find(id, one), "s")
  })
})
