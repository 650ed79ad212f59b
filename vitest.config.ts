import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Those that take a minute or so, the longest first: what begins last must not be what all wait for. */
const longest = [
  "integration/torture/torture.test.ts",
  "integration/slurm-service.test.ts",
  "integration/slurm-contract.test.ts",
  "integration/scheduler.test.ts",
  "integration/export.test.ts",
  "integration/console-views.test.ts",
  "integration/soak/soak.test.ts",
  "integration/serve.test.ts",
  "integration/fuzz/fuzz.test.ts",
  "integration/otlp/otlp.test.ts",
  "integration/cli-workers.test.ts",
  "scripts/package.test.ts",
  "integration/etcd-service.test.ts",
  "integration/console.test.ts"
]

class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = longest.findIndex((name) => moduleId.endsWith(name))
      return index === -1 ? longest.length : index
    }
    // oxlint-disable-next-line unicorn/no-array-sort -- it is no array's
    const sorted = await super.sort(files)
    return sorted.toSorted((left, right) => rank(left) - rank(right))
  }
}

export default defineConfig({
  test: {
    // For those that hang. How fast something is, no test says: machines differ, and CI may be busy.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most of the long ones wait for processes of theirs; on two cores it would be one at a time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    include: [
      "packages/*/src/**/*.test.ts",
      "packages/*/integration/**/*.test.ts",
      "examples/src/**/*.test.ts",
      "scripts/**/*.test.ts"
    ]
  }
})
