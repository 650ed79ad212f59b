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
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["packages/*/src/**/*.test.ts", "examples/src/**/*.test.ts"],
          // To load Effect anew for each of these files would take longer than their tests do.
          isolate: false
        }
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["packages/*/integration/**/*.test.ts", "scripts/**/*.test.ts"]
        }
      }
    ]
  }
})
