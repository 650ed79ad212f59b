import { assert, describe, it } from "vitest"
import { judgeCalls, type RecordedCall } from "./CallOrder.ts"
import type { Life } from "./ManagedProcess.ts"

const [a, b] = [1, 2]
let numbers = 0

interface Times {
  readonly sent?: number
  readonly begun: number
  readonly ended?: number
  readonly givenUp?: number
  readonly generation?: number
}

/** A call for the one worker of these tests; `ended` absent: it hangs. */
const call = (pid: number, { begun, ended, generation = 1, givenUp, sent = begun }: Times): RecordedCall => ({
  id: "w",
  call: "register",
  generation,
  from: { pid, call: ++numbers, sentAt: sent },
  begin: { line: begun, at: begun },
  end: ended === undefined ? undefined : { line: ended, at: ended, how: "answered" },
  cutShort: undefined,
  givenUpAt: givenUp
})

const life = (pid: number, fate: Partial<Life> = {}): Life => ({
  pid,
  killedAt: undefined,
  stops: [],
  ...fate
})

const judge = (calls: ReadonlyArray<RecordedCall>, fateOfA: Partial<Life> = {}) =>
  judgeCalls(calls, { lives: [life(a, fateOfA), life(b)], harmlessStop: 50 })

const stoppedFrom100To300 = { stops: [{ from: 100, to: 300 }] }

describe("the order of the calls for one worker", () => {
  it("is right where each begins after the one before has ended, and none is older", () => {
    const { faults } = judge([
      call(a, { begun: 10, ended: 20 }),
      call(a, { begun: 30, ended: 40 }),
      call(b, { begun: 50, ended: 60, generation: 2 })
    ])
    assert.deepStrictEqual(faults, [])
  })

  it("is wrong where two are under way at the same time, of one process or of two", () => {
    for (const second of [a, b]) {
      const { faults } = judge([call(a, { begun: 10, ended: 30 }), call(second, { begun: 20, ended: 40 })])
      assert.lengthOf(faults, 1)
    }
  })

  it("is wrong where an older generation comes after a newer one", () => {
    const { faults } = judge([
      call(a, { begun: 10, ended: 20, generation: 2 }),
      call(b, { begun: 30, ended: 40, generation: 1 })
    ])
    assert.lengthOf(faults, 1)
  })

  it("takes a call for over when its sender has given it up", () => {
    const { faults } = judge([call(a, { begun: 10, givenUp: 15 }), call(a, { begun: 20, ended: 40 })])
    assert.deepStrictEqual(faults, [])
  })

  it("takes a call for none that was given up before the scheduler came to it", () => {
    const { faults, givenUpBefore } = judge([
      call(a, { begun: 10, ended: 20, generation: 2 }),
      call(b, { sent: 1, begun: 15, ended: 18, givenUp: 9, generation: 1 })
    ])
    assert.deepStrictEqual(faults, [])
    assert.strictEqual(givenUpBefore, 1)
  })

  it("is wrong where a call goes on although its sender has left long ago", () => {
    const { faults } = judge([
      call(a, { begun: 10, givenUp: 15 }),
      call(a, { begun: 20, ended: 40 }),
      call(a, { begun: 6000, ended: 6010 })
    ])
    assert.lengthOf(faults, 1)
  })

  describe("of a process that was killed", () => {
    it("excuses what was under way then", () => {
      const order = judge([call(a, { begun: 10 }), call(b, { begun: 40, ended: 50 })], { killedAt: 30 })
      assert.deepStrictEqual(order.faults, [])
      assert.strictEqual(order.excusedByKill, 1)
    })

    it("excuses nothing that somebody else began while it lived", () => {
      const { faults } = judge([call(a, { begun: 10 }), call(b, { begun: 20, ended: 50 })], { killedAt: 30 })
      assert.lengthOf(faults, 1)
    })
  })

  describe("of a process that was stopped", () => {
    it("excuses what it had sent before, and finishes when it wakes up", () => {
      const order = judge(
        [
          call(b, { begun: 200, ended: 220, generation: 2 }),
          call(a, { sent: 90, begun: 310, ended: 320, generation: 1 })
        ],
        stoppedFrom100To300
      )
      assert.deepStrictEqual(order.faults, [])
      assert.strictEqual(order.excusedByStop, 1)
    })

    it("excuses nothing that it sent afterwards", () => {
      const { faults } = judge(
        [
          call(b, { begun: 200, ended: 220, generation: 2 }),
          call(a, { sent: 301, begun: 302, ended: 320, generation: 1 })
        ],
        stoppedFrom100To300
      )
      assert.lengthOf(faults, 1)
    })

    it("excuses nothing where the stop was too short to lose anything", () => {
      const { faults } = judge(
        [call(a, { begun: 90 }), call(b, { begun: 120, ended: 130 })],
        stoppedFrom100To300
      )
      assert.lengthOf(faults, 1)
    })
  })
})
