import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { isAtMostDeep } from "./JsonDepth.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

describe("isAtMostDeep", () => {
  it.each([
    ["[[[]]]", 3],
    [`{"a":{"b":[{"c":1}]}}`, 4],
    ["[[],[],[[]],[]]", 3],
    [`["[[[[[[", "\\"[[[[", "\\\\", [1]]`, 2],
    [`"[[[[[[[[[["`, 0],
    ["[[[[", 4]
  ])("%s is %i deep", (text, depth) => {
    const padded = bytes(text + " ".repeat(10))
    assert.isTrue(isAtMostDeep(padded, depth))
    if (depth > 0) assert.isFalse(isAtMostDeep(padded, depth - 1))
  })

  it.prop("is right about any JSON", [Schema.Json], ([value]) => {
    const text = bytes(JSON.stringify(value) + " ".repeat(10))
    for (const maximum of [0, 1, 2, 3, 4, 8])
      assert.strictEqual(isAtMostDeep(text, maximum), depthOf(value) <= maximum)
  })
})
