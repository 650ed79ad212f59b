import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "packages/*/integration/**/*.test.ts",
      "examples/src/**/*.test.ts",
      "scripts/**/*.test.ts"
    ]
  }
})
