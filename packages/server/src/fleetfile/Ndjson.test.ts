import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import * as Ndjson from "./Ndjson.ts"
import { piecesOf, workerOf } from "./TestRows.ts"

const read = (text: string, size = 5) => Stream.runCollect(Ndjson.read(piecesOf(text, size)))

const worker = (id: string) => JSON.stringify({ id, capabilities: { cpuCores: 1, memoryMb: 1 } })

describe("the rows of an NDJSON file", () => {
  it.effect(
    "know their lines, over CRLF, blank lines, a byte order mark and a last line without an end",
    () =>
      Effect.gen(function* () {
        const rows = yield* read(`\uFEFF${worker("a")}\r\n\r\n  \n${worker("ü".repeat(3))}\n${worker("c")}`)
        assert.deepStrictEqual(
          rows.map(({ entry, line }) => [entry, line]),
          [
            [1, 1],
            [2, 4],
            [3, 5]
          ]
        )
        assert.deepStrictEqual(rows[1]?.input, JSON.parse(worker("üüü")))
      })
  )

  it.effect("that are no JSON are reported without their content, and stop none of the others", () =>
    Effect.gen(function* () {
      const [bad, number, good] = yield* read(`{"id": secret}\n42\n${worker("good")}\n`)
      const error = yield* Effect.flip(workerOf(bad))
      assert.include(error.message, "expected a JSON object on one line, received text that is not JSON")
      assert.notInclude(error.message, "secret")
      assert.strictEqual((yield* Effect.flip(workerOf(number)))._tag, "InvalidWorker")
      assert.strictEqual((yield* workerOf(good)).id, "good")
    })
  )

  it.effect("that are too long are reported, and none of their bytes is kept", () =>
    Effect.gen(function* () {
      const long = `"${"x".repeat(Ndjson.longestLine + 10)}"`
      const rows = yield* read(`${long}\n${worker("next")}\n`, 1 << 16)
      assert.strictEqual(rows.length, 2)
      assert.include((yield* Effect.flip(workerOf(rows[0]))).message, "received a longer one")
      assert.strictEqual(rows[1]?.line, 2)
    })
  )

  it.effect("may be lines of an earlier report", () =>
    Effect.gen(function* () {
      const again = JSON.stringify({ ...JSON.parse(worker("again")), error: { type: "MaxRetriesExceeded" } })
      const [retried, lost] = yield* read(`${again}\n{"unreadable":"a,1","error":{}}\n`)
      assert.strictEqual((yield* workerOf(retried)).id, "again")
      assert.include((yield* Effect.flip(workerOf(lost))).message, "a row that could not be read")
    })
  )

  it.effect("may be Kubernetes Nodes", () =>
    Effect.gen(function* () {
      const node = {
        apiVersion: "v1",
        kind: "Node",
        metadata: { name: "n" },
        status: { capacity: { cpu: 1, memory: "1Gi" } }
      }
      const [row] = yield* read(`${JSON.stringify(node)}\n`)
      assert.strictEqual((yield* workerOf(row)).capabilities.memoryMb, 1024)
    })
  )

  it.effect.prop(
    "are the same wherever the pieces of the file end",
    [
      Schema.Array(Schema.String).check(Schema.isMaxLength(6)),
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30 }))
    ],
    ([values, size]) =>
      Effect.gen(function* () {
        const rows = yield* read(values.map((value) => `${JSON.stringify({ value })}\n`).join(""), size)
        assert.deepStrictEqual(
          rows.map(({ input }) => input),
          values.map((value) => ({ value }))
        )
      })
  )
})
