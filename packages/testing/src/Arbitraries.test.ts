import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import { Worker, WorkerEvent, WorkerId } from "@muster/core"
import { workerArbitrary, workerEventArbitrary, workerIdArbitrary } from "./Arbitraries.ts"

const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const many = { arbitrary: { runs: 200 }, timeout: 30_000 }

describe("Arbitraries", () => {
  it.prop(
    "every worker survives JSON",
    [workerArbitrary],
    ([worker]) => {
      const json = throughJson(Schema.encodeSync(Worker)(worker))
      assert.deepStrictEqual(Schema.decodeUnknownSync(Worker)(json), worker)
    },
    many
  )

  it.effect.prop("every worker passes the intake", [workerArbitrary], ([worker]) =>
    Effect.gen(function* () {
      const json = throughJson(Schema.encodeSync(Worker)(worker))
      assert.deepStrictEqual(yield* Worker.decode(json), worker)
    })
  )

  it.prop(
    "every event survives JSON",
    [workerEventArbitrary],
    ([event]) => {
      const json = throughJson(Schema.encodeSync(WorkerEvent)(event))
      assert.deepStrictEqual(Schema.decodeUnknownSync(WorkerEvent)(json), event)
    },
    many
  )

  it.prop("every id is one", [workerIdArbitrary], ([id]) => assert.isTrue(Schema.is(WorkerId)(id)), many)

  it.effect("every kind of event occurs", () =>
    Effect.gen(function* () {
      const events = yield* Arbitrary.sampleEffect(workerEventArbitrary, { count: 100, seed: 1 })
      assert.deepStrictEqual(
        new Set(events.map(({ _tag }) => _tag)),
        new Set(["WorkerProvisioned", "WorkerReady", "WorkerTerminated"])
      )
    })
  )
})
