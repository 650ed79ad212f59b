import { assert, describe, it } from "@effect/vitest"
import { Worker, WorkerCapabilities, WorkerId } from "@muster/core"
import { TxnRequest } from "../generated/etcd/etcd.ts"
import { EtcdLayout } from "./EtcdLayout.ts"
import { planTxns, TxnLimits } from "./TxnPlan.ts"
import { batchTxn, bytesOf, type Registration, toRegistration } from "./WorkerTxn.ts"

const layout = new EtcdLayout("/muster")
const capabilities = WorkerCapabilities.make({ cpuCores: 1, memoryMb: 1024 })
const registrationOf = (id: string, generation = 1): Registration =>
  toRegistration(layout, { worker: Worker.make({ id: WorkerId.make(id), capabilities }), generation })
const many = (count: number) => Array.from({ length: count }, (_, index) => registrationOf(`w${index}`))

const sizesOf = (registrations: ReadonlyArray<Registration>, limits: TxnLimits) =>
  planTxns(registrations, limits).map((wave) => wave.map((chunk) => chunk.length))

describe("the plan of transactions", () => {
  it("is none for nothing", () => {
    assert.deepStrictEqual(sizesOf([], new TxnLimits(128, 1e6)), [])
  })

  it("fills each to the limit of operations, of which a registration needs two for itself", () => {
    assert.deepStrictEqual(sizesOf(many(126), new TxnLimits(128, 1e6)), [[126]])
    assert.deepStrictEqual(sizesOf(many(300), new TxnLimits(128, 1e6)), [[126, 126, 48]])
    assert.deepStrictEqual(sizesOf(many(2), new TxnLimits(3, 1e6)), [[1, 1]])
  })

  it("keeps the order, and everything", () => {
    const registrations = many(300)
    assert.deepStrictEqual(planTxns(registrations, new TxnLimits(128, 1e6)).flat(2), registrations)
  })

  it("fills each to the limit of bytes, and leaves one that is larger alone", () => {
    const small = many(1).flatMap((registration) =>
      Array.from({ length: 10 }, (_, index) => ({ ...registration, id: WorkerId.make(`s${index}`) }))
    )
    const size = small[0] === undefined ? 0 : bytesOf(small[0])
    const limits = new TxnLimits(128, 4 * size + 2048)
    assert.deepStrictEqual(sizesOf(small, limits), [[4, 4, 2]])
    const large = { ...registrationOf("large"), value: new Uint8Array(5 * size) }
    assert.deepStrictEqual(sizesOf([...small.slice(0, 2), large, ...small.slice(2, 4)], limits), [[2, 1, 2]])
  })

  it("never thinks a transaction smaller than it is", () => {
    for (const registrations of [
      many(1),
      many(126),
      [registrationOf("x".repeat(253), Number.MAX_SAFE_INTEGER)]
    ]) {
      const request = batchTxn(registrations, 2 ** 52)
      const thought = registrations.reduce((sum, registration) => sum + bytesOf(registration), 0)
      assert.isAtMost(TxnRequest.encode(request).finish().length, thought + 1024)
    }
  })

  it("puts a later registration of the same worker into a later wave", () => {
    const [first, second, third] = [registrationOf("w0", 1), registrationOf("w0", 2), registrationOf("w0", 3)]
    const [other, another] = [registrationOf("w1"), registrationOf("w2")]
    assert.deepStrictEqual(planTxns([first, other, second, another, third], new TxnLimits(128, 1e6)), [
      [[first, other, another]],
      [[second]],
      [[third]]
    ])
  })

  it("becomes smaller when etcd takes fewer operations than was thought, and never nothing", () => {
    const limits = new TxnLimits(128, 1e6)
    limits.tooMany(126)
    assert.strictEqual(limits.registrations, 63)
    limits.tooMany(100)
    assert.strictEqual(limits.registrations, 50)
    limits.tooMany(80)
    assert.strictEqual(limits.registrations, 40)
    for (let times = 0; times < 10; times++) limits.tooMany(limits.registrations)
    assert.strictEqual(limits.registrations, 1)
  })
})
