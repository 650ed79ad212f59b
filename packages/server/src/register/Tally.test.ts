import { assert, describe, it } from "@effect/vitest"
import { Duration, Schema } from "effect"
import { DurationHistogram } from "./DurationHistogram.ts"
import { type Outcome, Tally } from "./Tally.ts"

const row = (entry: number) => ({ entry, line: entry + 1, input: {}, issues: [] })

describe("the tally", () => {
  it("counts every outcome once, and lists the first twenty failures", () => {
    const tally = new Tally()
    const failed = (type: string): Outcome => ({
      _tag: "Failed",
      attempts: 4,
      failure: { workerId: "w", type, message: "no", retryable: true }
    })
    tally.count(row(1), { _tag: "Registered", attempts: 3, duration: Duration.millis(1) })
    tally.count(row(2), { _tag: "Accepted" })
    tally.count(row(3), { _tag: "Superseded" })
    for (let entry = 4; entry < 34; entry++)
      tally.count(row(entry), failed(entry < 10 ? "InvalidWorker" : "Other"))
    assert.strictEqual(tally.settled, 33)
    assert.strictEqual(tally.retries, 2 + 30 * 3)
    assert.deepStrictEqual(Object.fromEntries(tally.failuresByType), { InvalidWorker: 6, Other: 24 })
    assert.strictEqual(tally.listedFailures.length, 20)
    assert.strictEqual(tally.listedFailures[0]?.line, 5)
  })

  it("does not take a row that never reached the scheduler for a retried one", () => {
    const tally = new Tally()
    const failure = { workerId: "w", type: "InvalidWorker", message: "no", retryable: false }
    tally.count(row(1), { _tag: "Failed", attempts: 0, failure })
    assert.strictEqual(tally.retries, 0)
  })
})

describe("a percentile of durations", () => {
  it("is nothing where nothing was recorded", () => {
    assert.isUndefined(new DurationHistogram().percentile(0.5))
  })

  const Micros = Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: 1e9 }))
  it.prop(
    "is within 2 % of the exact one",
    [
      Schema.Array(Micros).check(Schema.isMinLength(1), Schema.isMaxLength(200)),
      Schema.Literals([0.5, 0.95, 1])
    ],
    ([micros, share]) => {
      const histogram = new DurationHistogram()
      for (const each of micros) histogram.record(Duration.micros(BigInt(each)))
      const exact = micros.toSorted((a, b) => a - b)[Math.ceil(share * micros.length) - 1] ?? NaN
      const found = Duration.toMillis(histogram.percentile(share) ?? Duration.infinity) * 1000
      assert.closeTo(found / exact, 1, 0.02)
    }
  )
})
