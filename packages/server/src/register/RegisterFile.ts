/**
 * One `register` command from the opened file to the exit code, whoever does the registering.
 */
import {
  Cause,
  Clock,
  Console,
  Duration,
  Effect,
  Exit,
  type FileSystem,
  type Scope,
  type Stdio,
  Stream,
  type Terminal
} from "effect"
import type { ColumnMapping } from "../fleetfile/CsvColumns.ts"
import * as FleetFile from "../fleetfile/FleetFile.ts"
import type { FleetFileError, FleetRow } from "../fleetfile/FleetRow.ts"
import type { Format } from "../fleetfile/Format.ts"
import { canRedraw } from "../ProgressLine.ts"
import { NotAllDone } from "../NotAllDone.ts"
import type { WrongUsage } from "../WrongUsage.ts"
import { Ledger } from "./Ledger.ts"
import * as ProgressBar from "./ProgressBar.ts"
import * as Report from "./Report.ts"
import * as Summary from "./Summary.ts"
import type { Failure } from "./Tally.ts"

export interface RegisterOptions {
  readonly file: string
  readonly format: Format | undefined
  readonly mappings: ReadonlyArray<ColumnMapping>
  readonly report: string | undefined
  readonly json: boolean
  /** Whether the bar may be drawn, on a terminal. */
  readonly progress: boolean
  readonly scheduler: string | undefined
  readonly server: string | undefined
  /** Whether being accepted by a service is not enough. */
  readonly waits: boolean
}

type Rows = Stream.Stream<FleetRow>

type Failed = FleetFileError | WrongUsage | Report.ReportError

/**
 * Registers a file through `registerAll`, which settles every row that it takes in the ledger, and prints the
 * summary. Interrupted, it still writes the report and prints the summary, of what was done so far.
 */
export const registerFile = Effect.fnUntraced(function* <E, R>(
  options: RegisterOptions,
  registerAll: (rows: Rows, ledger: Ledger) => Effect.Effect<void, E, R>
): Effect.fn.Return<
  void,
  E | Failed | NotAllDone,
  R | FileSystem.FileSystem | Stdio.Stdio | Terminal.Terminal | Scope.Scope
> {
  const startedAt = yield* Clock.monotonicTimeNanos
  const file = yield* FleetFile.open(options.file, options)
  const report = options.report === undefined ? undefined : yield* Report.open(options.report, options.file)
  const ledger = new Ledger(report)

  // Where the file breaks off, what was read before is seen through first.
  let broken: FleetFileError | WrongUsage | undefined
  const rows = Stream.onEnd(file.rows, markComplete(ledger)).pipe(
    Stream.catch((error) => {
      broken = error
      return Stream.empty
    })
  )

  const work = Effect.gen(function* () {
    if (options.progress && (yield* canRedraw)) {
      yield* ProgressBar.show(() => progressOf(file, ledger))
    }
    yield* registerAll(rows, ledger)
    if (broken !== undefined) return yield* broken
  })

  const finish = Effect.fnUntraced(function* (exit: Exit.Exit<void, E | FleetFileError | WrongUsage>) {
    const isInterrupted = Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)
    const unfinished = ledger.underWay
    const nothingWasDone = Exit.isFailure(exit) && !isInterrupted && ledger.read === 0
    if (nothingWasDone) return
    // A report that cannot be written takes nothing away from the summary.
    const written = yield* Effect.exit(
      Effect.gen(function* () {
        if (report === undefined) return
        yield* Effect.forEach(unfinished, (row) => report.add(row, notFinished), { discard: true })
        if (isInterrupted && file.size !== undefined) yield* reportRest(options, ledger, report)
        yield* report.complete
      })
    )
    const elapsed = Duration.nanos((yield* Clock.monotonicTimeNanos) - startedAt)
    const summary: Summary.Summary = {
      file: options.file,
      format: file.format,
      scheduler: options.scheduler,
      server: options.server,
      waited: options.waits,
      entries: ledger.read,
      tally: ledger.tally,
      unfinished: unfinished.length,
      elapsed,
      stopped: isInterrupted ? "interrupted" : Exit.isFailure(exit) ? "error" : undefined,
      report:
        report === undefined || Exit.isFailure(written)
          ? undefined
          : { path: report.path, size: report.size(), isComplete: file.size !== undefined }
    }
    yield* Console.log(options.json ? JSON.stringify(Summary.toJson(summary)) : Summary.render(summary))
    yield* written
  })

  yield* Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.exit(restore(Effect.scoped(work))), (exit) => Effect.andThen(finish(exit), exit))
  )
  const { accepted, failed } = ledger.tally
  if (options.waits && accepted > 0) {
    return yield* new NotAllDone({
      message: `${accepted} of ${ledger.read} workers were not registered in time.`
    })
  }
  if (failed > 0) return yield* new NotAllDone({ message: `${failed} of ${ledger.read} rows failed.` })
})

const markComplete = (ledger: Ledger) =>
  Effect.sync(() => {
    ledger.isComplete = true
  })

/** The rows that were not read before an interruption go to the report as well, so that it holds all that is left. */
const reportRest = Effect.fnUntraced(function* (
  options: RegisterOptions,
  ledger: Ledger,
  report: Report.Report
): Effect.fn.Return<void, Failed, FileSystem.FileSystem | Stdio.Stdio> {
  if (ledger.isComplete) return
  const again = yield* Effect.scoped(
    Effect.flatMap(FleetFile.open(options.file, options), ({ rows }) =>
      Stream.runForEach(Stream.drop(rows, ledger.read), (row) => report.add(row, notTried))
    )
  ).pipe(Effect.exit)
  if (Exit.isFailure(again) && !Cause.hasInterrupts(again.cause)) return yield* again
})

const notFinished: Failure = {
  workerId: "unknown",
  type: "Interrupted",
  message: "The command was stopped before this worker's outcome was known. Registering it again is safe.",
  retryable: true
}

const notTried: Failure = {
  workerId: "unknown",
  type: "NotTried",
  message: "The command was stopped before it came to this worker.",
  retryable: true
}

const progressOf = (file: FleetFile.FleetFile, ledger: Ledger): ProgressBar.Progress => {
  const { failed, settled } = ledger.tally
  const { isComplete, read } = ledger
  const bytes = file.bytesRead()
  // Of a file that is read in part, the rows so far say how many there will be.
  const estimate =
    file.size === undefined || bytes === 0 || read === 0 ? undefined : Math.round((read * file.size) / bytes)
  return { settled, failed, total: isComplete ? read : estimate, isEstimate: !isComplete }
}
