import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { lines } from "./NdjsonLines.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const split = (chunks: Iterable<string>, maximum = 10) =>
  Stream.fromIterable(chunks).pipe(
    Stream.map((chunk) => encoder.encode(chunk)),
    (bytes) => lines(bytes, maximum),
    Stream.map(({ bytes, line }) => [line, bytes === undefined ? undefined : decoder.decode(bytes)] as const),
    Stream.runCollect
  )

const check = (
  name: string,
  chunks: ReadonlyArray<string>,
  expected: ReadonlyArray<readonly [number, string | undefined]>
) => it.effect(name, () => Effect.map(split(chunks), (found) => assert.deepStrictEqual(found, expected)))

describe("lines", () => {
  check(
    "ends lines at \\n and \\r\\n, and the last one at the end",
    ["a\nb\r\nc"],
    [
      [1, "a"],
      [2, "b"],
      [3, "c"]
    ]
  )
  check("counts empty lines and leaves them out", ["\n \t\r\na\n\n"], [[3, "a"]])
  check(
    "puts together what comes in pieces",
    ["a", "b\r", "\nc", "", "d"],
    [
      [1, "ab"],
      [2, "cd"]
    ]
  )
  check("gives nothing for nothing", [], [])
  check(
    "takes a line of exactly the maximum",
    ["0123456789\r\n0123456789"],
    [
      [1, "0123456789"],
      [2, "0123456789"]
    ]
  )
  check(
    "reports a line above the maximum once, and goes on after it",
    ["0123456789x\n", "0123456789", "xyz", "zzz\nb"],
    [
      [1, undefined],
      [2, undefined],
      [3, "b"]
    ]
  )

  it.effect("reports a line that never ends when it is too long, and keeps nothing of it", () =>
    Effect.gen(function* () {
      const endless = Stream.forever(Stream.succeed(new Uint8Array(1024)))
      const [first] = yield* lines(endless, 10).pipe(Stream.take(1), Stream.runCollect)
      assert.deepStrictEqual(first, { line: 1, bytes: undefined })
    })
  )

  const pieces = Schema.Array(Schema.Literals(["a", "bcdefgh", "\n", "\r\n"]))
  const size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))

  it.prop("does not care how the bytes are cut", [pieces, size], ([pieces, size]) => {
    const text = pieces.join("")
    const chunks = text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? []
    const expected = text
      .split(/\r?\n/)
      .map((line, index): readonly [number, string | undefined] => [
        index + 1,
        line.length > 10 ? undefined : line
      ])
      .filter(([, line]) => line !== "")
    assert.deepStrictEqual(Effect.runSync(split(chunks)), expected)
  })
})
