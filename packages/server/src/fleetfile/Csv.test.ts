import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import * as Csv from "./Csv.ts"
import { parseMappings } from "./CsvColumns.ts"
import { piecesOf, workerOf } from "./TestRows.ts"

/** The rows of a text, which arrives in pieces of `size` bytes. */
const read = (text: string, columns: ReadonlyArray<string> = [], size = 7) =>
  Effect.gen(function* () {
    return yield* Stream.runCollect(Csv.read(piecesOf(text, size), yield* parseMappings(columns)))
  })

const minimal = ["id=id", "capabilities.cpuCores=cpu", "capabilities.memoryMb=mem"]

describe("the rows of a CSV file", () => {
  it.effect("are workers, with every kind of field", () =>
    Effect.gen(function* () {
      const [row] = yield* read(
        "sn,cpu_milli,mem,docker,gpu,model,type,ns,tags,since\nn1,31850,1024,Yes,8,T4,static,ml,linux; gpu,2026-01-31T12:00:00Z\n",
        [
          "id=sn",
          "capabilities.cpuMillis=cpu_milli",
          "capabilities.memoryMb=mem",
          "capabilities.dockerEnabled=docker",
          "capabilities.customResources.nvidia.com/gpu=gpu",
          "metadata.labels.gpu.model=model",
          "metadata.workerType=type",
          "metadata.namespace=ns",
          "metadata.tags=tags",
          "metadata.provisionedAt=since"
        ]
      )
      assert.deepStrictEqual(row, {
        entry: 1,
        line: 2,
        issues: [],
        input: {
          id: "n1",
          capabilities: {
            cpuCores: 31.85,
            memoryMb: 1024,
            dockerEnabled: true,
            customResources: { "nvidia.com/gpu": 8 }
          },
          metadata: {
            workerType: "static",
            namespace: "ml",
            tags: ["linux", "gpu"],
            provisionedAt: "2026-01-31T12:00:00Z",
            labels: { "gpu.model": "T4" }
          }
        }
      })
    })
  )

  it.effect("come from the columns that are named like fields, where none are given", () =>
    Effect.gen(function* () {
      const [row] = yield* read(
        "note,capabilities.memoryMb,id,capabilities.cpuCores,metadata.labels.a\nx,2,w,1.5,b\n"
      )
      const worker = yield* workerOf(row)
      assert.strictEqual(worker.id, "w")
      assert.strictEqual(worker.capabilities.cpuCores, 1.5)
      assert.deepStrictEqual(worker.metadata.labels, { a: "b" })
    })
  )

  it.effect("leave out the field of an empty cell", () =>
    Effect.gen(function* () {
      const columns = [...minimal, "metadata.labels.zone=zone", "capabilities.customResources.gpu=gpu"]
      const [row] = yield* read("id,cpu,mem,zone,gpu\na,1,2,, \n", columns)
      const worker = yield* workerOf(row)
      assert.deepStrictEqual(worker.metadata.labels, {})
      assert.deepStrictEqual(worker.capabilities.customResources, {})
    })
  )

  it.effect(
    "know the line where they begin, over CRLF, blank lines, quoted line breaks and a byte order mark",
    () =>
      Effect.gen(function* () {
        const text =
          '\uFEFFid,cpu,mem,note\r\na,1,2,"x\r\ny\nz"\r\n\r\n \r\nb,1,2,"say ""hi"""\r\nc,1\r\nd,1,2,\n'
        const rows = yield* read(text, minimal)
        assert.deepStrictEqual(
          rows.map(({ entry, line }) => [entry, line]),
          [
            [1, 2],
            [2, 7],
            [3, 8],
            [4, 9]
          ]
        )
      })
  )

  it.effect("of the wrong width are reported, and stop none of the others", () =>
    Effect.gen(function* () {
      const rows = yield* read("id,cpu,mem\na,1\nb,1,2,3\nc,1,2\n", minimal)
      const [short, long, good] = rows
      assert.deepStrictEqual(short?.input, { unreadable: "a,1" })
      const error = yield* Effect.flip(workerOf(short))
      assert.include(error.message, "expected 3 cells, as many as the header has, received a row of 2")
      assert.include((yield* Effect.flip(workerOf(long))).message, "received a row of 4")
      assert.strictEqual((yield* workerOf(good)).id, "c")
    })
  )

  it.effect("name column and field of a cell that is no number, beside what else is wrong", () =>
    Effect.gen(function* () {
      const [row] = yield* read("id,cpu,mem\nbad id,0x10,-1\n", minimal)
      const error = yield* Effect.flip(workerOf(row))
      assert.deepStrictEqual(error.issues[0], {
        path: "capabilities.cpuCores",
        rule: 'a decimal number in column "cpu"',
        received: "a string of 4 characters"
      })
      assert.deepStrictEqual(
        error.issues.map(({ path }) => path),
        ["capabilities.cpuCores", "id", "capabilities.memoryMb"]
      )
      assert.notInclude(error.message, "0x10")
    })
  )

  it.effect("with a quote that is never closed end the file, not the program", () =>
    Effect.gen(function* () {
      const rows = yield* read('id,cpu,mem\na,1,2\nb,1,"2\nc,1,2\n', minimal)
      assert.deepStrictEqual(
        rows.map(({ line }) => line),
        [2, 3]
      )
      assert.include((yield* Effect.flip(workerOf(rows[1]))).message, "whose quotes are closed")
    })
  )

  it.effect("may be none at all", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* read("", minimal), [])
      assert.deepStrictEqual(yield* read("id,cpu,mem\n", minimal), [])
    })
  )

  const Cell = Schema.String.check(Schema.isMaxLength(12))
  it.effect.prop(
    "survive quoting, whatever is in a cell and wherever the pieces of the file end",
    [
      Schema.Array(Cell).check(Schema.isMaxLength(8)),
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))
    ],
    ([cells, size]) =>
      Effect.gen(function* () {
        const lines = cells.map(
          (cell, index) => `w${index},1,2,"${cell.toWellFormed().replaceAll('"', '""')}"\n`
        )
        const rows = yield* read(`id,cpu,mem,x\n${lines.join("")}`, [...minimal, "metadata.labels.x=x"], size)
        let line = 2
        for (const [index, cell] of cells.entries()) {
          const label = cell.toWellFormed().trim()
          assert.strictEqual(rows[index]?.line, line)
          assert.deepStrictEqual(rows[index]?.input, {
            id: `w${index}`,
            capabilities: { cpuCores: 1, memoryMb: 2, customResources: {} },
            metadata: { labels: label === "" ? {} : { x: label } }
          })
          line += 1 + (cell.match(/\r\n|\r|\n/g) ?? []).length
        }
      })
  )
})

