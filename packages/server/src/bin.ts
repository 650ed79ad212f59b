#!/usr/bin/env node
import { enableCompileCache } from "node:module"

enableCompileCache()
const { main } = await import("./cli.ts")
main(process.argv.slice(2))
