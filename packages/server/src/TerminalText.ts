/**
 * Text of others on a terminal: ids, labels, headers, and the answers of services and schedulers.
 */
import { CliOutput } from "effect/cli"

/**
 * One line of text. A control character of somebody else's could recolour the terminal, set its title, or make a line
 * look like one of Muster's own; a heap of combining marks would cover the lines around it.
 */
export const printable = (text: string): string =>
  text
    .replace(/[\t\r\n]+/g, " ")
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?")
    .replace(/(\p{M}{4})\p{M}+/gu, "$1")

/** Far more UTF-16 units than the cells of any terminal, so that measuring a long text costs little. */
const longestMeasured = 4096

/** At most `width` cells of a terminal, on which an East Asian character or an emoji takes two. */
export const shorten = (text: string, width: number): string => {
  const measured = text.slice(0, longestMeasured)
  if (measured.length === text.length && CliOutput.displayWidth(text) <= width) return text
  if (width <= 0) return ""
  let kept = ""
  let room = width - 1
  for (const { segment } of new Intl.Segmenter().segment(measured)) {
    room -= CliOutput.displayWidth(segment)
    if (room < 0) break
    kept += segment
  }
  return `${kept}…`
}

/** Exactly `width` cells. */
export const fit = (text: string, width: number): string => {
  const short = shorten(text, width)
  return short + " ".repeat(Math.max(0, width - CliOutput.displayWidth(short)))
}

/** Lines of at most `width` cells, broken at spaces where there are some. */
export const wrap = (text: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  const push = () => {
    if (line !== "") lines.push(line)
    line = ""
  }
  for (let word of text.split(" ")) {
    if (CliOutput.displayWidth(line) + 1 + CliOutput.displayWidth(word) > width) push()
    while (CliOutput.displayWidth(word) > width) {
      const head = shorten(word, width + 1).slice(0, -1)
      // A character that is wider than the line stands alone.
      const taken = head === "" ? word.slice(0, 2) : head
      lines.push(taken)
      word = word.slice(taken.length)
    }
    line = line === "" ? word : `${line} ${word}`
  }
  push()
  return lines
}
