/**
 * A configuration for people: a table for each group, and what is wrong below the value that it is wrong with.
 */
import type { Paint } from "../TerminalOutput.ts"
import { fit, printable, shorten, wrap } from "../TerminalText.ts"
import type { Configuration, Setting } from "./Configuration.ts"

const sources = { default: "default", environment: "variable", file: "file", flag: "flag" } as const
const widestSource = Math.max(...Object.values(sources).map((name) => name.length))
const gap = 2
/** Below this a value is cut rather than made narrower still. */
const narrowestValue = 8

/** In at most `columns` cells, or as wide as it is where nothing limits them. */
export const renderConfiguration = (
  { problems, settings, warnings }: Configuration,
  paint: Paint,
  columns: number | undefined
): string => {
  const widestName = Math.max(...settings.map(({ name }) => name.length))
  const widestValue = Math.max(...settings.map(({ value }) => printable(value).length))
  const room = (columns ?? Infinity) - gap - widestName - gap - gap - widestSource
  const widths = { name: widestName, value: Math.max(narrowestValue, Math.min(widestValue, room)) }
  const width = Math.max(20, (columns ?? Infinity) - 2 * gap)

  const messages = (all: ReadonlyArray<string>, style: "red" | "yellow") =>
    all.flatMap((message) => wrap(printable(message), width).map((line) => paint(style, line)))
  const row = (setting: Setting): ReadonlyArray<string> => {
    const style = setting.problem !== null ? "red" : setting.source === "default" ? "dim" : "bold"
    const value = printable(setting.value === "" ? "–" : setting.value)
    const cells = [
      fit(setting.name, widths.name),
      paint(style, fit(value, widths.value)),
      sources[setting.source]
    ]
    const indent = " ".repeat(2 * gap)
    return [
      `${" ".repeat(gap)}${cells.join(" ".repeat(gap))}`,
      ...messages(setting.problem === null ? [] : [setting.problem], "red").map((line) => indent + line)
    ]
  }

  const titles = Array.from(new Set(settings.map(({ group }) => group)))
  const told = new Set(settings.map(({ problem }) => problem))
  const others = problems.filter((problem) => !told.has(problem))
  return [
    ...titles.flatMap((title) => [
      paint("bold", title),
      ...settings.filter(({ group }) => group === title).flatMap(row),
      ""
    ]),
    ...messages(others, "red"),
    ...messages(warnings, "yellow"),
    shorten(summary(problems.length, warnings.length), columns ?? Infinity)
  ].join("\n")
}

const summary = (problems: number, warnings: number): string => {
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`
  return problems + warnings === 0
    ? "Everything is valid."
    : [problems, warnings]
        .map((number, index) => (number === 0 ? "" : count(number, index === 0 ? "problem" : "warning")))
        .filter((text) => text !== "")
        .join(", ")
}
