import { assert, describe, it } from "@effect/vitest"
import { Worker } from "@muster/core"
import { workerArbitrary } from "@muster/testing"
import { Effect, Option, Schema } from "effect"
import { WorkerInfo } from "../generated/hodei/worker/worker_agent.ts"
import { fromWorkerInfo, jobIdOf, toWorkerInfo } from "./WorkerInfo.ts"

const toJson = Schema.encodeSync(Worker)
const travelled = (worker: Worker) => WorkerInfo.decode(WorkerInfo.encode(toWorkerInfo(worker)).finish())

const sized = { cpuCores: 8, memoryMb: 16_384 }
const decode = (worker: object) =>
  Effect.orDie(Worker.decode({ id: "ci-7f3a", capabilities: sized, ...worker }))

describe("a worker as WorkerInfo", () => {
  it.effect("has each part in its field, and the rest among the capabilities", () =>
    Effect.gen(function* () {
      const worker = yield* decode({
        capabilities: {
          ...sized,
          cpuCores: 31.85,
          dockerEnabled: true,
          customResources: { gpu: 2, "nvidia.com/gpu": 4, fpga: 1 }
        },
        metadata: {
          workerType: "static",
          namespace: "ci",
          labels: {
            "kubernetes.io/hostname": "rack-4",
            "kubernetes.io/arch": "arm64",
            "hodei.dev/version": "0.69.1"
          },
          tags: ["spot"],
          provisionedAt: "2026-01-31T12:00:00.123Z"
        }
      })
      assert.deepStrictEqual(travelled(worker), {
        workerId: { value: "ci-7f3a" },
        name: "ci-7f3a",
        version: "0.69.1",
        hostname: "rack-4",
        architecture: "arm64",
        capacity: { cpuCoresTotal: 31.85, memoryBytesTotal: "17179869184", gpuCountTotal: 6 },
        capabilities: [
          "docker",
          "resource:gpu=2",
          "resource:nvidia.com/gpu=4",
          "resource:fpga=1",
          "type=static",
          "namespace=ci",
          "tag:spot"
        ],
        labels: {
          "kubernetes.io/hostname": "rack-4",
          "kubernetes.io/arch": "arm64",
          "hodei.dev/version": "0.69.1"
        },
        startTime: new Date("2026-01-31T12:00:00.123Z")
      })
    })
  )

  it.effect("has the id for a host name where no label says one", () =>
    Effect.gen(function* () {
      const info = travelled(yield* decode({ metadata: { labels: { hostname: "" } } }))
      assert.deepInclude(info, { hostname: "ci-7f3a", architecture: "", version: "" })
    })
  )

  it.effect.each([
    [{ gpu: 0.5 }, 0],
    [{ gpu: 1.9, "amd.com/gpu": 1 }, 2],
    [{ gpu: 2 ** 40 }, 2 ** 31 - 1],
    [{ gpus: 3, "gpu/memory": 4 }, 0]
  ] as const)("counts of %o %i GPUs, which are whole", ([customResources, count]) =>
    Effect.gen(function* () {
      const info = travelled(yield* decode({ capabilities: { ...sized, customResources } }))
      assert.strictEqual(info.capacity?.gpuCountTotal, count)
    })
  )

  it.prop(
    "is read back as it was, whatever it is",
    [workerArbitrary],
    ([worker]) => {
      const read = Option.getOrThrow(fromWorkerInfo(travelled(worker)))
      assert.deepStrictEqual(toJson(read), toJson(worker))
    },
    { arbitrary: { runs: 300 }, timeout: 30_000 }
  )

  it.effect("is for the job that a label says", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        jobIdOf(yield* decode({ metadata: { labels: { "hodei.dev/job-id": "j-1" } } })),
        "j-1"
      )
      assert.isUndefined(jobIdOf(yield* decode({ metadata: { labels: { "hodei.dev/job-id": "" } } })))
      assert.isUndefined(jobIdOf(yield* decode({})))
    })
  )
})
