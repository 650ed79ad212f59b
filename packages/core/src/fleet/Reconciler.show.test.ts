import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Duration, Effect, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { RegistrationConfig } from "../RegistrationConfig.ts"
import { Worker, WorkerId } from "../Worker.ts"
import { Fleet } from "./Fleet.ts"
import { FleetStore } from "./FleetStore.ts"
import { MemoryFleetStore } from "./MemoryFleetStore.ts"

/** A store whose transactions take their time. */
const slowStore = (duration: Duration.Input) =>
  Layer.effect(
    FleetStore,
    Effect.map(MemoryFleetStore.make, (store) =>
      FleetStore.of({
        ...store,
        modify: (read, decide) => Effect.andThen(Effect.sleep(duration), store.modify(read, decide))
      })
    )
  )

const layer = Fleet.layerWith({ driftInterval: Duration.infinity, checkAfter: Duration.infinity }).pipe(
  Layer.provideMerge(TestScheduler.layer),
  Layer.provideMerge(slowStore("30 millis")),
  Layer.provideMerge(RegistrationConfig.layer({ maxRetries: 0 }))
)

describe("the reconciler", () => {
  it.effect(
    "does not show a call as under way that has ended while its end was on the way to the store",
    () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet
        const scheduler = yield* TestScheduler
        yield* scheduler.onEvery("register", [TestScheduler.delay("90 millis")])
        const id = WorkerId.make("a")
        const worker = yield* Worker.decode({ id, capabilities: { cpuCores: 1, memoryMb: 1024 } })
        yield* Effect.forkChild(fleet.want(worker, { saidWhenProvisioned: false }))
        yield* TestClock.adjust("1 second")

        const record = yield* fleet.get(id)
        assert.strictEqual(Option.getOrThrow(record).phase, "registered")
        const { items } = yield* fleet.timeline(id)
        assert.deepStrictEqual(
          items.map((item) => (item.type === "phase" ? item.phase : item.type)),
          ["change", "pending", "registering", "call", "registered"]
        )
      }).pipe(Effect.provide(layer))
  )
})
