import { Worker, WorkerCapabilities, WorkerId, WorkerMetadata } from "@muster/core"
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import { addressLabel, toNodeSpec } from "./NodeSpec.ts"

const worker = (
  capabilities: Partial<ConstructorParameters<typeof WorkerCapabilities>[0]> = {},
  metadata: ConstructorParameters<typeof WorkerMetadata>[0] = {}
) =>
  Worker.make({
    id: WorkerId.make("a"),
    capabilities: WorkerCapabilities.make({ cpuCores: 8, memoryMb: 1024, ...capabilities }),
    metadata: WorkerMetadata.make(metadata ?? {})
  })

const gresTypes = new Set(["gpu", "fpga"])
const specOf = (worker: Worker) => Result.getOrThrow(toNodeSpec(worker, gresTypes))

describe("the node of a worker", () => {
  it.each([
    [31.85, 31],
    [1, 1],
    [0.25, 1],
    [65_533.9, 65_533]
  ])("of %d cores has %d whole CPUs, and at least one", (cpuCores, cpus) => {
    assert.strictEqual(specOf(worker({ cpuCores })).cpus, cpus)
  })

  it("cannot have more CPUs than Slurm counts", () => {
    const refused = toNodeSpec(worker({ cpuCores: 65_534 }), gresTypes)
    assert(Result.isFailure(refused))
    assert.strictEqual(refused.failure.code, "invalid_node")
    assert.match(refused.failure.message, /cpuCores is 65534, and Slurm counts at most 65533 CPUs/)
  })

  it("has features for its type, namespace, containers, tags and labels, each once, Muster's own first", () => {
    const { features } = specOf(
      worker(
        { dockerEnabled: true },
        { namespace: "ci", tags: ["spot", "docker"], labels: { zone: "eu-1", "example.com/rack": "7" } }
      )
    )
    assert.deepStrictEqual(features, [
      "muster",
      "type=dynamic",
      "namespace=ci",
      "docker",
      "spot",
      "zone=eu-1",
      "example.com/rack=7"
    ])
  })

  it("has features in which everything is encoded that --constraint has a meaning for", () => {
    const { features } = specOf(
      worker({}, { tags: ["a&b|c", "größe"], labels: { "k=1": "x,y(z)[2]*3 'q'", empty: "" } })
    )
    assert.deepStrictEqual(features.slice(3), [
      "a%26b%7Cc",
      "gr%C3%B6%C3%9Fe",
      "k%3D1=x%2Cy%28z%29%5B2%5D%2A3%20%27q%27",
      "empty="
    ])
  })

  it("leaves out features of more than 200 characters", () => {
    const { features } = specOf(worker({}, { tags: ["t".repeat(200), "t".repeat(201)] }))
    assert.deepStrictEqual(features.slice(3), ["t".repeat(200)])
  })

  it("has those custom resources that are among the cluster's GresTypes, in whole numbers", () => {
    const customResources = { fpga: 2.5, gpu: 8, "gpu:a100": 1, "gpu:b 2": 1, bandwidth: 7, "fpga:x": 0.5 }
    assert.strictEqual(specOf(worker({ customResources })).gres, "fpga:2,gpu:8,gpu:a100:1")
    assert.strictEqual(specOf(worker()).gres, "")
  })

  it("is reached at the address of its label, which is no feature", () => {
    const spec = specOf(worker({}, { labels: { [addressLabel]: "10.0.0.7" } }))
    assert.strictEqual(spec.address, "10.0.0.7")
    assert.lengthOf(spec.features, 3)
    assert.isUndefined(specOf(worker()).address)
  })

  it.each(["", "a,b", "a b", "[1-2]", "a\n"])("refuses the address %j", (address) => {
    const refused = toNodeSpec(worker({}, { labels: { [addressLabel]: address } }), gresTypes)
    assert.isTrue(Result.isFailure(refused))
  })
})
