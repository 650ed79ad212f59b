/**
 * `muster cluster`: the servers of a running service, and which of them looks after what.
 */
import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { clusterTable, plainLine } from "../cluster/ClusterTable.ts"
import { readCluster, watchCluster } from "../cluster/ClusterWatch.ts"
import { unattended, unattendedText } from "../cluster/ClusterWords.ts"
import { NotAllDone } from "../NotAllDone.ts"
import { whileWaiting } from "../ProgressLine.ts"
import { terminalOutput } from "../TerminalOutput.ts"
import { serverFlag, serviceLayer } from "./service.ts"

const parameters = {
  server: serverFlag,
  watch: Flag.Boolean("watch").pipe(
    Flag.withAlias("w"),
    Flag.withDescription(
      "Goes on and shows every change: on a terminal the table, in a pipe a line for each server that changed. Ends with Ctrl-C"
    ),
    Flag.withDefault(false)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription(
      "Prints what GET /v1/cluster answers; with --watch at each change, one object a line"
    ),
    Flag.withDefault(false)
  )
}

export const cluster = Command.make(
  "cluster",
  parameters,
  Effect.fnUntraced(function* ({ json, server, watch }) {
    if (watch) return yield* Effect.provide(watchCluster(json), serviceLayer(server))
    const view = yield* whileWaiting("Waiting for the service")(readCluster).pipe(
      Effect.provide(serviceLayer(server))
    )
    const { columns = Infinity, isTerminal, paint } = yield* terminalOutput
    yield* Console.log(
      json
        ? JSON.stringify(view, undefined, 2)
        : isTerminal
          ? clusterTable(view, columns, paint)
          : view.servers.map(plainLine).join("\n")
    )
    const message = unattendedText(unattended(view))
    if (message !== undefined) return yield* new NotAllDone({ message })
  })
).pipe(
  Command.withDescription(
    "Shows the servers of a running service, and which partitions of the fleet each looks after: as a table on a " +
      "terminal; in a pipe one line for each, separated by tabs: URL, address, state, version, started, heard of last, " +
      "partitions, and whether it is the one that answers. Exits with 1 when there is a partition that no server looks " +
      "after, or no service answers; a server that is lost changes nothing about that once others have its partitions."
  ),
  Command.withShortDescription("Shows the servers of a running service"),
  Command.withExamples([
    { command: "muster cluster", description: "The servers, asked of the one on this machine" },
    { command: "muster cluster --watch", description: "Watch an upgrade" },
    {
      command: "until muster cluster > /dev/null 2>&1; do sleep 1; done",
      description: "Wait until every partition is looked after"
    },
    {
      command:
        "muster cluster --json --server http://muster.internal:7070 | jq '.servers[] | select(.state != \"up\")'",
      description: "Those that are not up"
    }
  ])
)
