/**
 * What the commands share that drive a scheduler from their own process.
 */
import { MicroBatching, RegistrationConfig, WorkerRegistration } from "@muster/core"
import { Config, Effect, Layer, Logger, Option, References } from "effect"
import { GlobalFlag } from "effect/cli"
import { registrationFallback } from "../configuration/RegistrationVariables.ts"
import { defaultScheduler, schedulerLayer, type SchedulerSettings } from "../Schedulers.ts"
import { WrongUsage, wrongConfigurationIsUsage } from "../WrongUsage.ts"

/** The environment's configuration. The number of workers in flight that a flag asks for comes before it. */
export const configuration = (concurrency: number | undefined) => {
  const environment = RegistrationConfig.layerConfigWith(registrationFallback)
  return concurrency === undefined
    ? environment
    : Layer.effect(
        RegistrationConfig,
        Effect.map(RegistrationConfig, (config) => ({ ...config, batchConcurrency: concurrency }))
      ).pipe(Layer.provide(environment))
}

/** Registration over the scheduler that `--scheduler` names. */
export const registrationLayer = (
  scheduler: string,
  config: ReturnType<typeof configuration>,
  settings: SchedulerSettings
): Layer.Layer<WorkerRegistration, WrongUsage> =>
  WorkerRegistration.layer.pipe(
    Layer.provide(MicroBatching.layer),
    Layer.provide(schedulerLayer(scheduler, settings)),
    Layer.provide(config),
    wrongConfigurationIsUsage
  )

/** The value of `--scheduler`, or of its variable. */
export const schedulerName = (flag: Option.Option<string>): Effect.Effect<string, WrongUsage> =>
  Option.match(flag, {
    onNone: () =>
      Config.String("MUSTER_SCHEDULER").pipe(
        Config.withDefault(defaultScheduler),
        Effect.mapError(({ message }) => new WrongUsage({ message }))
      ),
    onSome: Effect.succeed
  })

/**
 * Core logs every outcome. The output of a command lists the failures, so the log, on standard error, is for those
 * who ask for it: `--verbose` for warnings and errors, `--log-level` for more.
 */
export const logging = Effect.fnUntraced(function* (verbose: boolean) {
  const level = yield* GlobalFlag.LogLevel
  return Layer.merge(
    Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)]),
    Option.isSome(level) ? Layer.empty : Layer.succeed(References.MinimumLogLevel, verbose ? "Warn" : "None")
  )
})
