import { assert, describe, it } from "@effect/vitest"
import { CliOutput } from "effect/cli"
import { now, viewOf } from "./TestViews.ts"
import { toRow } from "./WorkerRow.ts"
import { headingLine, layoutFor, plainLine, rowLine } from "./WorkerTable.ts"

const plain = (_: unknown, text: string) => text
const error = {
  type: "invalid_worker",
  message: "the pool ファイル\u001b[2J\nis unknown",
  retryable: false,
  at: new Date(now).toISOString()
}
const rows = [
  toRow(viewOf("ci-7f3a")),
  toRow(viewOf("render-01.cluster.example", { phase: "failed", lastError: error, attempts: 4 })),
  toRow(viewOf("gone", { worker: null, phase: "unregistering" }))
]

const render = (width: number) => {
  const layout = layoutFor(rows, width, now)
  return [headingLine(layout), ...rows.map((row) => rowLine(layout, row, now, plain))]
}

describe("a table of workers", () => {
  it("has everything where there is room", () => {
    assert.deepStrictEqual(render(140), [
      "ID                         PHASE          TYPE     NAMESPACE  ATTEMPTS  AGE  UPDATED  LAST ERROR",
      "ci-7f3a                    registered     dynamic  default    1         10m  1m",
      "render-01.cluster.example  failed         dynamic  default    4         10m  1m       the pool ファイル?[2J is unknown",
      "gone                       unregistering  -        -          1         10m  1m"
    ])
  })

  it("leaves out what matters least where there is little", () => {
    assert.deepStrictEqual(
      render(80)[2],
      "render-01.cluster.example  failed         1m       the pool ファイル?[2J is unk…"
    )
  })

  it("is never wider than the terminal", () => {
    for (let width = 20; width < 160; width++) {
      for (const line of render(width)) assert.isAtMost(CliOutput.displayWidth(line), width, `${width}`)
    }
  })
})

describe("a line for other programs", () => {
  it("has eight fields, whole, and is one line whatever is in them", () => {
    assert.deepStrictEqual(
      rows.map(plainLine).map((line) => line.split("\t")),
      [
        [
          "ci-7f3a",
          "registered",
          "dynamic",
          "default",
          "1",
          "2026-01-31T11:50:00.000Z",
          "2026-01-31T11:59:00.000Z",
          ""
        ],
        [
          "render-01.cluster.example",
          "failed",
          "dynamic",
          "default",
          "4",
          "2026-01-31T11:50:00.000Z",
          "2026-01-31T11:59:00.000Z",
          "the pool ファイル?[2J is unknown"
        ],
        ["gone", "unregistering", "", "", "1", "2026-01-31T11:50:00.000Z", "2026-01-31T11:59:00.000Z", ""]
      ]
    )
  })
})
