import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Duration, Effect, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { RegistrationConfig } from "../RegistrationConfig.ts"
import { Worker } from "../Worker.ts"
import { Fleet } from "./Fleet.ts"
import { MemoryFleetStore } from "./MemoryFleetStore.ts"

const layer = (driftInterval: Duration.Duration) =>
  Fleet.layerWith({ driftInterval, checkAfter: Duration.infinity }).pipe(
    Layer.provideMerge(TestScheduler.layer),
    Layer.provideMerge(MemoryFleetStore.layer),
    Layer.provideMerge(RegistrationConfig.layer({ maxRetries: 0, attemptTimeout: "10 seconds" }))
  )

const register = Effect.gen(function* () {
  const fleet = yield* Fleet
  const worker = yield* Worker.decode({ id: "a", capabilities: { cpuCores: 1, memoryMb: 1024 } })
  yield* fleet.want(worker, { saidWhenProvisioned: false })
})

const held = Effect.flatMap(TestScheduler, ({ workers }) => Effect.map(workers, ({ length }) => length))

describe("the comparison with the scheduler", () => {
  it.effect("gives up a list that does not come, and compares again", () =>
    Effect.gen(function* () {
      const fleet = yield* Fleet
      const scheduler = yield* TestScheduler
      yield* scheduler.onEvery("list", [TestScheduler.hang])
      yield* register
      yield* TestClock.adjust("11 seconds")
      assert.deepInclude(Option.getOrThrow(yield* fleet.drift), { error: "the list stopped coming" })

      yield* scheduler.drop("a")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* held, 1)
    }).pipe(Effect.provide(layer(Duration.minutes(1))))
  )

  it.effect("is made as often as it is asked for, even within seconds", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      yield* register
      yield* TestClock.adjust("3 seconds")
      yield* scheduler.drop("a")
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* held, 1)
    }).pipe(Effect.provide(layer(Duration.seconds(1))))
  )
})
