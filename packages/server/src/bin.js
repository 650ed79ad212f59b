#!/usr/bin/env node
// In JavaScript: what is loaded after the cache is on has its types stripped once, and this would at each start, by a
// stripper that takes longer to load than Node itself.
import * as module from "node:module"

// Before anything is loaded that an older Node does not have.
if (Number.parseInt(process.versions.node) < 24) {
  console.error(`muster needs Node 24 or newer; this is Node ${process.versions.node}.`)
  process.exit(1)
}
const { directory } = module.enableCompileCache()
// The threads that it starts find it there.
if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= directory
const { main } = await import("./cli.ts")
main(process.argv.slice(2))
