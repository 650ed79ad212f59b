/**
 * `muster cluster --watch`: the servers as they come, go and hand over. On a terminal as a table that is drawn in
 * place, for other programs as a line for each change.
 */
import { Console, Duration, Effect, Schedule, Stream } from "effect"
import { TerminalCapabilities } from "effect/cli"
import { ask, MusterClient } from "../client/MusterClient.ts"
import { ServiceUnavailable } from "../client/ServiceAnswer.ts"
import type { ClusterResponse } from "../http/ClusterSchemas.ts"
import { drawScreen } from "../Screen.ts"
import { terminalOutput, writeOut } from "../TerminalOutput.ts"
import { printable, shorten, wrap } from "../TerminalText.ts"
import { clusterTable, latest, plainLine } from "./ClusterTable.ts"
import { unattended, unattendedText } from "./ClusterWords.ts"

const askEvery = Duration.seconds(1)
const redrawEvery = Duration.millis(250)

export const readCluster = ask((api) => api.cluster.getCluster({}))

/** What is answered, and why it is not. Fails only where nothing was answered from the first, or never will be. */
const looks: Stream.Stream<ClusterResponse | ServiceUnavailable, ServiceUnavailable, MusterClient> =
  Stream.suspend(() => {
    let hasAnswered = false
    return Stream.fromEffectSchedule(
      readCluster.pipe(
        Effect.tap(() => Effect.sync(() => (hasAnswered = true))),
        Effect.catch((error) => (hasAnswered && error.retryable ? Effect.succeed(error) : Effect.fail(error)))
      ),
      Schedule.spaced(askEvery)
    )
  })

export const watchCluster = Effect.fnUntraced(function* (json: boolean) {
  const { canAnimate } = yield* TerminalCapabilities.TerminalCapabilities
  if (canAnimate && !json) return yield* watchOnScreen
  yield* writeOut(changes(json))
})

const watchOnScreen = Effect.gen(function* () {
  const { address } = yield* MusterClient
  const { paint } = yield* terminalOutput
  let view: ClusterResponse | undefined
  let status = `asks ${address}`
  yield* drawScreen(
    (columns) =>
      Effect.sync(() => [
        paint(status === "live" ? "green" : "yellow", shorten(printable(status), columns)),
        "",
        ...(view === undefined ? [] : clusterTable(view, columns, paint).split("\n")),
        ...wrap((view && unattendedText(unattended(view))) ?? "", columns)
      ]),
    redrawEvery
  )
  yield* Stream.runForEach(looks, (look) =>
    Effect.sync(() => {
      if (look instanceof ServiceUnavailable) status = `disconnected, trying again: ${look.message}`
      else {
        view = look
        status = "live"
      }
    })
  )
}).pipe(Effect.scoped)

/** With JSON the whole of it at each change; otherwise a line for each server that came, changed or went. */
const changes = (json: boolean): Stream.Stream<string, ServiceUnavailable, MusterClient> => {
  const told = new ToldServers()
  let isAway = false
  return looks.pipe(
    Stream.mapEffect((look) => {
      const wasAway = isAway
      isAway = look instanceof ServiceUnavailable
      if (look instanceof ServiceUnavailable) {
        const words = printable(`Disconnected, trying again: ${look.message}`)
        return Effect.as(wasAway ? Effect.void : Console.error(words), "")
      }
      const changed = told.changed(look)
      const at = new Date(latest(look.servers)).toISOString()
      const lines = json ? [JSON.stringify(look)] : changed.map((server) => `${at}\t${plainLine(server)}`)
      return Effect.as(
        wasAway ? Console.error("Connected again.") : Effect.void,
        changed.length === 0 ? "" : lines.map((line) => `${line}\n`).join("")
      )
    }),
    Stream.filter((text) => text !== "")
  )
}

type Server = ClusterResponse["servers"][number]

/** The servers as they were when they were told of last. */
class ToldServers {
  private known: ReadonlyMap<string, Server> = new Map()

  /** Those that are not as they were, and those that are gone. */
  changed({ servers }: ClusterResponse): ReadonlyArray<Parameters<typeof plainLine>[0]> {
    const before = this.known
    this.known = new Map(servers.map((server) => [server.id, server]))
    const gone = Array.from(before.values()).filter(({ id }) => !this.known.has(id))
    return [
      ...servers.filter((server) => contentOf(server) !== contentOf(before.get(server.id))),
      ...gone.map((server) => ({ ...server, state: "gone", partitions: [] }))
    ]
  }
}

/** What makes a server another one; that it was heard of does not. */
const contentOf = (server: Server | undefined): string | undefined =>
  server && JSON.stringify([server.state, server.partitions])
