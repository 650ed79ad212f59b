/**
 * The lines of a service's log. Messages quote what others say, such as a scheduler's reason: whatever is in it, it
 * cannot end a line, begin another one, or tell a terminal what to do.
 */
import { Logger } from "effect"
import { printable } from "./TerminalText.ts"

/**
 * JSON leaves some characters as they are that programs take for the end of a line, or terminals for commands, or that
 * turn the direction of what follows.
 */
const unescaped = /[\u007f-\u009f\u2028\u2029]|\p{Cf}/gu

const escape = (character: string) =>
  character
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("")

/** For programs: one JSON object. */
export const jsonLine: Logger.Logger<unknown, string> = Logger.map(Logger.formatJson, (line) =>
  line.replace(unescaped, escape)
)

const colours: Readonly<Record<string, number>> = { FATAL: 31, ERROR: 31, WARN: 33, INFO: 32 }
const grey = 90

/** For people: the time of day, the level, the message and its annotations in one line, a cause below it, indented. */
export const terminalLine = (isColoured: boolean): Logger.Logger<unknown, string> => {
  const paint = (colour: number, text: string) => (isColoured ? `\u001b[${colour}m${text}\u001b[0m` : text)
  return Logger.map(Logger.formatStructured, ({ annotations, cause, level, message, timestamp }) => {
    const fields = Object.entries(annotations).map(
      ([name, value]) => ` ${paint(grey, `${printable(name)}=`)}${show(value)}`
    )
    const messages = (Array.isArray(message) ? message : [message]).map((part) =>
      typeof part === "string" ? printable(part) : show(part)
    )
    const causes = (cause ?? "").split("\n").filter((line) => line !== "")
    return [
      `${paint(grey, timeOfDay(timestamp))} ${paint(colours[level] ?? grey, level.padEnd(5))} ${messages.join(" ")}${fields.join("")}`,
      ...causes.map((line) => `    ${printable(line)}`)
    ].join("\n")
  })
}

/** Where this process is. */
const timeOfDay = (timestamp: string): string => {
  const at = new Date(timestamp)
  const parts = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0"))
  return `${parts.join(":")}.${String(at.getMilliseconds()).padStart(3, "0")}`
}

/** Text that could be taken for something else stands in quotes. */
const show = (value: unknown): string => {
  if (typeof value === "string" && /^[^\s"=]+$/.test(value)) return printable(value)
  return printable(JSON.stringify(value) ?? String(value))
}
