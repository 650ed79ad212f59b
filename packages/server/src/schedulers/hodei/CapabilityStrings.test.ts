import { assert, describe, it } from "@effect/vitest"
import { Worker, WorkerId } from "@muster/core"
import { workerArbitrary } from "@muster/testing"
import { Effect, Option, Schema } from "effect"
import { fromStrings, toStrings } from "./CapabilityStrings.ts"

const id = WorkerId.make("ci-7f3a")
const toJson = Schema.encodeSync(Worker)
const sizes = ["cpu=2", "memory-mib=1024"]

describe("a worker in strings", () => {
  it.effect("says everything but the id", () =>
    Effect.gen(function* () {
      const worker = yield* Worker.decode({
        id,
        capabilities: {
          cpuCores: 31.85,
          memoryMb: 16_384,
          dockerEnabled: true,
          customResources: { gpu: 8, "example.com/fpga": 0.5 }
        },
        metadata: {
          workerType: "static",
          namespace: "ci",
          labels: { zone: "eu-1", "100%=all": "a=b" },
          tags: ["spot", "größe:l"],
          provisionedAt: "2026-01-31T12:00:00.123Z"
        }
      })
      assert.deepStrictEqual(toStrings(worker), [
        "cpu=31.85",
        "memory-mib=16384",
        "docker",
        "resource:gpu=8",
        "resource:example.com/fpga=0.5",
        "type=static",
        "namespace=ci",
        "tag:spot",
        "tag:größe:l",
        "label:zone=eu-1",
        "label:100%25%3Dall=a=b",
        "provisioned-at=2026-01-31T12:00:00.123Z"
      ])
    })
  )

  it.prop(
    "is read back as it was, whatever it is",
    [workerArbitrary],
    ([worker]) => {
      const read = Option.getOrThrow(fromStrings(worker.id, toStrings(worker)))
      assert.deepStrictEqual(toJson(read), toJson(worker))
    },
    { arbitrary: { runs: 300 }, timeout: 30_000 }
  )

  it("is read in any order, and from among other strings", () => {
    const strings = ["linux", "tag:docker", "namespace=ci", ...sizes.toReversed(), "pty", "vendor=x"]
    const { capabilities, metadata } = Option.getOrThrow(fromStrings(id, strings))
    assert.deepInclude(capabilities, { cpuCores: 2, memoryMb: 1024, dockerEnabled: false })
    assert.deepInclude(metadata, { namespace: "ci", tags: ["docker"], workerType: "dynamic" })
  })

  it.each([
    ["no cores", ["memory-mib=1024"]],
    ["cores that are no number", ["cpu=two", "memory-mib=1024"]],
    ["an empty amount", [...sizes, "resource:gpu="]],
    ["an unknown type", [...sizes, "type=other"]],
    ["a time that is none", [...sizes, "provisioned-at=today"]]
  ])("is none with %s", (_, strings) => {
    assert.isTrue(Option.isNone(fromStrings(id, strings)))
  })
})
