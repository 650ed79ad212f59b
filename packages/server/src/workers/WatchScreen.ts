/**
 * The fleet on the screen of a terminal, redrawn in place as it changes.
 */
import type { WorkerId } from "@muster/core"
import { Phase } from "@muster/core/fleet"
import { Clock, Duration, Effect, Schedule, Stream } from "effect"
import { type Followed, followPhases } from "../client/FollowPhases.ts"
import { MusterClient } from "../client/MusterClient.ts"
import type { WorkerQuery } from "../commands/workerFilter.ts"
import type { WorkerView } from "../http/Schemas.ts"
import { drawScreen } from "../Screen.ts"
import { type Paint, terminalOutput } from "../TerminalOutput.ts"
import { printable, shorten } from "../TerminalText.ts"
import { plural } from "../TimeText.ts"
import { readWorker } from "./KnownWorker.ts"
import { WatchedFleet } from "./WatchedFleet.ts"
import { readWorkers, workerPages } from "./WorkerPages.ts"
import { orderBy, type SortKey } from "./WorkerRow.ts"
import { headingLine, layoutFor, phaseColour, rowLine } from "./WorkerTable.ts"

export interface WatchOptions {
  readonly query: WorkerQuery
  readonly sort: SortKey
}

const redrawEvery = Duration.millis(250)
/** Workers that are asked for between two drawings. */
const askedAtOnce = 64

export const watchOnScreen = Effect.fnUntraced(function* ({ query, sort }: WatchOptions) {
  const { address } = yield* MusterClient
  const { paint } = yield* terminalOutput
  const fleet = new WatchedFleet(query)
  const order = orderBy(sort)
  let status = `asks ${address}`

  const reload = Effect.gen(function* () {
    const views: Array<WorkerView> = []
    yield* Stream.runForEach(workerPages(readWorkers, query), ({ items, total }) =>
      Effect.sync(() => {
        for (const view of items) views.push(view)
        status = `reads ${views.length.toLocaleString("en-US")} of ${total.toLocaleString("en-US")}`
      })
    )
    fleet.replace(views)
    status = "live"
  }).pipe(
    Effect.retry({ schedule: Schedule.spaced("1 second"), while: ({ retryable }) => retryable, times: 5 })
  )

  const receive = (followed: Followed) => {
    switch (followed._tag) {
      // Whatever was missed, and whatever store the service has now, the listing is the truth.
      case "Connected":
        return reload
      case "Disconnected":
        status = `disconnected, trying again: ${followed.reason}`
        return Effect.void
      case "Changed":
        return Effect.sync(() => fleet.apply(followed.change))
    }
  }

  const render = Effect.fnUntraced(function* (columns: number, rows: number) {
    const room = Math.max(1, rows - 3)
    yield* Effect.forEach(
      fleet.wanted(fleet.first(room, order), askedAtOnce),
      (id) => Effect.ignore(Effect.map(readWorker(id), (view) => refresh(fleet, id, view))),
      { concurrency: 8, discard: true }
    )
    const now = yield* Clock.currentTimeMillis
    const shown = fleet.first(room, order)
    const layout = layoutFor(shown, columns, now)
    return [
      titleLine(fleet, status, columns, paint),
      "",
      paint("bold", shorten(headingLine(layout), columns)),
      ...shown.map((row) => rowLine(layout, row, now, paint))
    ]
  })

  yield* drawScreen(render, redrawEvery)
  yield* Stream.runForEach(followPhases, receive)
}, Effect.scoped)

const refresh = (fleet: WatchedFleet, id: WorkerId, view: WorkerView | undefined): void =>
  view === undefined ? fleet.forget(id) : fleet.update(view)

const titleLine = (fleet: WatchedFleet, status: string, columns: number, paint: Paint): string => {
  const counts = fleet.count()
  const phases = Phase.literals.filter((phase) => counts.has(phase))
  const state = shorten(printable(status), columns)
  let room = columns - state.length
  const parts = [plural(fleet.size, "worker"), ...phases.map((phase) => `${phase} ${counts.get(phase)}`)]
  const kept = parts.filter((part) => (room -= part.length + 2) >= 0)
  return [
    paint(status === "live" ? "green" : "yellow", state),
    ...kept.map((part, index) =>
      paint(index === 0 ? "bold" : phaseColour[phases[index - 1] ?? "ready"], part)
    )
  ].join("  ")
}
