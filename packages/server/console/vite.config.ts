import { defineConfig } from "vite"

/** Where `vite` alone, for work on the console, finds a running service. */
const service = process.env["MUSTER_SERVER"] ?? "http://127.0.0.1:7070"

export default defineConfig({
  root: import.meta.dirname,
  // Relative, so that a proxy may serve it under any path.
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    assetsDir: "console",
    // No data: in scripts or styles, and nothing is loaded that is not needed at once.
    assetsInlineLimit: 0,
    modulePreload: false,
    target: "es2023",
    cssTarget: ["chrome123", "firefox120", "safari17.5"]
  },
  server: { proxy: { "/v1": service } }
})
