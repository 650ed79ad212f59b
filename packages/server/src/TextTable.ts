/**
 * Rows of short texts as a table: aligned, and no wider than the terminal. The last column gives way.
 */
import { CliOutput } from "effect/cli"
import type { Paint } from "./TerminalOutput.ts"
import { fit, printable, shorten } from "./TerminalText.ts"

const gap = "  "

export const textTable = (
  headings: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  width: number,
  paint: Paint,
  /** How a row is marked. */
  formatOf: (row: number) => Parameters<Paint>[0] | undefined = () => undefined
): string => {
  const shown = rows.map((row) => row.map(printable))
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...shown.map((row) => CliOutput.displayWidth(row[column] ?? "")))
  )
  const line = (cells: ReadonlyArray<string>) =>
    shorten(
      cells
        .map((cell, column) => fit(cell, widths[column] ?? 0))
        .join(gap)
        .trimEnd(),
      width
    )
  const marked = (text: string, row: number) => {
    const format = formatOf(row)
    return format === undefined ? text : paint(format, text)
  }
  return [paint("bold", line(headings)), ...shown.map((row, index) => marked(line(row), index))].join("\n")
}
