/**
 * `muster dead-letters`: looks at what failed for good, tries it again, gives it up.
 */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { listCauses } from "../deadletters/Causes.ts"
import { decideAll, decideEach, type Decision, drop, retry } from "../deadletters/Decision.ts"
import { listWorkers } from "../workers/WorkerListing.ts"
import { readDeadLetters } from "../workers/WorkerPages.ts"
import { sortKeys } from "../workers/WorkerRow.ts"
import { WrongUsage } from "../WrongUsage.ts"
import { serverFlag, serviceLayer } from "./service.ts"
import { filterFlags, isFiltered, limitFlag, toQuery } from "./workerFilter.ts"
import { parseId } from "./workerIds.ts"

const listParameters = {
  server: serverFlag,
  ...filterFlags,
  byCause: Flag.Boolean("by-cause").pipe(
    Flag.withDescription("Counts them by why they failed, the most frequent cause first"),
    Flag.withDefault(false)
  ),
  sort: Flag.Literals("sort", sortKeys).pipe(
    Flag.withDescription("Sorts by this; most attempts and latest times first"),
    Flag.optional
  ),
  limit: limitFlag,
  json: Flag.Boolean("json").pipe(Flag.withDescription("Prints one JSON document"), Flag.withDefault(false))
}

const runList = Effect.fnUntraced(function* (flags: Command.Command.Config.Infer<typeof listParameters>) {
  const query = toQuery(flags)
  const limit = Option.getOrUndefined(flags.limit)
  const sort = Option.getOrUndefined(flags.sort)
  if (!flags.byCause) {
    return yield* listWorkers({
      read: readDeadLetters,
      noun: "dead letter",
      query,
      sort,
      limit,
      json: flags.json
    })
  }
  if (limit !== undefined || sort !== undefined) {
    return yield* new WrongUsage({
      message: "--by-cause counts all that match: it takes no --limit and no --sort"
    })
  }
  return yield* listCauses(query, flags.json)
})

const list = Command.make("list", listParameters, (flags) =>
  Effect.provide(runList(flags), serviceLayer(flags.server))
).pipe(
  Command.withDescription("Lists the dead letters of a running service, as muster workers lists workers."),
  Command.withShortDescription("Lists dead letters"),
  Command.withExamples([
    { command: "muster dead-letters list --namespace gpu", description: "Those of one namespace" },
    { command: "muster dead-letters list --by-cause", description: "Why they failed, and how many" }
  ])
)

const decisionParameters = ({ verb }: Decision) => ({
  ids: Argument.String("id").pipe(
    Argument.withMetavar("ID"),
    Argument.withDescription(`The ids of the workers to ${verb}`),
    Argument.variadic()
  ),
  server: serverFlag,
  ...filterFlags,
  all: Flag.Boolean("all").pipe(Flag.withDescription("All dead letters there are"), Flag.withDefault(false)),
  yes: Flag.Boolean("yes").pipe(
    Flag.withAlias("y"),
    Flag.withDescription("Does not ask before it changes many"),
    Flag.withDefault(false)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Prints what became of them as one JSON document"),
    Flag.withDefault(false)
  )
})

const runDecision = Effect.fnUntraced(function* (
  decision: Decision,
  flags: Command.Command.Config.Infer<ReturnType<typeof decisionParameters>>
) {
  const isNarrowed = isFiltered(flags)
  const ways = [flags.ids.length > 0, isNarrowed, flags.all].filter(Boolean).length
  if (ways === 0) {
    return yield* new WrongUsage({
      message: `Say which dead letters to ${decision.verb}: their IDs, a filter such as --namespace, or --all`
    })
  }
  if (ways > 1) {
    return yield* new WrongUsage({ message: "IDs, filters and --all exclude each other" })
  }
  if (flags.ids.length === 0) return yield* decideAll(decision, toQuery(flags), flags)
  const ids = yield* Effect.forEach(flags.ids, parseId)
  return yield* decideEach(decision, Array.from(new Set(ids)), flags.json)
})

const retryCommand = Command.make("retry", decisionParameters(retry), (flags) =>
  Effect.provide(runDecision(retry, flags), serviceLayer(flags.server))
).pipe(
  Command.withDescription(
    "Tries dead letters again, at once and unchanged. Exits with 1 when one of them could not be taken up; " +
      "what then becomes of them is in muster workers."
  ),
  Command.withShortDescription("Tries dead letters again"),
  Command.withExamples([
    { command: "muster dead-letters retry ci-7f3a", description: "One" },
    {
      command: "muster dead-letters retry --label zone=a --yes",
      description: "All of a zone, without a question"
    }
  ])
)

const dropCommand = Command.make("drop", decisionParameters(drop), (flags) =>
  Effect.provide(runDecision(drop, flags), serviceLayer(flags.server))
).pipe(
  Command.withDescription(
    "Gives dead letters up: the workers are not wanted any more, and the scheduler is told. To drop many, it asks on a terminal; " +
      "without one it wants --yes. Exits with 1 when one of them was not dropped."
  ),
  Command.withShortDescription("Gives dead letters up"),
  Command.withExamples([
    { command: "muster dead-letters drop ci-7f3a ci-7f3b", description: "Two" },
    { command: "muster dead-letters drop --all", description: "All there are, after a question" }
  ])
)

export const deadLetters = Command.make("dead-letters", listParameters, (flags) =>
  Effect.provide(runList(flags), serviceLayer(flags.server))
).pipe(
  Command.withDescription(
    "Looks at the workers that failed for good, tries them again, or gives them up. Without a subcommand it lists them."
  ),
  Command.withShortDescription("Lists, retries and drops the workers that failed for good"),
  Command.withSubcommands([list, retryCommand, dropCommand]),
  Command.withExamples([
    { command: "muster dead-letters", description: "All of the service on this machine" },
    { command: "muster dead-letters --by-cause", description: "Why they failed, and how many" }
  ])
)
