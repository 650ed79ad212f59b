/**
 * One `import` command from the opened file to the exit code: lines go out in requests of some hundred, a
 * few at a time, and those that met something that passes are sent again. The service takes a line twice without harm.
 */
import { RegistrationConfig } from "@muster/core"
import { Console, Duration, Effect, type FileSystem, Schedule, type Scope, Stream } from "effect"
import type { Stdio, Terminal } from "effect"
import type { HttpClient } from "effect/http"
import { describe, isRetryable, type ServiceUnavailable } from "../client/ServiceAnswer.ts"
import { bytesOf, sizeOf, standardInput, unreadableFile } from "../fleetfile/FleetFile.ts"
import type { FleetFileError } from "../fleetfile/FleetRow.ts"
import { HttpLimits } from "../http/HttpLimits.ts"
import { type Line, lines } from "../http/NdjsonLines.ts"
import * as ProgressBar from "../register/ProgressBar.ts"
import { canRedraw } from "../ProgressLine.ts"
import { NotAllDone } from "../NotAllDone.ts"
import type { ReportError } from "../register/Report.ts"
import { printable } from "../TerminalText.ts"
import { WrongUsage } from "../WrongUsage.ts"
import { type ImportResult, postImport } from "./ExportClient.ts"
import { ExportFrame } from "./ExportFrame.ts"
import { openImportReport } from "./ImportReport.ts"

export interface ImportOptions {
  readonly file: string
  readonly address: string
  readonly dryRun: boolean
  readonly report: string | undefined
  readonly json: boolean
}

/** Lines of one request, and how many bytes they may have together. */
const batchLines = 500
const batchBytes = 4 * 2 ** 20
/** A service stores what comes together in one transaction, and most of a request's time is waiting for that. */
const requestsAtOnce = 4
/** Failures that are listed; there may be a million. */
const listed = 10

interface Failure {
  readonly line: number
  readonly message: string
}

interface Tally {
  imported: number
  kept: number
  failed: number
  readonly failures: Array<Failure>
}

/** A line of the file on its way. */
interface Sent {
  readonly line: number
  readonly text: string
}

