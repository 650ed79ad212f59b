/**
 * Values that programs have stumbled over: text that means something to a shell, a database, a terminal, a browser, a
 * spreadsheet or a parser, and numbers at the edges.
 */
import type { Dice } from "./Dice.ts"

const hostileTexts: ReadonlyArray<string> = [
  "",
  " ",
  "\0",
  "a\0b",
  "\r\n",
  "\r\nx-injected: yes",
  "\n{}\n",
  "\t",
  "'",
  '"',
  "\\",
  "`id`",
  "$(id)",
  "${7*7}",
  "{{7*7}}",
  "%s%n%x",
  "' OR 1=1 --",
  '"; DROP TABLE workers; --',
  "%",
  "_",
  "%00",
  "%25",
  "%2e%2e%2f",
  "../../../../etc/passwd",
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "javascript:alert(1)",
  "=1+1",
  "+1",
  "@SUM(A1)",
  "--help",
  "-rf",
  "\u001b[2J",
  "\u001b]0;owned\u0007",
  "\u009b2J",
  "\u202e",
  "\u2028",
  "\ufeff",
  "\ud800",
  "\udfff\ud800",
  "\u{1f4a9}",
  "e\u0301\u0301\u0301\u0301\u0301\u0301",
  "\u0130\u00df\ufb00",
  "\u0661\u0662",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "then",
  "null",
  "undefined",
  "NaN",
  "-0",
  "1e999",
  "0x10",
  "batch",
  "retry",
  "drop",
  ".",
  "..",
  "a".repeat(253),
  "a".repeat(254),
  "x".repeat(1025),
  "9".repeat(400),
  "(a+)+$".repeat(20),
  "é".repeat(2000),
  "z".repeat(70_000)
]

const numbers: ReadonlyArray<number> = [
  0,
  -0,
  -1,
  1,
  2,
  0.1,
  1e-308,
  1e308,
  -1e308,
  2 ** 31,
  2 ** 31 - 1,
  2 ** 32,
  2 ** 53,
  2 ** 53 - 1,
  -(2 ** 53),
  2 ** 63,
  1e21,
  4.9e-324
]

export const hostileText = (dice: Dice): string => {
  if (dice.chance(0.1)) return dice.bytes(dice.between(1, 40)).toString("latin1")
  if (dice.chance(0.15)) return dice.pick(hostileTexts) + dice.pick(hostileTexts)
  return dice.pick(hostileTexts)
}

export const hostileNumber = (dice: Dice): number => dice.pick(numbers)

/** Anything that JSON can say. */
export const hostileValue = (dice: Dice): unknown => {
  switch (dice.below(9)) {
    case 0:
      return null
    case 1:
      return dice.chance(0.5)
    case 2:
    case 3:
      return hostileNumber(dice)
    case 4:
      return []
    case 5:
      return JSON.parse(`{${JSON.stringify(hostileText(dice))}:${dice.chance(0.5) ? "1" : "{}"}}`)
    case 6:
      return Array.from({ length: dice.between(1, 300) }, () => hostileNumber(dice))
    default:
      return hostileText(dice)
  }
}
