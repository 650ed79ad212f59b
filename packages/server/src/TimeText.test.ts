import { assert, describe, it } from "@effect/vitest"
import { moment, relative, shortSpan, span, utc } from "./TimeText.ts"

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
const now = Date.parse("2026-01-31T12:00:00.500Z")

describe("span", () => {
  it.each([
    [0, "less than a second"],
    [999, "less than a second"],
    [second, "1 second"],
    [59.9 * second, "59 seconds"],
    [minute, "1 minute"],
    [80 * second, "1 minute 20 seconds"],
    [12 * minute + 5 * second, "12 minutes"],
    [hour + 59 * second, "1 hour"],
    [26 * hour, "1 day 2 hours"],
    [1234 * day, "1,234 days"]
  ])("of %d ms is %s", (millis, words) => assert.strictEqual(span(millis), words))
})

describe("shortSpan", () => {
  it.each([
    [-5, "0s"],
    [900, "0s"],
    [45 * second, "45s"],
    [12.9 * minute, "12m"],
    [47 * hour, "1d"]
  ])("of %d ms is %s", (millis, words) => assert.strictEqual(shortSpan(millis), words))
})

describe("relative", () => {
  it("tells what was from what will be", () => {
    assert.strictEqual(relative(now - 3 * minute, now), "3 minutes ago")
    assert.strictEqual(relative(now + 40 * second, now), "in 40 seconds")
    assert.strictEqual(relative(now, now), "just now")
    assert.strictEqual(relative(now + 1, now), "within a second")
  })
})

describe("a time", () => {
  it("is in UTC and says so, whatever the zone of the machine", () => {
    assert.strictEqual(utc(now), "2026-01-31 12:00:00Z")
    assert.strictEqual(moment("2026-01-31T11:58:00.500Z", now), "2026-01-31 11:58:00Z (2 minutes ago)")
  })
})
