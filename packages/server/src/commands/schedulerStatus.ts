/**
 * `muster scheduler status`: the scheduler of a running service, as the service sees it.
 */
import { Clock, Console, Duration, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import type { SchedulerView } from "../http/Schemas.ts"
import { whileWaiting } from "../ProgressLine.ts"
import { count } from "../register/ProgressBar.ts"
import { factLines } from "../TerminalFacts.ts"
import { type Paint, terminalOutput } from "../TerminalOutput.ts"
import { printable, wrap } from "../TerminalText.ts"
import { moment } from "../TimeText.ts"
import { readScheduler } from "../workers/KnownWorker.ts"
import { serverFlag, serviceLayer } from "./service.ts"

const parameters = {
  server: serverFlag,
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Prints what GET /v1/scheduler answers"),
    Flag.withDefault(false)
  )
}

export const schedulerStatus = Command.make(
  "status",
  parameters,
  Effect.fnUntraced(function* ({ json, server }) {
    const view = yield* whileWaiting("Waiting for the service")(readScheduler).pipe(
      Effect.provide(serviceLayer(server))
    )
    if (json) return yield* Console.log(JSON.stringify(view, undefined, 2))
    const { columns, paint } = yield* terminalOutput
    yield* Console.log(render(view, yield* Clock.currentTimeMillis, paint, columns ?? Infinity))
  })
).pipe(
  Command.withDescription(
    "Shows the scheduler of a running service: whether it is well, and how fast Muster may go with it. " +
      "Exits with 1 when no service answers; how the scheduler is changes nothing about that."
  ),
  Command.withShortDescription("Shows the scheduler of a running service"),
  Command.withExamples([
    { command: "muster scheduler status", description: "The scheduler of the service on this machine" },
    {
      command: "muster scheduler status --server http://muster.internal:7070 --json",
      description: "For a script"
    }
  ])
)

type Scheduler = typeof SchedulerView.Type

const render = (view: Scheduler, now: number, paint: Paint, columns: number): string => {
  const facts = [
    ["circuit", circuitText(view.circuit)],
    ["rate", rateText(view.rate)],
    ["calls", callsText(view)],
    ["changes", `${count(view.unfinished.count)} unfinished, of at most ${count(view.unfinished.limit)}`],
    ["compared", driftText(view, now)],
    ["retries", retryText(view.configuration)],
    ["offers", view.capabilities.length === 0 ? "only what it has to" : view.capabilities.join(", ")]
  ] as const
  return [
    ...wrap(headline(view), columns).map((line) => paint(healthColour(view), line)),
    "",
    ...factLines(facts, paint, columns)
  ].join("\n")
}

const headline = ({ adapter, health }: Scheduler): string => {
  if (health === null) return printable(`The scheduler (${adapter}) does not say how it is.`)
  const words = health.message === undefined ? "." : `: ${health.message}`
  return printable(`The scheduler (${adapter}) is ${health.status}${words}`)
}

const healthColour = ({ circuit, health }: Scheduler) => {
  if (health?.status === "unavailable" || circuit?.state === "open") return "red"
  if (health?.status === "degraded" || circuit?.state === "half_open") return "yellow"
  return health === null ? "reset" : "green"
}

const circuitText = (circuit: Scheduler["circuit"]): string => {
  switch (circuit?.state) {
    case undefined:
      return "there is none: calls are made whatever came of others"
    case "closed":
      return "closed: calls are made"
    case "half_open":
      return "half open: single calls try whether the scheduler is back"
    case "open":
      return "open: too many calls failed, so none are made until it is tried again"
  }
}

const rateText = (rate: Scheduler["rate"]): string => {
  if (rate === null) return "not limited"
  const limit =
    rate.limit === null
      ? "as many workers as come"
      : `at most ${Number(rate.limit.toPrecision(3))} workers a second`
  return `${limit}; ${count(rate.waiting)} calls wait for their turn`
}

const callsText = ({ calls, concurrency }: Scheduler): string => {
  const workers = `${count(concurrency.inFlight)} workers under way, of at most ${count(concurrency.limit)}`
  return calls === null
    ? workers
    : `${workers}, in ${count(calls.inFlight)} calls, of at most ${count(calls.limit)}; ${count(calls.waiting)} calls wait for a place`
}

const driftText = ({ capabilities, drift }: Scheduler, now: number): string => {
  if (drift === null)
    return capabilities.includes("list") ? "not with the fleet yet" : "never: it cannot list its workers"
  const found = `it held ${count(drift.held)} workers; ${count(drift.lost)} were lost, ${count(drift.ghosts)} were ghosts, ${count(drift.unknown)} are unknown`
  return `${moment(drift.endedAt, now)}: ${drift.error === null ? found : `broken off: ${drift.error}`}`
}

const retryText = ({
  attemptTimeout,
  baseBackoff,
  deadline,
  jitter,
  maxBackoff,
  maxRetries,
  maxRetryDelay,
  retryDelay
}: Scheduler["configuration"]): string =>
  `${maxRetries + 1} attempts in a row, each at most ${short(attemptTimeout)}, ` +
  `with waits from ${short(baseBackoff)} to ${short(maxBackoff)} (jitter: ${jitter})` +
  (deadline === null ? "" : `, at most ${short(deadline)} in all`) +
  `; then again after ${short(retryDelay)}, and at most ${short(maxRetryDelay)}`

const decodeDuration = Schema.decodeUnknownOption(Schema.DurationFromString)

/** "30s" for "30000 millis". */
const short = (text: string): string =>
  Option.match(decodeDuration(text), { onNone: () => text, onSome: Duration.format })
