/**
 * `muster why ID`: why this worker is where it is.
 */
import { Clock, Console, Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { MusterClient } from "../client/MusterClient.ts"
import { whileWaiting } from "../ProgressLine.ts"
import { factLines } from "../TerminalFacts.ts"
import { type Paint, terminalOutput } from "../TerminalOutput.ts"
import { printable, wrap } from "../TerminalText.ts"
import { plural, utc } from "../TimeText.ts"
import { type Story, tellStory } from "../why/Story.ts"
import { readScheduler, readTimeline, readWorker, unknownHere } from "../workers/KnownWorker.ts"
import { phaseColour } from "../workers/WorkerTable.ts"
import { serverFlag, serviceLayer } from "./service.ts"
import { parseId } from "./workerIds.ts"

const parameters = {
  id: Argument.String("id").pipe(Argument.withMetavar("ID"), Argument.withDescription("The worker's id")),
  server: serverFlag,
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Prints the story and the facts behind it as one JSON document"),
    Flag.withDefault(false)
  )
}

type Flags = Command.Command.Config.Infer<typeof parameters>

const readFacts = Effect.fnUntraced(function* (given: string) {
  const { address } = yield* MusterClient
  const id = yield* parseId(given)
  const [view, timeline, scheduler] = yield* Effect.all([readWorker(id), readTimeline(id), readScheduler], {
    concurrency: "unbounded"
  }).pipe(whileWaiting(`Waiting for ${address}`))
  if (view === undefined || timeline === undefined) return yield* unknownHere(address, id)
  return { view, timeline, scheduler, now: yield* Clock.currentTimeMillis, address }
})

const run = Effect.fnUntraced(function* ({ id, json }: Flags) {
  const facts = yield* readFacts(id)
  const story = tellStory(facts)
  if (json) {
    const { scheduler, timeline, view } = facts
    const { actions, headline, next } = story
    return yield* Console.log(
      JSON.stringify(
        { id: view.id, phase: view.phase, headline, next, actions, worker: view, timeline, scheduler },
        undefined,
        2
      )
    )
  }
  const output = yield* terminalOutput
  const { paint } = output
  const columns = Math.min(output.columns ?? Infinity, widestText)
  const colour = phaseColour[facts.view.phase]
  yield* Console.log(
    [
      ...paragraph(story.headline, "", columns).map((line) => paint(["bold", colour], line)),
      "",
      ...render(story, paint, columns)
    ].join("\n")
  )
})

const render = (story: Story, paint: Paint, columns: number): ReadonlyArray<string> => {
  const { actions, asked, forgotten, history, next } = story
  return [
    ...factLines(asked, paint, columns),
    "",
    paint("bold", "What happened"),
    ...(forgotten > 0
      ? paragraph(`(${plural(forgotten, "older entry", "older entries")} not kept any more)`, "  ", columns)
      : []),
    ...factLines(
      history.map(({ at, text }) => [utc(Date.parse(at)), text]),
      paint,
      columns
    ),
    "",
    paint("bold", "What happens next"),
    ...next.flatMap((text) => paragraph(text, "  ", columns)),
    "",
    paint("bold", "What you can do"),
    ...actions.flatMap(({ command, text }) => [
      ...paragraph(text, "  ", columns),
      // Whole, so that it can be copied.
      ...(command === null ? [] : [`    ${printable(command)}`])
    ])
  ]
}

/** In a pipe as well: a story is for reading. */
const widestText = 100

const paragraph = (text: string, indent: string, columns: number): ReadonlyArray<string> =>
  wrap(printable(text), Math.max(20, columns - indent.length)).map((line) => indent + line)

export const why = Command.make("why", parameters, (flags) =>
  Effect.provide(run(flags), serviceLayer(flags.server))
).pipe(
  Command.withDescription(
    "Tells why a worker is where it is: what was asked, what was tried, what the scheduler said, what happens next and when, " +
      "and what you can do. Exits with 1 when the service cannot be asked or does not know the worker; how the worker is changes nothing about that."
  ),
  Command.withShortDescription("Tells why a worker is where it is"),
  Command.withExamples([
    { command: "muster why ci-7f3a", description: "The story of one worker" },
    {
      command: "muster why ci-7f3a --json | jq -r .headline",
      description: "Where it is, in one sentence"
    }
  ])
)
