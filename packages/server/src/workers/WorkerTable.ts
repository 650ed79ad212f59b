/**
 * A table of workers for a terminal: its columns as wide as what is in them and as the terminal allows. Where the room
 * is little, what matters least is left out.
 */
import type { Phase } from "@muster/core/fleet"
import { CliOutput } from "effect/cli"
import type { Paint } from "../TerminalOutput.ts"
import { fit, printable, shorten } from "../TerminalText.ts"
import { shortSpan } from "../TimeText.ts"
import type { WorkerRow } from "./WorkerRow.ts"

interface Column {
  readonly heading: string
  readonly text: (row: WorkerRow, now: number) => string
  /** The most cells that it takes. */
  readonly widest: number
  /** The smaller, the sooner it is left out. */
  readonly weight: number
}

const columns: ReadonlyArray<Column> = [
  { heading: "ID", text: ({ id }) => id, widest: 48, weight: 9 },
  { heading: "PHASE", text: ({ phase }) => phase, widest: 13, weight: 8 },
  { heading: "TYPE", text: ({ type }) => type || "-", widest: 7, weight: 1 },
  { heading: "NAMESPACE", text: ({ namespace }) => namespace || "-", widest: 24, weight: 2 },
  { heading: "ATTEMPTS", text: ({ attempts }) => String(attempts), widest: 9, weight: 4 },
  { heading: "AGE", text: ({ createdAt }, now) => shortSpan(now - createdAt), widest: 6, weight: 3 },
  { heading: "UPDATED", text: ({ updatedAt }, now) => shortSpan(now - updatedAt), widest: 7, weight: 5 }
]

const gap = "  "
const errorHeading = "LAST ERROR"
/** Less of an error than this says nothing. */
const narrowestError = 24

/** Which columns there are, and how wide. The last error takes what is left. */
export interface TableLayout {
  readonly columns: ReadonlyArray<Column & { readonly width: number }>
  readonly errorWidth: number
}

/** For rows such as these. What comes later and is wider is shortened. */
export const layoutFor = (rows: ReadonlyArray<WorkerRow>, width: number, now: number): TableLayout => {
  let sized = columns.map((column) => {
    const longest = rows.reduce(
      (longest, row) =>
        Math.max(longest, CliOutput.displayWidth(shorten(printable(column.text(row, now)), column.widest))),
      column.heading.length
    )
    return { ...column, width: Math.min(longest, column.widest) }
  })
  const hasErrors = rows.some(({ error }) => error !== "")
  const taken = () => sized.reduce((sum, column) => sum + column.width + gap.length, 0)
  const needed = hasErrors ? narrowestError : 0
  while (sized.length > 2 && taken() + needed - (hasErrors ? 0 : gap.length) > width) {
    const least = Math.min(...sized.map(({ weight }) => weight))
    sized = sized.filter(({ weight }) => weight !== least)
  }
  // Id and phase stay whatever happens; the id gives way.
  const tooMuch = taken() - gap.length - width
  if (tooMuch > 0)
    sized = sized.map((column) => ({
      ...column,
      width: column.heading === "ID" ? Math.max(2, column.width - tooMuch) : column.width
    }))
  const left = width - taken()
  return { columns: sized, errorWidth: left >= errorHeading.length ? left : 0 }
}

export const headingLine = ({ columns, errorWidth }: TableLayout): string =>
  joined([
    ...columns.map(({ heading, width }) => fit(heading, width)),
    ...(errorWidth > 0 ? [errorHeading] : [])
  ])

export const rowLine = (
  { columns, errorWidth }: TableLayout,
  row: WorkerRow,
  now: number,
  paint: Paint
): string =>
  joined([
    ...columns.map(({ heading, text, width }) => {
      const cell = fit(printable(text(row, now)), width)
      return heading === "PHASE" ? paint(phaseColour[row.phase], cell) : cell
    }),
    ...(errorWidth > 0 ? [shorten(printable(row.error), errorWidth)] : [])
  ])

const joined = (cells: ReadonlyArray<string>): string => cells.join(gap).trimEnd()

export const phaseColour = {
  pending: "yellow",
  registering: "yellow",
  registered: "green",
  ready: "green",
  unregistering: "magenta",
  terminated: "dim",
  failed: "red"
} as const satisfies Record<Phase, string>

/** For other programs: whole, separated by tabs, times in RFC 3339; an empty field is empty. */
export const plainLine = (row: WorkerRow): string =>
  [
    row.id,
    row.phase,
    row.type,
    row.namespace,
    String(row.attempts),
    new Date(row.createdAt).toISOString(),
    new Date(row.updatedAt).toISOString(),
    row.error
  ]
    .map(printable)
    .join("\t")
