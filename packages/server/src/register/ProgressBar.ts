/**
 * The line that shows how far a registration has come.
 */
import { drawLine } from "../ProgressLine.ts"

export interface Progress {
  /** Rows whose outcome is known. */
  readonly settled: number
  readonly failed: number
  /** All rows, known or estimated; `undefined` where nothing says how many will come. */
  readonly total: number | undefined
  /** Whether `total` is a guess from the part that was read. */
  readonly isEstimate: boolean
}

/** Draws until the scope closes. */
export const show = (progress: () => Progress) =>
  drawLine((elapsed, columns) => render(progress(), elapsed, columns))

const widestBar = 24

/** One line of at most `columns` - 1 characters. Where that is too little for all, what matters least is left out. */
export const render = (progress: Progress, elapsedSeconds: number, columns: number): string => {
  const { failed, isEstimate, settled, total } = progress
  const rate = elapsedSeconds > 0 ? settled / elapsedSeconds : 0
  const share = total === undefined || total === 0 ? undefined : Math.min(1, settled / total)
  const percent = share === undefined ? "" : `${Math.floor(share * 100)}%`.padStart(4)
  const done =
    total === undefined
      ? count(settled)
      : `${count(settled)}/${isEstimate ? "~" : ""}${count(Math.max(total, settled))}`
  const perSecond = `${count(Math.round(rate))}/s`
  const left =
    share === undefined || rate === 0 || total === undefined
      ? ""
      : `${formatSeconds(Math.max(0, total - settled) / rate)} left`
  const failures = `${count(failed)} failed`
  const lines = [
    [percent, done, perSecond, left, failures],
    [percent, done, left, failures],
    [percent, done, failures],
    [percent, failures],
    [percent === "" ? count(settled) : percent],
    []
  ].map((parts) => parts.filter((part) => part !== "").join("  "))
  const words = lines.find((line) => line.length < columns) ?? ""
  const room = Math.min(widestBar, columns - 2 - words.length)
  return share === undefined || room < 8 || words !== lines[0] ? words : `${bar(share, room)} ${words}`
}

const bar = (share: number, width: number): string => {
  const filled = Math.round(share * width)
  return "█".repeat(filled) + "░".repeat(width - filled)
}

export const count = (value: number): string => value.toLocaleString("en-US")

const formatSeconds = (seconds: number): string => {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole}s`
  const minutes = Math.floor(whole / 60)
  return minutes < 60
    ? `${minutes}m ${String(whole % 60).padStart(2, "0")}s`
    : `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, "0")}m`
}
