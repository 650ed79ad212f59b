/**
 * A line that shows how far a command has come, on standard error of a terminal: redrawn ten times a second, cleared
 * at the end.
 */
import { Clock, Config, Duration, Effect, Scope, Stdio, Stream, Terminal } from "effect"

const redrawEvery = "100 millis"
const eraseLine = "\r\u001b[2K"

/** Whether standard error is a terminal on which a line can be drawn again. */
export const canRedraw: Effect.Effect<boolean, never, Stdio.Stdio> = Effect.gen(function* () {
  const terminal = yield* Config.String("TERM").pipe(Config.withDefault(""), Effect.orDie)
  return terminal !== "dumb" && (yield* (yield* Stdio.Stdio).stderrIsTerminal)
})

/** Draws at once and until the scope closes. `render` gives at most `columns` - 1 cells. */
export const drawLine = Effect.fnUntraced(function* (
  render: (elapsedSeconds: number, columns: number) => string
): Effect.fn.Return<void, never, Stdio.Stdio | Terminal.Terminal | Scope.Scope> {
  const stdio = yield* Stdio.Stdio
  const terminal = yield* Terminal.Terminal
  const write = (text: string) => Effect.ignore(Stream.run(Stream.succeed(text), stdio.stderr()))
  const startedAt = yield* Clock.monotonicTimeNanos
  const draw = Effect.gen(function* () {
    const columns = yield* terminal.columns
    const elapsed = Number((yield* Clock.monotonicTimeNanos) - startedAt) / 1e9
    yield* write(eraseLine + render(elapsed, columns > 0 ? columns : 80))
  })
  yield* Effect.addFinalizer(() => write(eraseLine))
  yield* draw
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(redrawEvery), draw)))
})

/** What is over sooner needs no line. */
const silence = Duration.seconds(1)

/** Draws until the scope closes, from the second second on, where there is a terminal to draw on. */
const drawLater = Effect.fnUntraced(function* (
  render: (elapsedSeconds: number) => string
): Effect.fn.Return<void, never, Stdio.Stdio | Terminal.Terminal | Scope.Scope> {
  if (!(yield* canRedraw)) return
  const line = drawLine((elapsed, columns) =>
    render(elapsed + Duration.toSeconds(silence)).slice(0, columns - 1)
  )
  const scope = yield* Effect.scope
  yield* Effect.forkScoped(Effect.delay(Effect.provideService(line, Scope.Scope, scope), silence))
})

/** Shows how much of something long is done. `total` 0: it is not known yet. */
export const drawCount = (what: string, progress: () => { readonly done: number; readonly total: number }) =>
  drawLater((elapsed) => {
    const { done, total } = progress()
    const share = total === 0 ? "" : ` of ${total.toLocaleString("en-US")}`
    return `${what}: ${done.toLocaleString("en-US")}${share} (${Math.floor(elapsed)} s)`
  })

/** Says what is waited for where it takes long. */
export const whileWaiting =
  (what: string) =>
  <A, E, R>(
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Stdio.Stdio | Terminal.Terminal> =>
    Effect.scoped(
      Effect.andThen(
        drawLater((elapsed) => `${what} (${Math.floor(elapsed)} s)`),
        effect
      )
    )
