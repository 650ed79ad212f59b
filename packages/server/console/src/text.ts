/**
 * Numbers, times and the words of the API, for people.
 */
import type { FailureType, TimelineItem } from "./api.ts"

const numbers = new Intl.NumberFormat("en-US")
export const count = (value: number): string => numbers.format(value)

export const plural = (value: number, one: string, more = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : more}`

/** A rate or another number that need not be whole. */
export const decimal = (value: number): string =>
  value >= 100 || Number.isInteger(value) ? count(Math.round(value)) : value.toFixed(value < 10 ? 2 : 1)

/** A length of time, in milliseconds. */
export const duration = (millis: number): string => {
  if (millis < 1000) return `${Math.round(millis)} ms`
  const seconds = millis / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  const minutes = seconds / 60
  if (minutes < 120) return `${Math.round(minutes)} min`
  const hours = minutes / 60
  return hours < 48 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} d`
}

/** How long a registration took, in seconds, as the buckets of the metric tell: the first ends at a tenth of one. */
export const registrationTime = (seconds: number): string =>
  seconds > 0 && seconds < 0.1 ? "< 100 ms" : duration(seconds * 1000)

/** A length of time as the API writes it, such as `10000 millis`. */
export const setting = (text: string): string => {
  const [, millis] = /^(\d+(?:\.\d+)?) millis$/.exec(text) ?? []
  return millis === undefined ? text : duration(Number(millis))
}

const time = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23"
})
const dayAndTime = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23"
})

/** In the reader's time zone; the day where it is not today. */
export const localTime = (millis: number): string => {
  const date = new Date(millis)
  return date.toDateString() === new Date().toDateString() ? time.format(date) : dayAndTime.format(date)
}

export const utcTime = (millis: number): string =>
  `${new Date(millis).toISOString().replace("T", " ").replace("Z", "")} UTC`

export const failureNames: Readonly<Record<FailureType, string>> = {
  scheduler_unavailable: "Scheduler unavailable",
  timeout: "Timed out",
  invalid_worker: "Invalid worker",
  max_retries: "Retries exhausted",
  unexpected: "Unexpected",
  superseded: "Superseded"
}

/** What a failure means, and what can be done. */
export const failureAdvice: Readonly<Record<FailureType, string>> = {
  scheduler_unavailable:
    "The scheduler could not be reached, or has too much to do. Muster goes on trying by itself.",
  timeout: "The scheduler did not answer in time. Muster goes on trying by itself.",
  invalid_worker:
    "The scheduler refuses this worker. Change the worker, or the scheduler, before it is tried again.",
  max_retries: "Every quick attempt failed. Muster goes on trying, with longer waits.",
  unexpected: "Something happened that Muster does not know. The log of the service says more.",
  superseded: "The scheduler has newer state of this worker than Muster; another process may manage it."
}

const changes: Readonly<Record<Extract<TimelineItem, { type: "change" }>["change"], string>> = {
  provisioned: "Provisioned",
  ready: "Reported ready",
  terminated: "Terminated",
  retried: "Retry asked for",
  dropped: "Dropped",
  expired: "Lease expired",
  lost: "Lost by the scheduler",
  ghost: "Still held by the scheduler",
  adopted: "Adopted from the scheduler",
  imported: "Imported from an export"
}

const calls = {
  register: "Registration",
  unregister: "Unregistration",
  verify: "Check with the scheduler"
} as const

/** A step of a worker's story, in a few words. */
export const itemTitle = (item: TimelineItem): string => {
  switch (item.type) {
    case "change":
      return changes[item.change]
    case "phase":
      return `Phase ${item.phase}`
    case "call": {
      const which = item.attempt === null ? "" : `, attempt ${item.attempt}`
      if (item.error !== null) return `${calls[item.call]}${which}: failed`
      const found =
        item.held === null ? "succeeded" : item.held ? "the scheduler has it" : "the scheduler lost it"
      return `${calls[item.call]}${which}: ${found}`
    }
  }
}