export const importFile = Effect.fnUntraced(function* (
  options: ImportOptions
): Effect.fn.Return<
  void,
  WrongUsage | FleetFileError | NotAllDone | ReportError | ServiceUnavailable,
  FileSystem.FileSystem | Stdio.Stdio | Terminal.Terminal | HttpClient.HttpClient | Scope.Scope
> {
  const { address, dryRun, file, json } = options
  const name = file === standardInput ? "standard input" : file
  const config = yield* RegistrationConfig
  const report = options.report === undefined ? undefined : yield* openImportReport(options.report, file)
  const frame = new ExportFrame()
  const tally: Tally = { imported: 0, kept: 0, failed: 0, failures: [] }
  const decoder = new TextDecoder()

  const fail = Effect.fnUntraced(function* (line: number, message: string, text: string) {
    tally.failed++
    if (tally.failures.length < listed) tally.failures.push({ line, message })
    if (report !== undefined) yield* report.add(text, message)
  })

  const settle = (sent: Sent, { outcome, problem, status }: ImportResult) => {
    if (outcome === "imported") tally.imported++
    else if (outcome === "kept") tally.kept++
    else if (outcome === undefined) {
      return fail(
        sent.line,
        problem === undefined ? `answered with status ${status}` : describe(problem),
        sent.text
      )
    }
    return Effect.void
  }

  /** Sends what is open; succeeds when everything is settled. The last time, what could pass later is settled too. */
  const attempt = (open: Map<number, Sent>, last: { result: Map<number, ImportResult> }) =>
    Effect.suspend(() => {
      const members = Array.from(open.values())
      return postImport(address, members.map(({ text }) => `${text}\n`).join(""), dryRun).pipe(
        Stream.runForEach((result) => {
          const sent = members[result.line - 1]
          if (sent === undefined || !open.has(sent.line)) return Effect.void
          if (result.outcome === undefined && isRetryable(result.status)) {
            last.result.set(sent.line, result)
            return Effect.void
          }
          open.delete(sent.line)
          return settle(sent, result)
        }),
        Effect.andThen(
          Effect.suspend(() => (open.size === 0 ? Effect.void : Effect.fail("unsettled" as const)))
        )
      )
    })

  const retry = Schedule.exponential(config.baseBackoff).pipe(
    Schedule.setInputType<ServiceUnavailable | ReportError | "unsettled">(),
    Schedule.while(
      ({ input }) => input === "unsettled" || (input._tag === "ServiceUnavailable" && input.retryable)
    ),
    Schedule.upTo({ times: config.maxRetries }),
    Schedule.modifyDelay(({ duration, input }) =>
      Effect.succeed(
        Duration.max(
          Duration.min(duration, config.maxBackoff),
          input !== "unsettled" && input._tag === "ServiceUnavailable"
            ? Duration.seconds(input.retryAfter ?? 0)
            : Duration.zero
        )
      )
    )
  )

  const send = Effect.fnUntraced(function* (batch: ReadonlyArray<Sent>) {
    const open = new Map(batch.map((sent) => [sent.line, sent]))
    const last = { result: new Map<number, ImportResult>() }
    yield* Effect.retry(attempt(open, last), retry).pipe(
      Effect.catchIf(
        (error) => error === "unsettled",
        () =>
          Effect.forEach(
            open.values(),
            (sent) => settle(sent, last.result.get(sent.line) ?? { line: sent.line, status: 503 }),
            { discard: true }
          )
      )
    )
  })

  /** The line as it goes out; what is no line of an export at all ends the import before anything is sent of it. */
  const take = Effect.fnUntraced(function* ({ bytes, line }: Line) {
    const text = bytes === undefined ? "" : decoder.decode(bytes)
    const wrong = frame.feed(text)
    if (wrong === undefined) {
      if (bytes !== undefined) return [{ line, text }]
      yield* fail(line, `it has more than ${HttpLimits.exportLineBytes} bytes`, "")
      return []
    }
    return yield* frame.expected === undefined
      ? new WrongUsage({
          message: `${name} is no export of muster: ${wrong}. A file of workers is for muster register.`
        })
      : new NotAllDone({ message: `${name} is no export of muster from line ${line} on: ${wrong}.` })
  })

  const source = yield* bytesOf(file, (yield* sizeOf(file)) !== undefined)
  yield* Effect.scoped(
    Effect.gen(function* () {
      if (yield* canRedraw) {
        yield* ProgressBar.show(() => ({
          settled: tally.imported + tally.kept + tally.failed,
          failed: tally.failed,
          total: frame.expected,
          isEstimate: false
        }))
      }
      yield* lines(Stream.mapError(source, unreadableFile(name)), HttpLimits.exportLineBytes).pipe(
        Stream.mapEffect(take),
        Stream.flatMap(Stream.fromIterable),
        Stream.groupedWithin(batchLines, "200 millis"),
        Stream.flatMap((batch) => Stream.fromIterable(split(batch))),
        Stream.mapEffect(send, { concurrency: requestsAtOnce, unordered: true }),
        Stream.runDrain
      )
    })
  )
  const incomplete = frame.missing
  if (report !== undefined) yield* report.complete
  const counts = { imported: tally.imported, kept: tally.kept, failed: tally.failed }
  yield* Console.log(
    json
      ? JSON.stringify({
          file,
          server: address,
          dryRun,
          complete: incomplete === undefined,
          ...counts,
          failures: tally.failures,
          report: report === undefined ? null : { path: report.path, size: report.size() }
        })
      : render(options, tally, report)
  )
  if (incomplete !== undefined) {
    return yield* new NotAllDone({
      message: `${name} is not complete: ${incomplete}. What there was of it has been ${dryRun ? "looked at" : "imported"}.`
    })
  }
  if (tally.failed > 0) {
    return yield* new NotAllDone({ message: `${ProgressBar.count(tally.failed)} lines failed.` })
  }
})

/** Parts of a batch that are not too large for one request. */
const split = (batch: ReadonlyArray<Sent>): ReadonlyArray<ReadonlyArray<Sent>> => {
  const parts: Array<Array<Sent>> = []
  let bytes = Infinity
  for (const sent of batch) {
    if (bytes + sent.text.length > batchBytes) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)?.push(sent)
    bytes += sent.text.length
  }
  return parts
}

const render = (
  { address, dryRun }: ImportOptions,
  { failed, failures, imported, kept }: Tally,
  report: { readonly path: string; readonly size: () => number } | undefined
): string => {
  const workers = (number: number) => `${ProgressBar.count(number)} ${number === 1 ? "worker" : "workers"}`
  const more = failed - failures.length
  return [
    `${workers(imported)} ${dryRun ? "would be imported" : "imported"} into ${address}`,
    ...(kept > 0 ? [`${workers(kept)} kept: known there in the same or a newer state`] : []),
    ...(failed > 0 ? [`${workers(failed)} failed`] : []),
    ...failures.map(({ line, message }) => `  line ${line}: ${printable(message)}`),
    ...(more > 0 ? [`  and ${ProgressBar.count(more)} more`] : []),
    ...(report === undefined ? [] : [`${ProgressBar.count(report.size())} lines in ${report.path}`])
  ].join("\n")
}
