/**
 * `muster workers`: the workers of a running service, as a table, as lines for other programs, or as JSON.
 */
import { Clock, Effect, Stream } from "effect"
import type { MusterClient } from "../client/MusterClient.ts"
import type { ServiceUnavailable } from "../client/ServiceAnswer.ts"
import type { WorkerQuery } from "../commands/workerFilter.ts"
import type { WorkerView } from "../http/Schemas.ts"
import { drawCount } from "../ProgressLine.ts"
import { type TerminalOutput, terminalOutput, writeOut } from "../TerminalOutput.ts"
import { plural } from "../TimeText.ts"
import { type ReadPage, workerPages } from "./WorkerPages.ts"
import { orderBy, type SortKey, toRow, type WorkerRow } from "./WorkerRow.ts"
import { headingLine, layoutFor, plainLine, rowLine, type TableLayout } from "./WorkerTable.ts"

export interface ListingOptions {
  readonly read: ReadPage
  /** What a worker on this list is called. */
  readonly noun: "worker" | "dead letter"
  readonly query: WorkerQuery
  /** `undefined`: in the order in which the workers became known, without keeping them. */
  readonly sort: SortKey | undefined
  readonly limit: number | undefined
  readonly json: boolean
}

interface Batch {
  readonly items: ReadonlyArray<WorkerView>
  readonly total: number
}

type Batches = Stream.Stream<Batch, ServiceUnavailable, MusterClient>

export const listWorkers = Effect.fnUntraced(function* (options: ListingOptions) {
  const output = yield* terminalOutput
  const batches = options.sort === undefined ? inOrder(options) : yield* sorted(options, options.sort)
  yield* writeOut(
    options.json
      ? jsonText(batches)
      : output.isTerminal
        ? table(batches, options.noun, output)
        : lines(batches)
  )
})

const inOrder = ({ limit, query, read }: ListingOptions): Batches => workerPages(read, query, limit)

/** Sorting needs all of them first, which is shown where it takes long. */
const sorted = ({ limit, query, read }: ListingOptions, key: SortKey) =>
  Effect.scoped(
    Effect.gen(function* () {
      const all: Array<readonly [WorkerRow, WorkerView]> = []
      let total = 0
      yield* drawCount("Reading workers", () => ({ done: all.length, total }))
      yield* Stream.runForEach(workerPages(read, query), (page) =>
        Effect.sync(() => {
          total = page.total
          for (const view of page.items) all.push([toRow(view), view])
        })
      )
      const order = orderBy(key)
      all.sort(([a], [b]) => order(a, b))
      const items = all.slice(0, limit).map(([, view]) => view)
      return Stream.succeed<Batch>({ items, total: all.length })
    })
  )

/** One document, written piece by piece: `{ "items": [ … ], "total": … }`. */
const jsonText = (batches: Batches): Stream.Stream<string, ServiceUnavailable, MusterClient> => {
  let written = 0
  let total = 0
  return batches.pipe(
    Stream.map(({ items, total: all }) => {
      total = all
      return items.map((item) => `${written++ === 0 ? "" : ","}\n${JSON.stringify(item)}`).join("")
    }),
    (text) => Stream.concat(Stream.succeed('{"items":['), text),
    Stream.concat(Stream.sync(() => `\n],"total":${total}}\n`))
  )
}

const lines = (batches: Batches) =>
  Stream.map(batches, ({ items }) => items.map((view) => `${plainLine(toRow(view))}\n`).join(""))

const table = (batches: Batches, noun: string, { columns = 80, paint }: TerminalOutput) => {
  let layout: TableLayout | undefined
  let shown = 0
  let total = 0
  return batches.pipe(
    Stream.mapEffect((batch) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const rows = batch.items.map(toRow)
        total = batch.total
        shown += rows.length
        const isFirst = layout === undefined
        const current = (layout ??= layoutFor(rows, columns, now))
        const heading = isFirst && rows.length > 0 ? [paint("bold", headingLine(current))] : []
        return [...heading, ...rows.map((row) => rowLine(current, row, now, paint))]
          .map((line) => `${line}\n`)
          .join("")
      })
    ),
    Stream.concat(Stream.sync(() => `${paint("dim", summary(shown, total, noun))}\n`))
  )
}

const summary = (shown: number, total: number, noun: string): string =>
  shown === 0
    ? `There is no such ${noun}.`
    : shown < total
      ? `${plural(shown, noun)} of ${total.toLocaleString("en-US")}`
      : plural(shown, noun)
