/**
 * What is printed at the end of the torture test of the cluster: of what is wrong all that is known, and the summary.
 */
import { Duration, Effect } from "effect"
import { textTable } from "../../src/TextTable.ts"
import {
  clientLine,
  evidence,
  faultLines,
  isFine,
  journalLine,
  type JournalSummary
} from "../torture/Evidence.ts"
import type { ClusterOutcome } from "./ClusterTorture.ts"

/** Everything that there is to say; the last lines are the summary. */
export const report = (outcome: ClusterOutcome) =>
  Effect.map(evidence(outcome), ({ journal, lines }) => [
    ...lines,
    ...(isFine(outcome) ? [] : ["", "What was done:", ...outcome.record.log.map((line) => `  ${line}`), ""]),
    ...summary(outcome, journal)
  ])

const seconds = (millis: number) => (millis / 1000).toFixed(1)

/** How many, and the least, the middle and the most of them, in seconds. */
const spread = (times: ReadonlyArray<number>): ReadonlyArray<string> => {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
  return [
    String(sorted.length),
    ...[at(0), at(0.5), at(1)].map((time) => (time === undefined ? "" : seconds(time)))
  ]
}

const table = ({ record: { counts, recoveries, takeOvers } }: ClusterOutcome): string =>
  textTable(
    ["Misfortune", "Times", "Taken over", "Least s", "Median s", "Most s"],
    [
      ...Array.from(counts, ([name, count]) => [name, String(count), ...spread(takeOvers.get(name) ?? [])]),
      ["Any of them: until taken over", "", ...spread(Array.from(takeOvers.values()).flat())],
      ["Any of them: once all was well again", "", ...spread(recoveries)]
    ],
    Infinity,
    (_, text) => text
  )

const summary = (outcome: ClusterOutcome, journal: JournalSummary): ReadonlyArray<string> => {
  const { ledger, order, rounds, schedulerMisfortunes: scheduler, settings, watch } = outcome
  return [
    table(outcome),
    "",
    `Cluster: 3 servers, lock expiration ${Duration.format(settings.lockExpiration)}, ${settings.workers} workers, ${settings.connections} connections, ${rounds} rounds in ${outcome.seconds.toFixed(0)} s; settled ${outcome.settledAfter.toFixed(1)} s after the last misfortune`,
    clientLine(ledger.counts),
    `Scheduler: ${scheduler.schedulerKills} kills, ${scheduler.schedulerPauses} pauses, ${scheduler.schedulerForgets} times without memory, ${scheduler.schedulerBackups} times with an old copy of it, ${journal.forgotten} single workers forgotten`,
    journalLine(journal, outcome.deadLetters),
    `Looks at the cluster: ${watch.answers}, every partition looked after in ${watch.wholeAnswers}`,
    `Calls for one worker that overlapped or went back: ${order.faults.length}; excused, since their server was killed: ${order.excusedByKill}, or stopped: ${order.excusedByStop}; given up before the scheduler came to them: ${order.givenUpBefore}`,
    `Two servers for one partition: ${watch.faults.length}`,
    `Not looked after in time: ${outcome.record.faults.length}`,
    ...faultLines(outcome),
    `Seed: ${settings.seed}`
  ]
}
