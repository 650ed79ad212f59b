/**
 * Points in time, as people read them.
 */
import { signal } from "@preact/signals"
import { duration, localTime, utcTime } from "./text.ts"

/** Now, once a second while the page is seen; milliseconds since 1970. */
export const now = signal(Date.now())
setInterval(() => {
  if (!document.hidden) now.value = Date.now()
}, 1000)

interface TimeProps {
  readonly at: string
  /** `distance`: how long ago, or until then; `clock`: the time of day. */
  readonly as?: "clock" | "distance"
}

export function Time({ as = "clock", at }: TimeProps) {
  const millis = Date.parse(at)
  return (
    <time dateTime={at} title={`${localTime(millis)} here, ${utcTime(millis)}`}>
      {as === "clock" ? localTime(millis) : distance(millis, now.value)}
    </time>
  )
}

const distance = (millis: number, now: number): string => {
  const past = now - millis
  if (past >= -500 && past < 1000) return "now"
  return past > 0 ? `${duration(past)} ago` : `in ${duration(-past)}`
}
