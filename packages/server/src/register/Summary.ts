/**
 * What a `register` command says when it is done: for people, or as one JSON object.
 */
import { Duration } from "effect"
import { where } from "../fleetfile/FleetRow.ts"
import type { Format } from "../fleetfile/Format.ts"
import { printable } from "../TerminalText.ts"
import { count } from "./ProgressBar.ts"
import type { Tally } from "./Tally.ts"

interface SummaryReport {
  readonly path: string
  /** Rows in it. */
  readonly size: number
  /** Whether it has all that is left of the file, also where the command was interrupted. */
  readonly isComplete: boolean
}

export interface Summary {
  readonly file: string
  readonly format: Format
  /** Who registered: a scheduler as `--scheduler` names it, or the URL of a service. */
  readonly scheduler: string | undefined
  readonly server: string | undefined
  /** Whether the service was asked to answer only when workers are registered. */
  readonly waited: boolean
  /** Rows read. */
  readonly entries: number
  readonly tally: Tally
  /** Rows without an outcome: the command was stopped before they had one. */
  readonly unfinished: number
  readonly elapsed: Duration.Duration
  readonly stopped: "interrupted" | "error" | undefined
  readonly report: SummaryReport | undefined
}

/** The same, as `--json` prints it. Durations are in milliseconds, the rate in rows per second. */
export const toJson = (summary: Summary) => {
  const { tally } = summary
  return {
    file: summary.file,
    format: summary.format,
    scheduler: summary.scheduler,
    server: summary.server,
    entries: summary.entries,
    registered: tally.registered,
    accepted: summary.server === undefined ? undefined : tally.accepted,
    superseded: tally.superseded,
    failed: tally.failed,
    failedByType: Object.fromEntries(tally.failuresByType),
    unfinished: summary.unfinished,
    retries: tally.retries,
    durationMs: { p50: millis(tally, 0.5), p95: millis(tally, 0.95) },
    elapsedMs: Math.round(Duration.toMillis(summary.elapsed)),
    rate: rate(summary),
    stopped: summary.stopped ?? null,
    report: summary.report?.path ?? null,
    failures: tally.listedFailures
  }
}

/** Lines for people. */
export const render = (summary: Summary): string => {
  const { report, tally } = summary
  return [
    headline(summary),
    "",
    ...table(summary).map(([label, value]) => `  ${label.padEnd(labelWidth)}${value}`),
    ...listFailures(tally),
    ...(report === undefined || report.size === 0
      ? []
      : [
          "",
          `Report: ${report.path} (${rows(report.size)}). When the cause is removed: muster register ${quote(report.path)}`
        ]),
    ...notes(summary).flatMap((note) => ["", note])
  ]
    .map(printable)
    .join("\n")
}

const labelWidth = 24

const headline = (summary: Summary): string => {
  const { elapsed, server, tally } = summary
  const [done, verb] =
    server !== undefined && tally.registered === 0
      ? [tally.accepted, "accepted"]
      : [tally.registered, "registered"]
  const failed = tally.failed === 0 ? "" : `, ${count(tally.failed)} failed`
  return `${count(done)} ${done === 1 ? "worker" : "workers"} ${verb}${failed} in ${formatDuration(elapsed)} (${count(rate(summary))}/s)`
}

const table = ({ server, tally, unfinished }: Summary): ReadonlyArray<readonly [string, string]> => {
  const p50 = tally.durations.percentile(0.5)
  const p95 = tally.durations.percentile(0.95)
  return [
    ...(server === undefined || tally.registered > 0
      ? [["registered", count(tally.registered)] as const]
      : []),
    ...(server === undefined ? [] : [["accepted", count(tally.accepted)] as const]),
    ...(tally.superseded > 0 ? [["superseded", count(tally.superseded)] as const] : []),
    ["failed", count(tally.failed)],
    ...Array.from(tally.failuresByType, ([type, failed]) => [`  ${type}`, count(failed)] as const),
    ...(unfinished > 0 ? [["unfinished", count(unfinished)] as const] : []),
    ["retries", count(tally.retries)],
    ...(p50 === undefined || p95 === undefined
      ? []
      : [["duration", `p50 ${formatDuration(p50)}, p95 ${formatDuration(p95)}`] as const])
  ]
}

const listFailures = ({ failed, listedFailures }: Tally): ReadonlyArray<string> => {
  if (failed === 0) return []
  const more = failed - listedFailures.length
  return [
    "",
    "Failures:",
    ...listedFailures.map(
      (failure) => `  ${where(failure)}  ${failure.workerId}  ${failure.type}: ${failure.message}`
    ),
    ...(more > 0 ? [`  … and ${count(more)} more`] : [])
  ]
}

const notes = ({
  entries,
  report,
  scheduler,
  server,
  stopped,
  tally,
  waited
}: Summary): ReadonlyArray<string> => [
  ...(entries === 0 && stopped === undefined ? ["The file has no workers: nothing to do."] : []),
  ...(stopped === "interrupted" ? [interruption(report)] : []),
  ...(server !== undefined && tally.accepted > 0
    ? [
        waited
          ? "Not all of them were registered in time. The service goes on with them by itself."
          : "Accepted means that the service has stored them and registers them; --wait DURATION waits for that."
      ]
    : []),
  ...(scheduler === "embedded" && tally.registered > 0
    ? [
        "The embedded scheduler lives in this process and forgets with it; --server URL registers with a running service."
      ]
    : [])
]

const interruption = (report: SummaryReport | undefined): string => {
  if (report === undefined)
    return "Interrupted. The rest of the file was not tried; registering it again is safe."
  return report.isComplete
    ? "Interrupted. What had no outcome yet and the rest of the file are in the report; registering it finishes the work."
    : "Interrupted. What was read and had no outcome yet is in the report; what was not read is not."
}

const rows = (amount: number): string => `${count(amount)} ${amount === 1 ? "row" : "rows"}`

const rate = ({ elapsed, tally }: Summary): number => {
  const seconds = Duration.toSeconds(elapsed)
  return seconds > 0 ? Math.round(tally.settled / seconds) : 0
}

const millis = ({ durations }: Tally, share: number): number | null => {
  const duration = durations.percentile(share)
  return duration === undefined ? null : Number(Duration.toMillis(duration).toPrecision(3))
}

/** Three digits, in the unit that suits. */
const formatDuration = (duration: Duration.Duration): string => {
  const inMillis = Duration.toMillis(duration)
  if (inMillis < 1) return `${Number((inMillis * 1000).toPrecision(3))} µs`
  if (inMillis < 1000) return `${Number(inMillis.toPrecision(3))} ms`
  if (inMillis < 60_000) return `${Number((inMillis / 1000).toPrecision(3))} s`
  return `${Math.floor(inMillis / 60_000)} min ${Math.round((inMillis % 60_000) / 1000)} s`
}

const quote = (path: string): string =>
  /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
