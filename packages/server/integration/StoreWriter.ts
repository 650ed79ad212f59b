/**
 * Run as a process: commits steps to the store that its argument names, from the step of its second argument on, and
 * prints the number of each one that was answered, until somebody kills it.
 */
import { FleetStore } from "@muster/core/fleet"
import { Effect } from "effect"
import { writeSync } from "node:fs"
import { storeLayer } from "../src/store/Stores.ts"
import { commitStep } from "./StoreSteps.ts"

const [, , spec = "", first = "1"] = process.argv

const write = Effect.gen(function* () {
  const store = yield* FleetStore
  for (let step = Number(first); ; step++) {
    yield* commitStep(store, step)
    writeSync(1, `${step}\n`)
  }
})

await Effect.runPromise(Effect.provide(write, storeLayer(spec)))
