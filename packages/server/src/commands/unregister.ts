/**
 * `muster unregister ID…`: tells the scheduler, or a running service, that workers are gone.
 */
import { type WorkerId, WorkerRegistration } from "@muster/core"
import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { parseAddress } from "../client/ServiceAddress.ts"
import { serviceHttpClient } from "../client/ServiceHttpClient.ts"
import { deleteWorker } from "../register/MusterService.ts"
import { NotAllDone } from "../NotAllDone.ts"
import { slurmConfDescription } from "../Schedulers.ts"
import { printable } from "../TerminalText.ts"
import { WrongUsage } from "../WrongUsage.ts"
import { configuration, logging, registrationLayer, schedulerName } from "./registration.ts"
import { parseId } from "./workerIds.ts"

const parameters = {
  ids: Argument.String("id").pipe(
    Argument.withMetavar("ID"),
    Argument.withDescription("The ids of the workers that are gone"),
    Argument.variadic({ min: 1 })
  ),
  server: Flag.String("server").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("Tells the Muster service at this address instead of a scheduler"),
    Flag.optional
  ),
  scheduler: Flag.String("scheduler").pipe(
    Flag.withMetavar("SCHEDULER"),
    Flag.withDescription("The scheduler to tell (MUSTER_SCHEDULER); embedded if not given"),
    Flag.optional
  ),
  slurmConf: Flag.String("slurm-conf").pipe(
    Flag.withMetavar("PATH"),
    Flag.withDescription(slurmConfDescription),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Prints one JSON object for each worker"),
    Flag.withDefault(false)
  ),
  verbose: Flag.Boolean("verbose").pipe(
    Flag.withDescription("Logs every retry and failure as it happens"),
    Flag.withDefault(false)
  )
}

interface Outcome {
  readonly id: string
  /** `accepted`: a service has taken it on. */
  readonly result: "unregistered" | "accepted" | "failed"
  readonly error?: string
}

type Flags = Command.Command.Config.Infer<typeof parameters>

const failed = (id: string) => (error: { readonly message: string }) =>
  Effect.succeed<Outcome>({ id, result: "failed", error: error.message })

const throughScheduler = Effect.fnUntraced(function* (flags: Flags, ids: ReadonlyArray<WorkerId>) {
  const scheduler = yield* schedulerName(flags.scheduler)
  return yield* Effect.gen(function* () {
    const registration = yield* WorkerRegistration
    return yield* Effect.forEach(
      ids,
      (id) =>
        registration
          .unregister(id)
          .pipe(Effect.as<Outcome>({ id, result: "unregistered" }), Effect.catch(failed(id))),
      { concurrency: 10 }
    )
  }).pipe(
    Effect.provide(
      registrationLayer(scheduler, configuration(undefined), {
        slurmConf: Option.getOrUndefined(flags.slurmConf)
      })
    )
  )
})

const throughService = Effect.fnUntraced(function* (
  flags: Flags,
  server: string,
  ids: ReadonlyArray<WorkerId>
) {
  for (const [name, flag] of Object.entries({ scheduler: flags.scheduler, "slurm-conf": flags.slurmConf })) {
    if (Option.isSome(flag)) {
      return yield* new WrongUsage({
        message: `--${name} and --server exclude each other: the service has its own`
      })
    }
  }
  const address = yield* parseAddress(server)
  return yield* Effect.forEach(
    ids,
    (id) =>
      deleteWorker(address, id).pipe(
        Effect.map((isKnown): Outcome =>
          isKnown
            ? { id, result: "accepted" }
            : { id, result: "failed", error: "The service knows no worker of this id." }
        ),
        Effect.catch(failed(id))
      ),
    { concurrency: 10 }
  ).pipe(Effect.provide(serviceHttpClient))
})

export const unregister = Command.make(
  "unregister",
  parameters,
  Effect.fnUntraced(function* (flags) {
    const ids = yield* Effect.forEach(flags.ids, parseId)
    const run = Option.isSome(flags.server)
      ? throughService(flags, flags.server.value, ids)
      : throughScheduler(flags, ids)
    const outcomes = yield* Effect.provide(run, yield* logging(flags.verbose))
    yield* Effect.forEach(outcomes, (outcome) =>
      Console.log(
        flags.json
          ? JSON.stringify(outcome)
          : printable(
              `${outcome.id}  ${outcome.result}${outcome.error === undefined ? "" : `: ${outcome.error}`}`
            )
      )
    )
    const failures = outcomes.filter(({ result }) => result === "failed").length
    if (failures > 0)
      return yield* new NotAllDone({ message: `${failures} of ${ids.length} workers were not unregistered.` })
  })
).pipe(
  Command.withDescription(
    "Unregisters workers. Exits with 0 when all of them are unregistered or, with --server, accepted to be; with 1 when one is not; with 2 for wrong usage."
  ),
  Command.withExamples([
    {
      command: "muster unregister ci-7f3a ci-7f3b --server http://127.0.0.1:7070",
      description: "Tell a service"
    }
  ])
)
