import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    // For those that hang. How fast something is, no test says: machines differ, and CI may be busy.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    include: [
      "packages/*/src/**/*.test.ts",
      "packages/*/integration/**/*.test.ts",
      "examples/src/**/*.test.ts",
      "scripts/**/*.test.ts"
    ]
  }
})
