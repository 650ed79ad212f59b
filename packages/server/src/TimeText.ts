/**
 * Times as a person reads them: how long ago or ahead, and when in UTC.
 */

const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000]
] as const

/** A length of time in its largest unit, or its two largest where the first is small: "1 minute 20 seconds". */
export const span = (millis: number): string => {
  const whole = Math.floor(Math.abs(millis) / 1000) * 1000
  const at = units.findIndex(([, size]) => whole >= size)
  const largest = units[at]
  if (largest === undefined) return "less than a second"
  const [name, size] = largest
  const amount = Math.floor(whole / size)
  const next = units[at + 1]
  const rest = next === undefined || amount >= 10 ? 0 : Math.floor((whole % size) / next[1])
  return next === undefined || rest === 0
    ? plural(amount, name)
    : `${plural(amount, name)} ${plural(rest, next[0])}`
}

/** The same in one short word, for tables: `45s`, `12m`, `3h`, `8d`. */
export const shortSpan = (millis: number): string => {
  const [name, size] = units.find(([, size]) => millis >= size) ?? ["second", 1000]
  return `${Math.max(0, Math.floor(millis / size))}${name.charAt(0)}`
}

/** "3 minutes ago", "in 40 seconds". */
export const relative = (at: number, now: number): string => {
  if (Math.abs(at - now) < 1000) return at > now ? "within a second" : "just now"
  return at > now ? `in ${span(at - now)}` : `${span(now - at)} ago`
}

/** `2026-01-31 12:00:00Z`. */
export const utc = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replace("T", " ")}Z`

/** "2026-01-31 12:00:00Z (3 minutes ago)". */
export const moment = (timestamp: string, now: number): string => {
  const at = Date.parse(timestamp)
  return `${utc(at)} (${relative(at, now)})`
}

export const plural = (amount: number, one: string, many = `${one}s`): string =>
  `${amount.toLocaleString("en-US")} ${amount === 1 ? one : many}`
