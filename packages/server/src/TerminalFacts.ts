/**
 * Facts about one thing, each on a line of its own with its name before it; long ones go on below.
 */
import type { Paint } from "./TerminalOutput.ts"
import { printable, wrap } from "./TerminalText.ts"

export type Fact = readonly [name: string, text: string]

/** Less room than this for a text is no use: lines are then longer than the terminal. */
const narrowest = 20

export const factLines = (
  facts: ReadonlyArray<Fact>,
  paint: Paint,
  columns: number
): ReadonlyArray<string> => {
  const nameWidth = facts.reduce((longest, [name]) => Math.max(longest, name.length), 0) + 2
  return facts.flatMap(([name, text]) =>
    wrap(printable(text), Math.max(narrowest, columns - nameWidth - 2)).map(
      (line, index) => `  ${paint("dim", (index === 0 ? name : "").padEnd(nameWidth))}${line}`
    )
  )
}
