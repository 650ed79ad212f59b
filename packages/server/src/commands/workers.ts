/**
 * `muster workers [ID]`: the fleet of a running service, or one worker of it.
 */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { listWorkers } from "../workers/WorkerListing.ts"
import { showWorker } from "../workers/OneWorker.ts"
import { readWorkers } from "../workers/WorkerPages.ts"
import { sortKeys } from "../workers/WorkerRow.ts"
import { watchWorkers } from "../workers/Watch.ts"
import { WrongUsage } from "../WrongUsage.ts"
import { serverFlag, serviceLayer } from "./service.ts"
import { filterFlags, isFiltered, limitFlag, phaseFlag, toQuery, type WorkerQuery } from "./workerFilter.ts"

const parameters = {
  id: Argument.String("id").pipe(
    Argument.withMetavar("ID"),
    Argument.withDescription("Shows this worker alone, with all that is known of it"),
    Argument.optional
  ),
  server: serverFlag,
  phase: phaseFlag,
  ...filterFlags,
  sort: Flag.Literals("sort", sortKeys).pipe(
    Flag.withDescription(
      "Sorts by this; most attempts and latest times first. If not given: in the order in which they became known"
    ),
    Flag.optional
  ),
  limit: limitFlag,
  watch: Flag.Boolean("watch").pipe(
    Flag.withAlias("w"),
    Flag.withDescription(
      "Goes on and shows every change: on a terminal what fits it, in a pipe one line for each. Ends with Ctrl-C"
    ),
    Flag.withDefault(false)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Prints one JSON document; with --watch one JSON object for each change"),
    Flag.withDefault(false)
  )
}

type Flags = Command.Command.Config.Infer<typeof parameters>

const run = Effect.fnUntraced(function* (flags: Flags) {
  const query: WorkerQuery = {
    ...toQuery(flags),
    ...(flags.phase.length > 0 ? { phase: flags.phase } : undefined)
  }
  const sort = Option.getOrUndefined(flags.sort)
  const limit = Option.getOrUndefined(flags.limit)
  if (Option.isSome(flags.id)) {
    const isNarrowed =
      flags.phase.length > 0 || isFiltered(flags) || sort !== undefined || limit !== undefined
    if (isNarrowed || flags.watch) {
      return yield* new WrongUsage({
        message: "With an ID there is one worker: no filter, --sort, --limit or --watch"
      })
    }
    return yield* showWorker(flags.id.value, flags.json)
  }
  if (!flags.watch)
    return yield* listWorkers({ read: readWorkers, noun: "worker", query, sort, limit, json: flags.json })
  if (limit !== undefined) {
    return yield* new WrongUsage({ message: "--watch shows what fits the terminal: it takes no --limit" })
  }
  return yield* watchWorkers({ query, sort: sort ?? "updated", json: flags.json })
})

export const workers = Command.make("workers", parameters, (flags) =>
  Effect.provide(run(flags), serviceLayer(flags.server))
).pipe(
  Command.withDescription(
    "Shows the workers of a running service: as a table on a terminal; in a pipe one line for each, separated by tabs: " +
      "id, phase, type, namespace, attempts, created, updated, last error. Exits with 1 when the service cannot be asked or does not know the ID."
  ),
  Command.withShortDescription("Shows the workers of a running service"),
  Command.withExamples([
    { command: "muster workers", description: "All workers of the service on this machine" },
    {
      command: "muster workers --phase failed --phase pending --label zone=a --sort attempts",
      description: "Those that are not registered in zone a, the most tried ones first"
    },
    { command: "muster workers --watch", description: "Watch the fleet change" },
    { command: "muster workers ci-7f3a", description: "Everything about one worker" },
    {
      command: "muster workers --phase failed | cut -f1 | xargs -n1 muster why",
      description: "The story of each that failed"
    },
    {
      command: "muster workers --watch --json --server http://muster.internal:7070",
      description: "Every change as JSON, for another program"
    }
  ])
)
