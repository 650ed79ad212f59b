/**
 * `muster register FILE`: registers every worker of a file.
 */
import { RegistrationConfig, WorkerRegistration } from "@muster/core"
import { Config, Effect, Layer, Logger, Option, References } from "effect"
import { Argument, Command, Flag, GlobalFlag } from "effect/cli"
import { parseMappings } from "../fleetfile/CsvColumns.ts"
import { formats } from "../fleetfile/Format.ts"
import { registerDirectly } from "../register/Direct.ts"
import { registerFile } from "../register/RegisterFile.ts"
import { defaultScheduler, schedulerLayer } from "../Schedulers.ts"
import { WrongUsage } from "../WrongUsage.ts"

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
  scheduler: Flag.String("scheduler").pipe(
    Flag.withMetavar("SCHEDULER"),
    Flag.withDescription(`The scheduler to drive (MUSTER_SCHEDULER); ${defaultScheduler} if not given`),
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

/** Built on its own, so that the number of workers in flight that a flag asks for comes before the environment's. */
const configuration = (concurrency: number | undefined) => {
  const environment = RegistrationConfig.layerConfigWith({ jitter: "full" })
  return concurrency === undefined
    ? environment
    : Layer.effect(
        RegistrationConfig,
        Effect.map(RegistrationConfig, (config) => ({ ...config, batchConcurrency: concurrency }))
      ).pipe(Layer.provide(environment))
}

const registrationLayer = (scheduler: string, concurrency: number | undefined) =>
  WorkerRegistration.layer.pipe(
    Layer.provide(configuration(concurrency)),
    Layer.catchTag(["InvalidRegistrationConfig", "ConfigError"], ({ message }) =>
      Layer.effectDiscard(Effect.fail(new WrongUsage({ message })))
    ),
    Layer.provide(schedulerLayer(scheduler))
  )

/** Core logs every outcome. The summary lists the failures, so the log is for those who ask for it. */
const logging = Effect.fnUntraced(function* (verbose: boolean) {
  const level = yield* GlobalFlag.LogLevel
  return Layer.mergeAll(
    Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)]),
    Option.isSome(level) ? Layer.empty : Layer.succeed(References.MinimumLogLevel, verbose ? "Warn" : "None")
  )
})

export const register = Command.make(
  "register",
  parameters,
  Effect.fnUntraced(function* (flags) {
    const concurrency = Option.getOrUndefined(flags.concurrency)
    if (concurrency !== undefined && concurrency < 1) {
      return yield* new WrongUsage({ message: `--concurrency must be 1 or more, but is ${concurrency}` })
    }
    const mappings = yield* parseMappings(flags.column)
    const scheduler = Option.isSome(flags.scheduler)
      ? flags.scheduler.value
      : yield* Config.String("MUSTER_SCHEDULER").pipe(Config.withDefault(defaultScheduler))
    const options = {
      file: flags.file,
      format: Option.getOrUndefined(flags.format),
      mappings,
      report: Option.getOrUndefined(flags.report),
      json: flags.json,
      progress: !flags.verbose,
      scheduler,
      server: undefined
    }
    yield* Effect.scoped(registerFile(options, registerDirectly)).pipe(
      Effect.provide(registrationLayer(scheduler, concurrency)),
      Effect.provide(yield* logging(flags.verbose))
    )
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
