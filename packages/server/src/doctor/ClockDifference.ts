/**
 * How far two clocks are apart. Generations are made from the clock, so a clock that is far behind lets another
 * service's changes look newer than they are.
 */
import { type Finding, ok, problem, warning } from "./Finding.ts"

const noticed = 2000
const harmful = 60_000

/** `millis`: the other clock less this one's; `resolution`: how much of it means nothing, in milliseconds. */
export const clockFinding = (millis: number, whose: string, resolution: number): Finding => {
  const apart = Math.max(0, Math.abs(millis) - resolution)
  const message = `this machine's clock is ${(apart / 1000).toFixed(1)} s ${millis > 0 ? "behind" : "ahead of"} ${whose}`
  const fix = "Let both follow a time server (chrony, systemd-timesyncd)."
  if (apart >= harmful) return problem(message, fix)
  return apart >= noticed ? warning(message, fix) : ok(`this machine's clock agrees with ${whose}`)
}

/** Before this version was made. */
const earliest = Date.UTC(2026, 0, 1)

export const clockByItself = (now: number): Finding =>
  now < earliest
    ? problem(
        `this machine's clock says ${new Date(now).toISOString()}`,
        "Set it right: generations are made from it."
      )
    : ok(`this machine's clock says ${new Date(now).toISOString()}`)
