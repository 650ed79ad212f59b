/**
 * A screen of its own on a terminal, drawn again and again in its place.
 */
import { type Duration, Effect, Schedule, type Scope, Stdio, Stream, Terminal } from "effect"

// Without a cursor; what was there before comes back at the end.
const enter = "\u001b[?1049h\u001b[?25l"
const leave = "\u001b[?25h\u001b[?1049l"
const home = "\u001b[H"
const eraseRestOfLine = "\u001b[K"
const eraseBelow = "\u001b[J"

/**
 * Draws at once and until the scope closes. `render` gives lines of at most `columns` cells; those beyond `rows` are
 * not drawn.
 */
export const drawScreen = Effect.fnUntraced(function* <R>(
  render: (columns: number, rows: number) => Effect.Effect<ReadonlyArray<string>, never, R>,
  every: Duration.Duration
): Effect.fn.Return<void, never, R | Scope.Scope | Stdio.Stdio | Terminal.Terminal> {
  const stdio = yield* Stdio.Stdio
  const terminal = yield* Terminal.Terminal
  const write = (text: string) => Effect.ignore(Stream.run(Stream.succeed(text), stdio.stdout()))
  const draw = Effect.gen(function* () {
    // Terminals that do not tell how large they are.
    const columns = (yield* terminal.columns) || 80
    const rows = (yield* terminal.rows) || 24
    const lines = (yield* render(columns, rows)).slice(0, rows)
    yield* write(home + lines.map((line) => line + eraseRestOfLine).join("\r\n") + eraseBelow)
  })
  yield* Effect.acquireRelease(write(enter), () => write(leave))
  yield* Effect.forkScoped(Effect.repeat(draw, Schedule.spaced(every)))
})
