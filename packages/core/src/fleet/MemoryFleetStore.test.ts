import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { fleetStoreContract } from "@muster/testing"
import { FleetStore } from "./FleetStore.ts"
import { MemoryFleetStore } from "./MemoryFleetStore.ts"

fleetStoreContract("MemoryFleetStore", MemoryFleetStore.layer)

describe("MemoryFleetStore", () => {
  it.effect("made outside of a layer keeps everything when what stands above it is built anew", () =>
    Effect.gen(function* () {
      const store = yield* MemoryFleetStore.make
      const layer = Layer.succeed(FleetStore, store)
      const note = { key: "k", value: "v", at: 1 }
      const write = Effect.flatMap(FleetStore, (store) =>
        store.modify({ workerIds: [], keys: [] }, () => ({
          records: [],
          segments: [],
          trims: [],
          notes: [note],
          value: undefined
        }))
      )
      const read = Effect.flatMap(FleetStore, (store) =>
        store.forgetHistory({ segmentsBefore: 9, notesBefore: 9, limit: 9 })
      )
      yield* Effect.provide(write, layer)
      assert.strictEqual(yield* Effect.provide(read, layer), 1)
    })
  )
})