describe("--column", () => {
  const refusal = (columns: ReadonlyArray<string>, header = "id,cpu,mem") =>
    Effect.map(Effect.flip(read(`${header}\na,1,2\n`, columns)), (error) => error.message)

  it.effect("that is no FIELD=COLUMN, or names no field, is refused with the fields there are", () =>
    Effect.gen(function* () {
      for (const column of ["id", "=x", "id=", "capabilities=x", "metadata.labels.=x", "cpuCores=x"]) {
        assert.include(yield* refusal([column]), "metadata.labels.NAME", column)
      }
    })
  )

  it.effect("that names no column is refused with the columns there are", () =>
    Effect.gen(function* () {
      const message = yield* refusal(["id=name"])
      assert.include(message, 'no column "name"')
      assert.include(message, "id, cpu, mem")
    })
  )

  it.effect("that names a column which is there twice, or fills one field twice, is refused", () =>
    Effect.gen(function* () {
      assert.include(yield* refusal(["id=id"], "id,id,mem"), "more than one column")
      assert.include(yield* refusal(["capabilities.cpuCores=a", "capabilities.cpuMillis=b"]), "twice")
    })
  )

  it.effect("must give every field that a worker cannot be without", () =>
    Effect.gen(function* () {
      const message = yield* refusal(["id=id"])
      assert.include(message, "capabilities.cpuCores or capabilities.cpuMillis nor capabilities.memoryMb")
    })
  )
})
