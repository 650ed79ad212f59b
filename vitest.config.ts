import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    // For those that hang. How fast something is, no test says: machines differ, and CI may be busy.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most of the long ones wait for processes of theirs; on two cores it would be one at a time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // On a machine that is busy with hundreds of processes. What passed at the second try is shown as such ("retry x1").
    retry: process.env["CI"] === undefined ? 0 : 1,
    include: [
      "packages/*/src/**/*.test.ts",
      "packages/*/integration/**/*.test.ts",
      "examples/src/**/*.test.ts",
      "scripts/**/*.test.ts"
    ]
  }
})
