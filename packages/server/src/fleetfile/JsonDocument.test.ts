import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { decode } from "./FleetRow.ts"
import * as JsonDocument from "./JsonDocument.ts"
import { piecesOf } from "./TestRows.ts"

const worker = (id: string) => `{"id":"${id}","capabilities":{"cpuCores":1,"memoryMb":1}}`

/** The rows as `line: id` or `line: error`, and what the document ended with. */
const read = Effect.fnUntraced(function* (text: string, size: number) {
  const seen: Array<string> = []
  const end = yield* JsonDocument.read(piecesOf(text, size), text).pipe(
    Stream.runForEach((row) =>
      decode(row).pipe(
        Effect.match({
          onFailure: ({ message }) => seen.push(`${row.line}: ${message}`),
          onSuccess: ({ id }) => seen.push(`${row.line}: ${id}`)
        })
      )
    ),
    Effect.match({ onFailure: ({ message }) => message, onSuccess: () => undefined })
  )
  return { seen, end }
})

// Whatever the pieces in which a file comes, the rows are the same.
const sizes = [1, 7, 1 << 16]

describe("a JSON array", () => {
  it.effect("gives every element with the line where it begins", () =>
    Effect.gen(function* () {
      const text = `\ufeff\n[\n  ${worker("a")},\r\n  {\n    "id": "b, ] \\" {",\n    "x": [1, {}]\n  }\n  , ${worker("c")}\n]\n`
      for (const size of sizes) {
        const { end, seen } = yield* read(text, size)
        assert.strictEqual(end, undefined)
        assert.deepStrictEqual(
          seen.map((row) => row.slice(0, 11)),
          ["3: a", "4: Worker b", "8: c"]
        )
      }
    })
  )

  it.effect("loses nothing to an element that is no JSON", () =>
    Effect.gen(function* () {
      const text = `[${worker("a")},\n{"id":},\n{"id": "x"]},\n,${worker("b")}]`
      for (const size of sizes) {
        const { end, seen } = yield* read(text, size)
        assert.strictEqual(end, undefined)
        assert.strictEqual(seen[0], "1: a")
        assert.include(seen[1], "2: Worker unknown is invalid")
        assert.include(seen[2], "3: Worker unknown is invalid")
        assert.include(seen[3], "received nothing: a comma too many")
        assert.strictEqual(seen[4], "4: b")
      }
    })
  )

  it.effect("may be empty, and says so when it breaks off or something follows it", () =>
    Effect.gen(function* () {
      for (const size of sizes) {
        assert.deepStrictEqual(yield* read("[ \n ]\n", size), { seen: [], end: undefined })
        assert.include((yield* read("[", size)).end, "breaks off at line 1, after entry 0")
        assert.include((yield* read(`[${worker("a")},\n`, size)).end, "breaks off at line 2, after entry 1")
        assert.include((yield* read("[] x", size)).end, "not well formed after entry 0")
        assert.include((yield* read(`{"items":[${worker("a")}]`, size)).end, "not well formed after entry 1")
      }
    })
  )

  it.effect("has no element that is nested too deeply for a report", () =>
    Effect.gen(function* () {
      const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`
      const { seen } = yield* read(`[{"id":"a","x":${deep}},${worker("b")}]`, 1 << 16)
      assert.include(seen[0], "expected a value of at most 100 levels")
      assert.strictEqual(seen[1], "1: b")
    })
  )
})
