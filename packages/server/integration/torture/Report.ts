/**
 * What is printed at the end of the torture test: of what is wrong all that is known, and the counts.
 */
import { Effect } from "effect"
import { clientLine, evidence, faultLines, journalLine, type JournalSummary } from "./Evidence.ts"
import type { Outcome } from "./Torture.ts"

/** Everything that there is to say; the last lines are the counts. */
export const report = (outcome: Outcome) =>
  Effect.map(evidence(outcome), ({ journal, lines }) => [...lines, ...counts(outcome, journal)])

const counts = (outcome: Outcome, journal: JournalSummary): ReadonlyArray<string> => {
  const { ledger, misfortunes, order, settings } = outcome
  return [
    `Store: ${settings.store}, ${settings.workers} workers, ${settings.connections} connections, ${outcome.seconds.toFixed(0)} s; settled ${outcome.settledAfter.toFixed(1)} s after the last misfortune`,
    clientLine(ledger.counts),
    `Service: ${misfortunes.serviceKills} kills (${misfortunes.killsWhileStarting} while it started, ${misfortunes.killsWhilePaused} while it was paused), ${misfortunes.servicePauses} pauses`,
    `Scheduler: ${misfortunes.schedulerKills} kills, ${misfortunes.schedulerPauses} pauses, ${misfortunes.schedulerForgets} times without memory, ${misfortunes.schedulerBackups} times with an old copy of it, ${journal.forgotten} single workers forgotten`,
    `Database: ${misfortunes.databaseKills} kills`,
    journalLine(journal, outcome.deadLetters),
    `Calls for one worker that overlapped or went back: ${order.faults.length}; excused, since their service was killed: ${order.excusedByKill}; given up before the scheduler came to them: ${order.givenUpBefore}`,
    ...faultLines(outcome),
    `Seed: ${settings.seed}`
  ]
}
