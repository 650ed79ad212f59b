/** What is printed of a soak test, while it runs and at its end. */
import { Duration } from "effect"
import type { Outcome, Progress } from "./Soak.ts"
import { judgeSamples } from "./Verdict.ts"

/** Faults and differences that are printed one by one. */
const most = 10
const mebibyte = 1024 * 1024

export const isFine = (outcome: Outcome): boolean =>
  outcome.fleet.faultCount === 0 &&
  outcome.trouble.length === 0 &&
  outcome.differences.length === 0 &&
  judgeSamples(outcome.samples).every((finding) => finding.isFine)

export const progressLine = ({ fleet, isSettling, sample, scheduler, seconds }: Progress): string =>
  [
    clock(seconds),
    ...(isSettling ? ["all is calm, settling"] : []),
    `${fleet.counts.requests} requests`,
    `${fleet.wanted.size} wanted`,
    ...(sample === undefined
      ? []
      : [`${Math.round(sample.residentBytes / mebibyte)} MiB`, `${sample.descriptors} files`]),
    `scheduler: ${scheduler.restarts} restarts`,
    `${fleet.faultCount} faults`
  ].join(" · ")

const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`

export const report = (outcome: Outcome): ReadonlyArray<string> => {
  const { fleet, scheduler, settings, trouble } = outcome
  const { counts } = fleet
  const found = judgeSamples(outcome.samples)
  const rows = [
    ...found.map(
      ({ bound, isFine, unjudged, value, what }) =>
        [what, value, bound, unjudged ?? (isFine ? "ok" : "NOT OK")] as const
    ),
    ...(["lost", "ghost", "unfinished"] as const).map((name) => {
      const count = outcome.differences.filter((difference) => difference.name === name).length
      return [name, String(count), "0", count === 0 ? "ok" : "NOT OK"] as const
    }),
    ["faults while it ran", String(fleet.faultCount), "0", fleet.faultCount === 0 ? "ok" : "NOT OK"] as const
  ]
  return [
    ...some(outcome.differences.map(({ id, name, what }) => `${name}: ${id}: ${what}`)),
    ...some(fleet.faults),
    ...some(trouble),
    ...table([["", "", "bound", ""], ...rows]),
    "",
    `Store: ${settings.store}, ${settings.workers} workers, ${settings.lanes} clients, ${Duration.format(settings.duration)}; settled after ${outcome.settledAfter.toFixed(1)} s`,
    `Changes: ${counts.requests} requests, ${counts.registered} registered, ${counts.terminated} terminated, ${counts.deferred} asked to come again; ${counts.silenced} fell silent, ${counts.heartbeats} heartbeats, ${counts.retried} dead letters retried`,
    `Looks: ${counts.reads} reads, ${counts.events} events followed, ${counts.exports} exports, ${counts.bad} bad requests`,
    `Scheduler: ${scheduler.restarts} restarts, ${scheduler.amnesias} of them without memory, ${scheduler.outages} outages`,
    `Seed: ${settings.seed}`
  ]
}

const table = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length))
  )
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd()
  )
}

const some = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length > most ? [...lines.slice(0, most), `and ${lines.length - most} more like these`] : lines
