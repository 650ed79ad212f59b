/**
 * `muster workers --watch`: the fleet as it changes. For other programs, one line for each change; on a terminal, see
 * `WatchScreen.ts`.
 */
import { Console, Effect, Schedule, Stream } from "effect"
import { TerminalCapabilities } from "effect/cli"
import { followPhases, type PhaseChange } from "../client/FollowPhases.ts"
import type { MusterClient } from "../client/MusterClient.ts"
import type { ServiceUnavailable } from "../client/ServiceAnswer.ts"
import { isNarrowedBeyondPhase, type WorkerQuery } from "../commands/workerFilter.ts"
import { writeOut } from "../TerminalOutput.ts"
import { printable } from "../TerminalText.ts"
import { readWorker } from "./KnownWorker.ts"
import { matches } from "./WatchedFleet.ts"
import { watchOnScreen, type WatchOptions } from "./WatchScreen.ts"

export const watchWorkers = Effect.fnUntraced(function* (options: WatchOptions & { readonly json: boolean }) {
  const { canAnimate } = yield* TerminalCapabilities.TerminalCapabilities
  if (canAnimate && !options.json) return yield* watchOnScreen(options)
  yield* writeOut(Stream.map(changes(options.query), options.json ? jsonLine : plainLine))
})

const jsonLine = (change: PhaseChange): string => `${JSON.stringify(change)}\n`

const plainLine = ({ at, nextAttemptAt, phase, workerId }: PhaseChange): string =>
  `${[at, workerId, phase, nextAttemptAt ?? ""].map(printable).join("\t")}\n`

const changes = (query: WorkerQuery): Stream.Stream<PhaseChange, ServiceUnavailable, MusterClient> => {
  let wasConnected = false
  return followPhases.pipe(
    Stream.mapEffect((followed) => {
      switch (followed._tag) {
        case "Connected": {
          const isAgain = wasConnected
          wasConnected = true
          return Effect.as(isAgain ? Console.error("Connected again.") : Effect.void, [])
        }
        case "Disconnected":
          return Effect.as(Console.error(printable(`Disconnected, trying again: ${followed.reason}`)), [])
        case "Changed":
          return Effect.map(isAskedFor(query, followed.change), (isAskedFor) =>
            isAskedFor ? [followed.change] : []
          )
      }
    }),
    Stream.flattenIterable
  )
}

/** A change does not say of which namespace or type the worker is, or what labels it has. */
const isAskedFor = (
  query: WorkerQuery,
  { phase, workerId }: PhaseChange
): Effect.Effect<boolean, ServiceUnavailable, MusterClient> => {
  if (query.phase !== undefined && !query.phase.includes(phase)) return Effect.succeed(false)
  if (!isNarrowedBeyondPhase(query)) return Effect.succeed(true)
  return readWorker(workerId).pipe(
    // The service may go away just now; the stream of changes is connected again as well.
    Effect.retry({ schedule: Schedule.spaced("1 second"), while: ({ retryable }) => retryable }),
    Effect.map((view) => view !== undefined && matches(query, { ...view, phase }))
  )
}
