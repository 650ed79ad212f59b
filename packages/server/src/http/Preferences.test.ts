import { assert, describe, it } from "@effect/vitest"
import { preferredWait } from "./Preferences.ts"

describe("preferredWait", () => {
  it.each([
    [undefined, undefined],
    ["", undefined],
    ["wait=10", 10],
    ["Wait = 10", 10],
    [`wait="10"`, 10],
    ["respond-async, wait=5", 5],
    ["wait=5;foo=bar", 5],
    ["wait=1, wait=2", 1],
    ["wait=0", 0],
    ["wait=99999999999999999999", 60],
    ["wait", undefined],
    ["wait=", undefined],
    ["wait=soon", undefined],
    ["wait=-1", undefined],
    ["wait=1.5", undefined],
    ["waiting=1", undefined]
  ])("reads %j as %j", (prefer, seconds) => {
    assert.strictEqual(preferredWait(prefer), seconds)
  })
})
