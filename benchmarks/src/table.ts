/** Prints a table whose first column is text and whose other columns are numbers. */
export const printTable = (
  header: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>
): void => {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0))
  )
  const print = (cells: ReadonlyArray<string>, fill = " ") =>
    console.log(
      "| " +
        cells
          .map((cell, column) => {
            const width = widths[column] ?? 0
            return isText(column, header) ? cell.padEnd(width, fill) : cell.padStart(width, fill)
          })
          .join(" | ") +
        " |"
    )
  print(header)
  print(header.map((_, column) => (isText(column, header) ? "-" : "-:").padStart(widths[column] ?? 0, "-")))
  rows.forEach((row) => print(row))
}

// The names stand last: the ratios are what a reader looks for.
const isText = (column: number, header: ReadonlyArray<string>) => column === header.length - 1
