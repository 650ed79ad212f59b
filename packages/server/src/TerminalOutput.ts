/**
 * How standard output shows things: on a terminal with colours and within its width; in a pipe or a file plain and
 * whole. Colours are off with `NO_COLOR` and with `TERM=dumb`, and on with `FORCE_COLOR`.
 */
import { Effect, type PlatformError, Predicate, Result, Sink, Stdio, Stream, Terminal } from "effect"
import { TerminalCapabilities } from "effect/cli"
import { styleText } from "node:util"

type Format = Parameters<typeof styleText>[0]

/** Colours or otherwise marks a text; the width that it takes stays as it is. */
export type Paint = (format: Format, text: string) => string

export interface TerminalOutput {
  readonly isTerminal: boolean
  readonly paint: Paint
  /** The cells of a line; `undefined` where nothing limits them. */
  readonly columns: number | undefined
}

/** Terminals that do not tell how wide they are get lines for this many cells. */
const usualColumns = 80

export const terminalOutput: Effect.Effect<TerminalOutput, never, Stdio.Stdio | Terminal.Terminal> =
  Effect.gen(function* () {
    const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
    const isTerminal = yield* (yield* Stdio.Stdio).stdoutIsTerminal
    const columns = yield* (yield* Terminal.Terminal).columns
    return {
      isTerminal,
      paint: (format, text) => (canColor ? styleText(format, text, { validateStream: false }) : text),
      columns: isTerminal ? (columns > 0 ? columns : usualColumns) : undefined
    }
  })

/** Writes to standard output as fast as it is read, and ends when whoever reads it has had enough (`| head`). */
export const writeOut = <E, R>(text: Stream.Stream<string, E, R>): Effect.Effect<void, E, R | Stdio.Stdio> =>
  Effect.flatMap(Stdio.Stdio, (stdio) =>
    text.pipe(
      Stream.mapError((error) => Result.succeed(error)),
      Stream.run(Sink.mapError(stdio.stdout(), (error) => Result.fail(error))),
      Effect.catch((error) =>
        Result.match(error, {
          onSuccess: (ofText) => Effect.fail(ofText),
          onFailure: (ofOutput) => (isReaderGone(ofOutput) ? Effect.void : Effect.die(ofOutput))
        })
      )
    )
  )

const isReaderGone = ({ reason }: PlatformError.PlatformError): boolean =>
  Predicate.hasProperty(reason, "cause") &&
  Predicate.hasProperty(reason.cause, "code") &&
  reason.cause.code === "EPIPE"
