/**
 * What a torture test has found, and everything that there is to say about what is not as it should be.
 */
import { DateTime, Effect, Stream } from "effect"
import type { CallOrder } from "./CallOrder.ts"
import { type JournalEntry, Mishap, readJournal } from "./Journal.ts"
import type { Ledger } from "./Ledger.ts"
import { observeTimeline } from "./Observation.ts"
import { countFaults, type Fault } from "./Verdict.ts"

export interface Findings {
  readonly ledger: Ledger
  readonly faults: ReadonlyArray<Fault>
  readonly order: CallOrder
  /** What kept the test from coming to its end, or should not have happened beside it; for people. */
  readonly trouble: ReadonlyArray<string>
  readonly deadLetters: number
  /** How long all of it took, and from the last misfortune until everything was as it is wanted. */
  readonly seconds: number
  readonly settledAfter: number
  /** Where the journal of the scheduler lies, and a service answers, until the scope is closed. */
  readonly journal: string
  readonly url: string
}

/** Whether nothing is wrong. */
export const isFine = ({ faults, order, trouble }: Findings): boolean =>
  faults.length === 0 && trouble.length === 0 && order.faults.length === 0

/** Workers that are told about at length, and troubles of each kind that are printed. */
const most = 5

/** Of workers that are not as they should be all that is known, of other troubles some; and what the journal sums up to. */
export const evidence = Effect.fnUntraced(function* ({
  faults,
  journal: path,
  ledger,
  order,
  trouble,
  url
}: Findings) {
  const told = faults.slice(0, most)
  const outOfOrder = order.faults.slice(0, most)
  const journal = yield* summarise(path, new Set([...told, ...outOfOrder].map(({ id }) => id)))
  const stories = yield* Effect.forEach(told, (fault) =>
    Effect.map(observeTimeline(url, fault.id), (timeline) =>
      story(fault, ledger, timeline, journal.of.get(fault.id) ?? [])
    )
  )
  return {
    lines: [
      ...stories.flat(),
      ...outOfOrder.flatMap(({ id, what }) => [
        `${id}: ${what}`,
        "  The scheduler's journal:",
        ...(journal.of.get(id) ?? []).map((line) => `    ${line}`)
      ]),
      ...some(order.faults.slice(most).map(({ id, what }) => `${id}: ${what}`)),
      ...some(trouble)
    ],
    journal
  }
})

export interface JournalSummary {
  calls: number
  carriedOut: number
  forgotten: number
  readonly mishaps: Map<Mishap, number>
  readonly of: ReadonlyMap<string, Array<string>>
}

const summarise = Effect.fnUntraced(function* (path: string, ids: ReadonlySet<string>) {
  const summary: JournalSummary = {
    calls: 0,
    carriedOut: 0,
    forgotten: 0,
    mishaps: new Map(Mishap.literals.map((mishap) => [mishap, 0])),
    of: new Map(Array.from(ids, (id) => [id, []]))
  }
  yield* Stream.runForEach(readJournal(path), (entry) => Effect.sync(() => add(summary, entry)))
  return summary
})

const add = (summary: JournalSummary, entry: JournalEntry): void => {
  switch (entry.entry) {
    case "call":
      summary.calls++
      if (entry.mishap !== undefined) {
        summary.mishaps.set(entry.mishap, (summary.mishaps.get(entry.mishap) ?? 0) + 1)
      }
      break
    case "done":
      summary.carriedOut++
      break
    case "forgot":
      summary.forgotten++
  }
  const line = `${time(entry.at)} ${JSON.stringify({ ...entry, at: undefined, id: undefined })}`
  if (entry.entry === "restarted" || entry.entry === "started")
    for (const lines of summary.of.values()) lines.push(line)
  else if (entry.entry !== "end" && entry.id !== undefined) summary.of.get(entry.id)?.push(line)
}

const time = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis)).slice(11, 23)

const story = (
  { id, name, what }: Fault,
  ledger: Ledger,
  timeline: ReadonlyArray<string>,
  journal: ReadonlyArray<string>
): ReadonlyArray<string> => [
  `${id}: ${name}: ${what}`,
  "  The client knows that it is in one of these states:",
  ...ledger.knowledge(id).states.map((state) => `    ${JSON.stringify(state)}`),
  "  The client's requests:",
  ...ledger
    .entries(id)
    .map(
      ({ answer, at, change, request }) =>
        `    ${time(at)} ${request}: ${JSON.stringify(change)} -> ${JSON.stringify(answer)}`
    ),
  "  The service's timeline:",
  ...timeline.map((line) => `    ${line}`),
  "  The scheduler's journal:",
  ...journal.slice(-60).map((line) => `    ${line}`),
  ""
]

const some = (trouble: ReadonlyArray<string>): ReadonlyArray<string> =>
  trouble.length > most * 2
    ? [...trouble.slice(0, most * 2), `and ${trouble.length - most * 2} more like these`]
    : trouble

/** What the client has done, and what went wrong with the scheduler's calls, in a line each. */
export const faultLines = ({ faults, trouble }: Findings): ReadonlyArray<string> => [
  `Trouble: ${trouble.length}`,
  `Contradictions: ${countFaults(faults, "contradiction")}`,
  `Unfinished: ${countFaults(faults, "unfinished")}`,
  `Lost: ${countFaults(faults, "lost")}`,
  `Ghosts: ${countFaults(faults, "ghost")}`
]

export const clientLine = ({ acknowledged, echoes, refused, requests, unknown }: Ledger["counts"]): string =>
  `Requests: ${requests}, ${echoes} of them once more after their answer; changes acknowledged: ${acknowledged}, unknown: ${unknown}, refused: ${refused}`

export const journalLine = ({ calls, carriedOut, mishaps }: JournalSummary, deadLetters: number): string => {
  const injected = Array.from(mishaps, ([mishap, count]) => `${mishap} ${count}`).join(", ")
  return `Calls to the scheduler: ${calls}, carried out: ${carriedOut}; ${injected}; dead letters retried: ${deadLetters}`
}
