/**
 * `muster import FILE`: gives a running service what `muster export` has written.
 */
import { Effect, Layer, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { serviceAddress } from "../client/ServiceAddress.ts"
import { serviceHttpClient } from "../client/ServiceHttpClient.ts"
import { importFile } from "../export/ImportFile.ts"
import { wrongConfigurationIsUsage } from "../WrongUsage.ts"
import { configuration } from "./registration.ts"
import { serverFlag } from "./service.ts"

const parameters = {
  file: Argument.String("file").pipe(
    Argument.withMetavar("FILE"),
    Argument.withDescription("What muster export has written; - reads standard input")
  ),
  server: serverFlag,
  dryRun: Flag.Boolean("dry-run").pipe(
    Flag.withDescription("Says what would become of each worker, and changes nothing"),
    Flag.withDefault(false)
  ),
  report: Flag.String("report").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Writes the lines that failed as an export, which muster import takes"),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Prints the summary as one JSON object"),
    Flag.withDefault(false)
  )
}

export const importCommand = Command.make(
  "import",
  parameters,
  Effect.fnUntraced(function* ({ dryRun, file, json, report, server }) {
    yield* importFile({
      file,
      address: yield* serviceAddress(server),
      dryRun,
      report: Option.getOrUndefined(report),
      json
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(serviceHttpClient, wrongConfigurationIsUsage(configuration(undefined))))
    )
  })
).pipe(
  Command.withDescription(
    "Takes an export into a running service. Every worker is wanted again as it was and gets a generation above the one " +
      "that it had; one that the service knows in the same or a newer state stays as it is, so the same import twice is " +
      "one. Bad lines are listed and keep nothing back. Exits with 1 when a line failed or the export is not complete."
  ),
  Command.withShortDescription("Takes what muster export has written into a running service"),
  Command.withExamples([
    { command: "muster import fleet.ndjson --dry-run", description: "See what it would change" },
    {
      command: "muster import fleet.ndjson --report failed.ndjson",
      description: "Restore, and keep what failed"
    },
    {
      command: "muster export --server http://old:7070 | muster import - --server http://new:7070",
      description: "Move from one service to another"
    }
  ])
)
