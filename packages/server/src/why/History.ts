/**
 * A worker's timeline as sentences. Attempts that failed the same way, one after the other, are one sentence.
 */
import type { TimelineView } from "../http/Schemas.ts"
import { relative } from "../TimeText.ts"

type Item = (typeof TimelineView.Type)["items"][number]
type Change = Extract<Item, { readonly type: "change" }>
type Call = Extract<Item, { readonly type: "call" }>

export interface Told {
  /** When it began; RFC 3339. */
  readonly at: string
  readonly text: string
}

export const tellHistory = (items: ReadonlyArray<Item>, now: number): ReadonlyArray<Told> => {
  const told: Array<Told> = []
  let index = 0
  while (index < items.length) {
    const item = items[index]
    if (item?.type === "change") told.push({ at: item.at, text: `${changeText(item)}, ${ago(item, now)}.` })
    if (item?.type === "call") {
      const alike = repetitions(items, index, item)
      told.push({ at: item.at, text: callText(item, alike, isFinal(items, alike.end), now) })
      index = alike.end
    }
    if (item?.type === "phase" && item.phase === "failed" && items[index - 1]?.type === "change") {
      told.push({ at: item.at, text: `It became a dead letter, ${ago(item, now)}.` })
    }
    index++
  }
  return told
}

const ago = ({ at }: Item, now: number): string => relative(Date.parse(at), now)

const changes: Record<Change["change"], string> = {
  provisioned: "It was reported as provisioned, so it is to be registered",
  ready: "It said that it is ready",
  terminated: "It was reported as gone, so it is to be unregistered",
  retried: "Somebody asked for the dead letter to be tried again",
  dropped: "Somebody gave the dead letter up",
  expired: "It had sent no heartbeat for longer than its lease, so it counts as gone",
  lost: "The scheduler turned out not to have it any more, so it is to be registered again",
  ghost: "The scheduler turned out to have it still, so it is to be unregistered again",
  adopted: "Only the scheduler knew it, and it was taken into the fleet",
  imported: "It was taken over from an export"
}

const changeText = ({ change, reason, source }: Change): string =>
  changes[change] +
  (source === null ? "" : ` (told by ${source})`) +
  (reason === null ? "" : ` (${quoted(reason)})`)

const quoted = (text: string): string => `“${text}”`

interface Repetitions {
  readonly last: Call
  /** The place of the last of them. */
  readonly end: number
  readonly count: number
}

/** Phases between two calls say nothing more: that it waited, and that it was tried again. */
const repetitions = (items: ReadonlyArray<Item>, start: number, first: Call): Repetitions => {
  let found: Repetitions = { last: first, end: start, count: 1 }
  if (first.error === null) return found
  for (let index = start + 1; index < items.length; index++) {
    const item = items[index]
    if (item === undefined || item.type === "change") break
    if (item.type === "phase") continue
    if (item.call !== first.call || item.error?.message !== first.error.message) break
    found = { last: item, end: index, count: found.count + 1 }
  }
  return found
}

const isFinal = (items: ReadonlyArray<Item>, end: number): boolean => {
  const next = items[end + 1]
  return next?.type === "phase" && next.phase === "failed"
}

const callText = (call: Call, { count, last }: Repetitions, isFinal: boolean, now: number): string => {
  const { error } = call
  if (error === null) return `${successText(call)}, ${ago(call, now)}.`
  const what =
    call.call === "verify"
      ? count === 1
        ? "Asking the scheduler whether it has the worker"
        : `Asking the scheduler ${count} times whether it has the worker`
      : `${attemptText(call, last, count)} to ${call.call} it`
  const when = count === 1 ? ago(call, now) : `the last ${ago(last, now)}`
  const end = isFinal ? " Trying again would not mend that, so it is a dead letter." : ""
  return `${what} failed, ${when}: ${ended(error.message)}${end}`
}

const ended = (message: string): string => (/[.!?]$/.test(message) ? message : `${message}.`)

const attemptText = (first: Call, last: Call, count: number): string => {
  if (count > 1) {
    return first.attempt === null || last.attempt === null || last.attempt < first.attempt
      ? `${count} attempts`
      : `Attempts ${first.attempt} to ${last.attempt}`
  }
  return first.attempt === null ? "An attempt" : `Attempt ${first.attempt}`
}

const successText = ({ attempt, call, held }: Call): string => {
  const which = attempt === null || attempt === 1 ? "" : ` at attempt ${attempt}`
  switch (call) {
    case "register":
      return `The scheduler took it${which}`
    case "unregister":
      return `The scheduler let it go${which}`
    case "verify":
      return held === true
        ? "The scheduler was asked whether it has the worker, and has it"
        : "The scheduler was asked whether it has the worker, and does not have it"
  }
}
