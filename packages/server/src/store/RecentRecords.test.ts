import { assert, describe, it } from "@effect/vitest"
import { WorkerId } from "@muster/core"
import { StoredWorker, type WorkerRecord } from "@muster/core/fleet"
import { workerRecord } from "@muster/testing"
import { RecentRecords } from "./RecentRecords.ts"

const unfinished = (id: string, changes: Partial<WorkerRecord> = {}) =>
  workerRecord(id, { task: "call", dueAt: 1, ...changes })

const changeTo = (record: WorkerRecord) => ({
  before: undefined,
  after: { ordinal: 1, record, namespace: null, workerType: null }
})

const commit = (recent: RecentRecords, ...records: ReadonlyArray<WorkerRecord>) =>
  recent.giveBack(recent.lend(), records.map(changeTo))

/** Those that the next transaction would be lent, which commits nothing. */
const idsIn = (recent: RecentRecords) => {
  const lent = recent.lend()
  const ids = Array.from(lent.records.keys())
  recent.giveBack(lent, [])
  return ids
}

describe("RecentRecords", () => {
  it("has what is unfinished, as it was written last", () => {
    const recent = new RecentRecords()
    commit(recent, unfinished("a"), unfinished("b"), workerRecord("c"))
    commit(recent, unfinished("a", { attempts: 2 }))
    assert.deepStrictEqual(idsIn(recent), ["b", "a"])
    assert.strictEqual(recent.lend().records.get(WorkerId.make("a"))?.record.attempts, 2)
  })

  it("lets go of what is done", () => {
    const recent = new RecentRecords()
    commit(recent, unfinished("a"))
    commit(recent, workerRecord("a"))
    assert.deepStrictEqual(idsIn(recent), [])
  })

  it("has nothing after a transaction of whose end nobody has told", () => {
    const recent = new RecentRecords()
    commit(recent, unfinished("a"))
    recent.lend()
    assert.deepStrictEqual(idsIn(recent), [])
  })

  it("takes nothing from a transaction that others have overtaken", () => {
    const recent = new RecentRecords()
    const first = recent.lend()
    commit(recent, unfinished("a", { attempts: 2 }))
    recent.giveBack(first, [changeTo(unfinished("a", { attempts: 1 }))])
    assert.strictEqual(recent.lend().records.get(WorkerId.make("a"))?.record.attempts, 2)
  })

  it("has nothing once others may have changed records", () => {
    const recent = new RecentRecords()
    const lent = recent.lend()
    recent.forget()
    recent.giveBack(lent, [changeTo(unfinished("a"))])
    assert.deepStrictEqual(idsIn(recent), [])
  })

  it("is bounded: the latest few thousand, and none that is large", () => {
    const recent = new RecentRecords()
    const ids = Array.from({ length: 5000 }, (_, index) => `w${index}`)
    commit(recent, ...ids.map((id) => unfinished(id)))
    assert.deepStrictEqual(idsIn(recent), ids.slice(-4096))
    commit(recent, unfinished("w4999", { stored: StoredWorker.fromJson("x".repeat(5000)) }))
    assert.deepStrictEqual(idsIn(recent), ids.slice(-4096, -1))
  })
})
