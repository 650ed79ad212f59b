import { assert, describe, it } from "@effect/vitest"
import { Worker, WorkerCapabilities, WorkerId } from "@muster/core"
import { Option, Schema } from "effect"
import { EtcdLayout, generationOf, generationValue, workerValue } from "./EtcdLayout.ts"

const layout = new EtcdLayout("/ci")
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const worker = Worker.make({
  id: WorkerId.make("w-1"),
  capabilities: WorkerCapabilities.make({ cpuCores: 1.5, memoryMb: 1024 })
})
const held = (key: string, value: unknown) =>
  layout.heldWorker({
    key: Buffer.from(key),
    value: Buffer.from(typeof value === "string" ? value : JSON.stringify(value))
  })

describe("the generation in etcd", () => {
  const generation = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
  it.prop("is ordered as bytes as it is as a number, and read back", [generation, generation], ([a, b]) => {
    const [first, second] = [generationValue(a), generationValue(b)]
    assert.strictEqual(Math.sign(Buffer.compare(first, second)), Math.sign(a - b))
    assert.strictEqual(generationOf(first), a)
  })

  it("has sixteen digits", () => {
    assert.strictEqual(text(generationValue(42)), "0000000000000042")
  })

  it("is none where it is anything else", () => {
    for (const value of ["", "42", "00000000000000x2", "00000000000000042"]) {
      assert.isUndefined(generationOf(Buffer.from(value)))
    }
  })
})

describe("a worker in etcd", () => {
  it("lies under its id, and its generation beside it", () => {
    assert.strictEqual(text(layout.workerKey(worker.id)), "/ci/workers/w-1")
    assert.strictEqual(text(layout.generationKey(worker.id)), "/ci/generations/w-1")
  })

  it("is among the workers, whose keys end before the next ones begin", () => {
    const keys = [layout.firstWorkerKey, layout.workerKey(worker.id), layout.workersEnd]
    assert.deepStrictEqual(keys, keys.toSorted(Buffer.compare))
    assert.strictEqual(text(layout.workersEnd), "/ci/workers0")
  })

  it("stays below the prefix, whatever its id", () => {
    for (const id of ["..", "../x", "a/../../b", "a/b", "/a", "a\0", "a\n", "*", "a%2fb", ""]) {
      assert.throws(() => WorkerId.make(id))
    }
    for (const id of ["a..b", "a:b", "generations", "workers", "0", "x".repeat(253)]) {
      const workerId = WorkerId.make(id)
      assert.strictEqual(text(layout.workerKey(workerId)), `/ci/workers/${id}`)
      assert.strictEqual(text(layout.generationKey(workerId)), `/ci/generations/${id}`)
      assert.isBelow(Buffer.compare(layout.workerKey(workerId), layout.workersEnd), 0)
    }
  })

  it("is JSON that says its generation, and is read back", () => {
    const value = text(workerValue(worker, 7))
    assert.strictEqual(JSON.parse(value).generation, 7)
    assert.deepStrictEqual(JSON.parse(value).worker.capabilities.cpuCores, 1.5)
    assert.deepStrictEqual(held("/ci/workers/w-1", value), Option.some({ worker, generation: 7 }))
  })

  it("may have been put there without a generation", () => {
    assert.deepStrictEqual(held("/ci/workers/w-1", { worker }), Option.some({ worker }))
  })

  it.each([
    ["another key's worker", "/ci/workers/w-2", { generation: 7, worker }],
    ["no JSON", "/ci/workers/w-1", "{"],
    ["no object", "/ci/workers/w-1", "7"],
    ["a worker out of bounds", "/ci/workers/w-1", { generation: 7, worker: { id: "w-1" } }],
    ["a generation that is no number", "/ci/workers/w-1", { generation: "7", worker }]
  ])("is none where the value is %s", (_, key, value) => {
    assert.deepStrictEqual(held(key, value), Option.none())
  })
})
