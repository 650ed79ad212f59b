/**
 * `muster serve`: starts everything in order, says where it listens, and ends everything in order when it is asked
 * to.
 */
import { RegistrationConfig } from "@muster/core"
import { Clock, Duration, Effect, Exit, Fiber, Layer, Option, Scope } from "effect"
import { Fleet } from "./fleet/Fleet.ts"
import type { CannotListen } from "./http/CannotListen.ts"
import { type HttpService, startHttpService } from "./http/HttpService.ts"
import { SchedulerName } from "./http/SchedulerName.ts"
import { Lifecycle } from "./Lifecycle.ts"
import { schedulerLayer } from "./Schedulers.ts"
import type { ServeSettings } from "./ServeSettings.ts"
import { Termination } from "./Termination.ts"
import { version } from "./version.ts"
import { type WrongUsage, wrongConfigurationIsUsage } from "./WrongUsage.ts"

/** Runs the service until the process is told to end, and then until what is in flight has ended. */
export const runService = Effect.fnUntraced(function* (
  settings: ServeSettings
): Effect.fn.Return<void, WrongUsage | CannotListen, Termination> {
  const { requested } = yield* Termination
  const scope = yield* Scope.make()
  yield* Effect.gen(function* () {
    const services = yield* Layer.buildWithScope(servicesLayer(settings), scope)
    yield* Effect.gen(function* () {
      const http = yield* startHttpService(settings)
      yield* announce(settings, http.url)
      const signal = yield* requested
      yield* Effect.logInfo(`Received ${signal}; stopping`)
      yield* stop(settings, http)
    }).pipe(Effect.provideContext(services))
  }).pipe(Effect.ensuring(closePromptly(scope)))
})

const servicesLayer = ({ concurrency, maxUnfinished, scheduler }: ServeSettings) =>
  Layer.mergeAll(
    Fleet.layerWith({ concurrency, maxUnfinished }),
    Lifecycle.layer,
    Layer.succeed(SchedulerName, scheduler)
  ).pipe(Layer.provideMerge(schedulerLayer(scheduler)), Layer.provideMerge(registrationConfig))

const registrationConfig = wrongConfigurationIsUsage(RegistrationConfig.layerConfigWith({ jitter: "full" }))

/** One line that says where the service is and what it was told. */
const announce = Effect.fnUntraced(function* (settings: ServeSettings, url: string) {
  const config = yield* RegistrationConfig
  yield* Effect.logInfo(`muster ${version} listens on ${url}`).pipe(
    Effect.annotateLogs({
      url,
      scheduler: settings.scheduler,
      store: settings.store,
      concurrency: settings.concurrency,
      maxUnfinished: settings.maxUnfinished,
      shutdownTimeout: Duration.format(settings.shutdownTimeout),
      maxRetries: config.maxRetries,
      backoff: `${Duration.format(config.baseBackoff)} to ${Duration.format(config.maxBackoff)}, jitter ${config.jitter}`,
      attemptTimeout: Duration.format(config.attemptTimeout),
      deadline: config.deadline === undefined ? "none" : Duration.format(config.deadline)
    })
  )
})

/** Requests first, since they may still bring changes; then the calls that the changes ask for. */
const stop = Effect.fnUntraced(function* ({ shutdownTimeout }: ServeSettings, http: HttpService) {
  const fleet = yield* Fleet
  const lifecycle = yield* Lifecycle
  const begunAt = yield* Clock.currentTimeMillis
  yield* lifecycle.stop
  yield* http.stop
  const left = Duration.toMillis(shutdownTimeout) - ((yield* Clock.currentTimeMillis) - begunAt)
  const drained = yield* Effect.timeoutOption(fleet.drained, Math.max(0, left))
  const { unfinished } = yield* fleet.load
  if (Option.isNone(drained) || unfinished > 0) {
    return yield* Effect.logWarning(
      `Stopped with ${unfinished} unfinished ${unfinished === 1 ? "change" : "changes"}, which the memory store forgets`
    )
  }
  yield* Effect.logInfo("Stopped; everything that was accepted is done")
})

/** Closes a scope without waiting longer than a second for what does not react to being interrupted. */
const closePromptly = (scope: Scope.Closeable) =>
  Effect.forkDetach(Scope.close(scope, Exit.void)).pipe(
    Effect.flatMap((fiber) => Effect.timeoutOption(Fiber.join(fiber), "1 second"))
  )
