import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { counter, gauge, histogram, observe, seriesCount } from "./MetricFamily.ts"

const common = { help: "What there is", whenItMoves: "Look at it" }
const calls = counter({
  name: "calls_total",
  ...common,
  labels: { to: ["here", "there"], result: ["success", "failure"] }
})
const sizes = histogram({ name: "sizes", ...common, labels: {}, boundaries: [1, 2] })
const open = gauge({ name: "open", ...common, labels: {}, countsFromZero: true })
const limit = gauge({ name: "limit", ...common, labels: { of: ["rate"] } })

const registry = Layer.sync(Metric.MetricRegistry, () => new Map())

type Shown = Readonly<Record<string, unknown>>

const shown = Effect.map(Metric.snapshot, (snapshot) =>
  snapshot.map(({ attributes, id, state }): Shown => ({
    id,
    ...attributes,
    value: "value" in state ? state.value : "count" in state ? state.count : undefined
  }))
)

describe("MetricFamily", () => {
  it.effect("has all its series at zero once it begins, but no gauge of which only its owner knows", () =>
    Effect.gen(function* () {
      const context = yield* Effect.context()
      for (const family of [calls, sizes, open, limit]) family.begin(context)
      assert.deepStrictEqual(yield* shown, [
        { id: "calls_total", to: "here", result: "success", value: 0 },
        { id: "calls_total", to: "here", result: "failure", value: 0 },
        { id: "calls_total", to: "there", result: "success", value: 0 },
        { id: "calls_total", to: "there", result: "failure", value: 0 },
        { id: "sizes", value: 0 },
        { id: "open", value: 0 }
      ])
    }).pipe(Effect.provide(registry))
  )

  it.effect("keeps what was counted before it begins", () =>
    Effect.gen(function* () {
      yield* Metric.update(calls.at({ result: "failure", to: "there" }), 3)
      calls.begin(yield* Effect.context())
      assert.deepInclude(yield* shown, { id: "calls_total", to: "there", result: "failure", value: 3 })
      assert.lengthOf(yield* shown, 4)
    }).pipe(Effect.provide(registry))
  )

  it("has no series but those that are listed", () => {
    // @ts-expect-error -- so says the type, too
    assert.throws(() => calls.at({ to: "nowhere", result: "success" }), /calls_total has no series/)
  })

  it("knows how many series there can be", () => {
    assert.strictEqual(seriesCount(calls), 4)
    // Two bounds, +Inf, the sum and the count.
    assert.strictEqual(seriesCount(sizes), 5)
  })

  it.effect("observes a value whenever somebody looks, until the scope ends", () =>
    Effect.gen(function* () {
      let value = 1
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* observe(limit.at({ of: "rate" }), () => value)
          assert.deepStrictEqual(yield* shown, [{ id: "limit", of: "rate", value: 1 }])
          value = 2
          assert.deepStrictEqual(yield* shown, [{ id: "limit", of: "rate", value: 2 }])
        })
      )
      assert.deepStrictEqual(yield* shown, [])
    }).pipe(Effect.provide(registry))
  )
})
