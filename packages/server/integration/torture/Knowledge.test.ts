import { assert, describe, it } from "vitest"
import { type Answer, type Change, Knowledge } from "./Knowledge.ts"

const register = (content: string): Change => ({ name: "register", content })
const terminate: Change = { name: "terminate", always: false }
const ready: Change = { name: "ready" }
const accepted = (generation: number): Answer => ({ name: "accepted", generation })
const none: Answer = { name: "none" }

const registered = { desired: "registered", content: "a", generation: 5, saidReady: false } as const

const known = (...steps: ReadonlyArray<readonly [Change, Answer]>) =>
  steps.reduce((knowledge, [change, answer]) => knowledge.after(change, answer), Knowledge.none)

describe("what a client knows of a worker", () => {
  it("is what was acknowledged last", () => {
    const knowledge = known([register("a"), accepted(5)])
    assert.lengthOf(knowledge.matching(registered), 1)
    assert.isEmpty(knowledge.matching({ ...registered, generation: 4 }))
    assert.isEmpty(knowledge.matching({ ...registered, content: "b" }))
    assert.isEmpty(knowledge.matching({ ...registered, desired: "unregistered" }))
    assert.isEmpty(knowledge.matching({ ...registered, saidReady: true }))
  })

  it("is either of two states after a change without an answer, until the next that has one", () => {
    const knowledge = known([register("a"), accepted(5)], [terminate, none])
    assert.lengthOf(knowledge.matching(registered), 1)
    assert.lengthOf(knowledge.matching({ ...registered, desired: "unregistered", generation: 6 }), 1)
    assert.isEmpty(knowledge.matching({ ...registered, desired: "unregistered" }))
    const later = knowledge.after(register("b"), accepted(9))
    assert.isEmpty(later.matching(registered))
    assert.lengthOf(later.matching({ ...registered, content: "b", generation: 9 }), 1)
  })

  it("is contradicted by a generation that does not grow with a change", () => {
    assert.isEmpty(known([register("a"), accepted(5)], [register("b"), accepted(5)]).states)
    assert.isEmpty(known([register("a"), accepted(5)], [terminate, accepted(4)]).states)
    assert.isEmpty(known([register("a"), none], [register("a"), accepted(5)], [ready, accepted(6)]).states)
  })

  it("is contradicted by an answer that says that an acknowledged change never was", () => {
    assert.isEmpty(known([register("a"), accepted(5)], [terminate, { name: "not found" }]).states)
    assert.isEmpty(known([register("a"), accepted(5)], [ready, { name: "gone" }]).states)
    assert.isEmpty(known([register("a"), accepted(5)], [terminate, accepted(6)], [ready, accepted(6)]).states)
  })

  it("keeps generation and readiness where the same content comes again", () => {
    const knowledge = known([register("a"), accepted(5)], [ready, accepted(5)], [register("a"), accepted(5)])
    assert.lengthOf(knowledge.matching({ ...registered, saidReady: true }), 1)
    assert.isEmpty(knowledge.matching(registered))
  })

  it("takes a request that was accepted before for applied, at a generation that was not told", () => {
    const knowledge = known([register("a"), accepted(5)], [register("b"), { name: "repeated" }])
    assert.lengthOf(knowledge.matching({ ...registered, content: "b", generation: 7 }), 1)
    assert.isEmpty(knowledge.matching({ ...registered, content: "b", generation: 5 }))
    assert.isEmpty(knowledge.matching(registered))
  })
})
