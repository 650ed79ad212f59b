/**
 * What is printed at the end of the torture test: the counts, and of workers that are not as they should be all that is
 * known about them.
 */
import type { WorkerId } from "@muster/core"
import { DateTime, Effect, Stream } from "effect"
import { type JournalEntry, Mishap, readJournal } from "./Journal.ts"
import type { Ledger } from "./Ledger.ts"
import { observeTimeline } from "./Observation.ts"
import type { Outcome } from "./Torture.ts"
import { countFaults, type Fault } from "./Verdict.ts"

/** Workers that are told about at length, and troubles of each kind that are printed. */
const most = 5

/** Whether nothing is wrong. */
export const isFine = ({ faults, trouble }: Outcome): boolean => faults.length === 0 && trouble.length === 0

/** Everything that there is to say; the last lines are the counts. */
export const report = Effect.fnUntraced(function* (outcome: Outcome) {
  const journal = yield* summarise(
    outcome.journal,
    new Set(outcome.faults.slice(0, most).map(({ id }) => id))
  )
  const stories = yield* Effect.forEach(outcome.faults.slice(0, most), (fault) =>
    Effect.map(observeTimeline(outcome.url, fault.id), (timeline) =>
      story(fault, outcome.ledger, timeline, journal.of.get(fault.id) ?? [])
    )
  )
  return [...stories.flat(), ...some(outcome.trouble), ...counts(outcome, journal)]
})

interface JournalSummary {
  calls: number
  carriedOut: number
  forgotten: number
  readonly mishaps: Map<Mishap, number>
  readonly of: ReadonlyMap<string, Array<string>>
}

const summarise = Effect.fnUntraced(function* (path: string, ids: ReadonlySet<WorkerId>) {
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
  if (entry.entry === "restarted") for (const lines of summary.of.values()) lines.push(line)
  else if (entry.id !== undefined) summary.of.get(entry.id)?.push(line)
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

const counts = (outcome: Outcome, journal: JournalSummary): ReadonlyArray<string> => {
  const { faults, ledger, misfortunes, settings } = outcome
  const { acknowledged, echoes, refused, requests, unknown } = ledger.counts
  const injected = Array.from(journal.mishaps, ([mishap, count]) => `${mishap} ${count}`).join(", ")
  return [
    `Store: ${settings.store}, ${settings.workers} workers, ${settings.connections} connections, ${outcome.seconds.toFixed(0)} s; settled ${outcome.settledAfter.toFixed(1)} s after the last misfortune`,
    `Requests: ${requests}, ${echoes} of them once more after their answer; changes acknowledged: ${acknowledged}, unknown: ${unknown}, refused: ${refused}`,
    `Service: ${misfortunes.serviceKills} kills (${misfortunes.killsWhileStarting} while it started, ${misfortunes.killsWhilePaused} while it was paused), ${misfortunes.servicePauses} pauses`,
    `Scheduler: ${misfortunes.schedulerKills} kills, ${misfortunes.schedulerPauses} pauses, ${misfortunes.schedulerForgets} times without memory, ${misfortunes.schedulerBackups} times with an old copy of it, ${journal.forgotten} single workers forgotten`,
    `Database: ${misfortunes.databaseKills} kills`,
    `Calls to the scheduler: ${journal.calls}, carried out: ${journal.carriedOut}; ${injected}; dead letters retried: ${outcome.deadLetters}`,
    `Trouble: ${outcome.trouble.length}`,
    `Contradictions: ${countFaults(faults, "contradiction")}`,
    `Unfinished: ${countFaults(faults, "unfinished")}`,
    `Lost: ${countFaults(faults, "lost")}`,
    `Ghosts: ${countFaults(faults, "ghost")}`,
    `Seed: ${settings.seed}`
  ]
}
