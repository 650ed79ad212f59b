/**
 * `muster register FILE`: registers every worker of a file.
 */
import { type Duration, Effect, Layer, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { parseDuration } from "../DurationText.ts"
import { parseMappings } from "../fleetfile/CsvColumns.ts"
import { formats } from "../fleetfile/Format.ts"
import { registerDirectly } from "../register/Direct.ts"
import { parseAddress } from "../client/ServiceAddress.ts"
import { serviceHttpClient } from "../client/ServiceHttpClient.ts"
import { registerFile } from "../register/RegisterFile.ts"
import { registerThroughService } from "../register/ThroughService.ts"
import { defaultScheduler, slurmConfDescription } from "../Schedulers.ts"
import { WrongUsage, wrongConfigurationIsUsage } from "../WrongUsage.ts"
import { configuration, logging, registrationLayer, schedulerName } from "./registration.ts"

const parameters = {
  file: Argument.String("file").pipe(
    Argument.withMetavar("FILE"),
    Argument.withDescription("CSV, NDJSON, JSON or Kubernetes YAML; - reads standard input")
  ),
  column: Flag.String("column").pipe(
    Flag.withMetavar("FIELD=COLUMN"),
    Flag.withDescription("For CSV, repeated: which column gives a field, such as capabilities.memoryMb=mem"),
    Flag.atLeast(0)
  ),
  format: Flag.Literals("format", formats).pipe(
    Flag.withDescription("The format of FILE, where its name and its content shall not decide"),
    Flag.optional
  ),
  server: Flag.String("server").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription(
      "Goes through the Muster service at this address instead of driving a scheduler itself"
    ),
    Flag.optional
  ),
  wait: Flag.String("wait").pipe(
    Flag.withMetavar("DURATION"),
    Flag.withDescription(
      'With --server: waits as long for each worker to be registered, such as "30 seconds"'
    ),
    Flag.optional
  ),
  scheduler: Flag.String("scheduler").pipe(
    Flag.withMetavar("SCHEDULER"),
    Flag.withDescription(`The scheduler to drive (MUSTER_SCHEDULER); ${defaultScheduler} if not given`),
    Flag.optional
  ),
  slurmConf: Flag.String("slurm-conf").pipe(
    Flag.withMetavar("PATH"),
    Flag.withDescription(slurmConfDescription),
    Flag.optional
  ),
  concurrency: Flag.Int("concurrency").pipe(
    Flag.withMetavar("N"),
    Flag.withDescription("Workers in flight at the same time (MUSTER_BATCH_CONCURRENCY); 10 if not given"),
    Flag.optional
  ),
  report: Flag.String("report").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Writes the rows that failed as NDJSON, which muster register takes"),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Prints the summary as one JSON object"),
    Flag.withDefault(false)
  ),
  verbose: Flag.Boolean("verbose").pipe(
    Flag.withDescription("Logs every retry and failure as it happens, instead of the progress bar"),
    Flag.withDefault(false)
  )
}

type Flags = Command.Command.Config.Infer<typeof parameters>

const optionsOf = Effect.fnUntraced(function* (flags: Flags) {
  return {
    file: flags.file,
    format: Option.getOrUndefined(flags.format),
    mappings: yield* parseMappings(flags.column),
    report: Option.getOrUndefined(flags.report),
    json: flags.json,
    progress: !flags.verbose
  }
})

/** Drives the scheduler from this process. */
const runDirectly = Effect.fnUntraced(function* (flags: Flags) {
  if (Option.isSome(flags.wait)) {
    return yield* new WrongUsage({
      message: "--wait is for --server: without it, every worker is waited for anyway"
    })
  }
  const concurrency = Option.getOrUndefined(flags.concurrency)
  if (concurrency !== undefined && concurrency < 1) {
    return yield* new WrongUsage({ message: `--concurrency must be 1 or more, but is ${concurrency}` })
  }
  const scheduler = yield* schedulerName(flags.scheduler)
  const options = { ...(yield* optionsOf(flags)), scheduler, server: undefined, waits: false }
  yield* registerFile(options, registerDirectly).pipe(
    Effect.provide(
      registrationLayer(scheduler, configuration(concurrency), {
        slurmConf: Option.getOrUndefined(flags.slurmConf)
      })
    )
  )
})

/** Goes through a running service, which drives its scheduler. */
const runThroughService = Effect.fnUntraced(function* (flags: Flags, server: string) {
  const excluded = {
    scheduler: flags.scheduler,
    "slurm-conf": flags.slurmConf,
    concurrency: flags.concurrency
  }
  for (const [name, flag] of Object.entries(excluded)) {
    if (flag._tag === "Some") {
      return yield* new WrongUsage({
        message: `--${name} and --server exclude each other: the service has its own`
      })
    }
  }
  const address = yield* parseAddress(server)
  const wait = Option.isSome(flags.wait) ? yield* parseWait(flags.wait.value) : undefined
  const options = {
    ...(yield* optionsOf(flags)),
    scheduler: undefined,
    server: address,
    waits: wait !== undefined
  }
  yield* registerFile(options, registerThroughService({ address, wait })).pipe(
    Effect.provide(Layer.merge(serviceHttpClient, wrongConfigurationIsUsage(configuration(undefined))))
  )
})

const parseWait = (text: string): Effect.Effect<Duration.Duration, WrongUsage> =>
  Effect.mapError(
    Effect.fromOption(parseDuration(text)),
    () =>
      new WrongUsage({
        message: `--wait ${JSON.stringify(text)} is not a duration such as 30s or "2 minutes"`
      })
  )

export const register = Command.make(
  "register",
  parameters,
  Effect.fnUntraced(function* (flags) {
    const run = Option.isSome(flags.server)
      ? runThroughService(flags, flags.server.value)
      : runDirectly(flags)
    yield* Effect.scoped(run).pipe(Effect.provide(yield* logging(flags.verbose)))
  })
).pipe(
  Command.withDescription(
    "Registers every worker of a file with the scheduler and prints a summary. Exits with 0 when all of them are registered, 1 when one is not, 2 for wrong usage."
  ),
  Command.withExamples([
    { command: "muster register workers.ndjson", description: "Register every line of an NDJSON file" },
    {
      command:
        "muster register nodes.csv --column id=host --column capabilities.cpuMillis=cpu --column capabilities.memoryMb=mem",
      description: "Say which columns of a CSV file give which fields"
    },
    {
      command: "kubectl get nodes -o json | muster register - --report failed.ndjson",
      description: "Register a Kubernetes cluster's nodes and keep what failed"
    }
  ])
)
