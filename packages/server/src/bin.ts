#!/usr/bin/env node
import * as module from "node:module"

// Before anything is loaded that an older Node does not have.
if (Number.parseInt(process.versions.node) < 24) {
  console.error(`muster needs Node 24 or newer; this is Node ${process.versions.node}.`)
  process.exit(1)
}
module.enableCompileCache()
const { main } = await import("./cli.ts")
main(process.argv.slice(2))
