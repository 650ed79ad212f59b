/**
 * `muster cluster`: the servers of a running service, and which of them looks after what.
 */
import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { ask } from "../client/MusterClient.ts"
import { clusterLines, clusterTable } from "../cluster/ClusterTable.ts"
import { unattended, unattendedText } from "../cluster/ClusterWords.ts"
import { NotAllDone } from "../NotAllDone.ts"
import { whileWaiting } from "../ProgressLine.ts"
import { terminalOutput } from "../TerminalOutput.ts"
import { serverFlag, serviceLayer } from "./service.ts"

const parameters = {
  server: serverFlag,
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Prints what GET /v1/cluster answers"),
    Flag.withDefault(false)
  )
}

const readCluster = ask((api) => api.cluster.getCluster({}))

export const cluster = Command.make(
  "cluster",
  parameters,
  Effect.fnUntraced(function* ({ json, server }) {
    const view = yield* whileWaiting("Waiting for the service")(readCluster).pipe(
      Effect.provide(serviceLayer(server))
    )
    const { columns = Infinity, isTerminal, paint } = yield* terminalOutput
    yield* Console.log(
      json
        ? JSON.stringify(view, undefined, 2)
        : isTerminal
          ? clusterTable(view, columns, paint)
          : clusterLines(view)
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
