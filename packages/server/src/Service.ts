/**
 * `muster serve`: starts everything in order, says where it listens, and ends everything in order when it is asked
 * to.
 */
import { CircuitBreaker, RegistrationConfig, SchedulerPort } from "@muster/core"
import { Clock, Duration, Effect, Exit, Fiber, Layer, Option, Record, Redacted, Scope } from "effect"
import { fenced, Fleet, type FleetOptions, FleetSharing } from "@muster/core/fleet"
import { accessLayer, accessUpkeep } from "./access/AccessServices.ts"
import { Cluster } from "./cluster/Cluster.ts"
import { ClusterMember } from "./cluster/ClusterMember.ts"
import { ListeningUrl } from "./cluster/ListeningUrl.ts"
import type { CannotListen } from "./http/CannotListen.ts"
import { type HttpService, startHttpService } from "./http/HttpService.ts"
import { SchedulerName } from "./http/SchedulerName.ts"
import { registrationFallback } from "./configuration/RegistrationVariables.ts"
import { Lifecycle } from "./Lifecycle.ts"
import { policiesLayer } from "./PolicySettings.ts"
import { processMetricsLayer } from "./ProcessMetrics.ts"
import { schedulerLayer } from "./Schedulers.ts"
import type { ServeSettings } from "./ServeSettings.ts"
import { CannotOpenStore } from "./store/CannotOpenStore.ts"
import { isPostgresUrl } from "./store/PostgresUrl.ts"
import { memoryStore, shownStore, storeLayer } from "./store/Stores.ts"
import type { StoreServices } from "./store/SqlStores.ts"
import { Termination } from "./Termination.ts"
import { version } from "./version.ts"
import { WrongUsage, wrongConfigurationIsUsage } from "./WrongUsage.ts"

/** What stands below the service. */
export interface Foundation {
  readonly scheduler: Layer.Layer<SchedulerPort, WrongUsage>
  readonly store: Layer.Layer<StoreServices, WrongUsage | CannotOpenStore>
}

/** Runs the service until the process is told to end, and then until what is in flight has ended. */
export const runService = Effect.fnUntraced(function* (
  settings: ServeSettings,
  foundation: Foundation = {
    scheduler: schedulerLayer(settings.scheduler, settings),
    store: storeLayer(settings.store)
  }
): Effect.fn.Return<void, WrongUsage | CannotListen | CannotOpenStore, Termination> {
  const { requested } = yield* Termination
  const scope = yield* Scope.make()
  yield* Effect.gen(function* () {
    const services = yield* Layer.buildWithScope(servicesLayer(settings, foundation), scope)
    yield* Effect.gen(function* () {
      const http = yield* startHttpService(settings).pipe(
        Effect.catchTag("InvalidTlsFiles", ({ message }) => Effect.fail(new WrongUsage({ message })))
      )
      yield* announce(settings, http.url)
      const { join } = yield* ClusterMember
      const breaker = yield* Effect.serviceOption(CircuitBreaker)
      const isFailing = Option.match(breaker, {
        onNone: () => Effect.succeed(false),
        onSome: ({ state }) => Effect.map(state, (state) => state !== "closed")
      })
      // A database that has gone away meanwhile is waited for, but no longer than the process is wanted.
      yield* Effect.raceFirst(join(http.url, isFailing), requested)
      yield* warnOfOpenSecrets
      const signal = yield* requested
      yield* Effect.logInfo(`Received ${signal}; stopping`)
      yield* stop(settings, http)
    }).pipe(Effect.provideContext(services))
  }).pipe(Effect.ensuring(closePromptly(scope)))
})

const servicesLayer = (settings: ServeSettings, { scheduler, store }: Foundation) => {
  const { access, fleet, policies, scheduler: name } = settings
  return Layer.mergeAll(
    accessLayer(access).pipe(Layer.provideMerge(fleetLayer(fleet))),
    accessUpkeep(access.auditRetention),
    Lifecycle.layer,
    Layer.succeed(SchedulerName, name),
    processMetricsLayer
  ).pipe(
    Layer.provideMerge(store),
    Layer.provideMerge(policiesLayer(policies)),
    Layer.provide(fencedLayer.pipe(Layer.provide(scheduler))),
    Layer.provideMerge(clusterLayer(settings)),
    Layer.provideMerge(occupancyLayer(settings)),
    Layer.provideMerge(ListeningUrl.layer),
    Layer.provideMerge(registrationConfig)
  )
}

// A server that is alone does not load what a cluster takes.
const clusterLayer = ({
  cluster,
  store
}: ServeSettings): Layer.Layer<Cluster | ClusterMember, CannotOpenStore, ListeningUrl> =>
  cluster === undefined
    ? Layer.merge(Cluster.layerAlone, ClusterMember.layerAlone)
    : Layer.unwrap(
        Effect.map(
          Effect.promise(() => import("./cluster/ClusteredServer.ts")),
          ({ clusteredServerLayer }) => clusteredServerLayer(cluster, Redacted.make(store))
        )
      )

/** Only the servers of a cluster share a database. */
const occupancyLayer = ({ cluster, store }: ServeSettings): Layer.Layer<never, CannotOpenStore> =>
  isPostgresUrl(store)
    ? Layer.effectDiscard(
        Effect.flatMap(
          Effect.promise(() => import("./store/Occupancy.ts")),
          ({ occupy }) => occupy(Redacted.make(store), cluster === undefined ? "alone" : "shared")
        )
      )
    : Layer.empty

/** The scheduler; in a cluster, for the workers that this server looks after. */
const fencedLayer = Layer.effect(
  SchedulerPort,
  Effect.gen(function* () {
    const port = yield* SchedulerPort
    const sharing = yield* FleetSharing
    return sharing === undefined ? port : fenced(port, sharing)
  })
)

/** A store that answers nothing at the start is one that could not be opened. */
const fleetLayer = (options: FleetOptions) =>
  Fleet.layerWith(options).pipe(
    Layer.catchTag("StoreUnavailable", ({ message }) =>
      Layer.effect(Fleet, Effect.fail(new CannotOpenStore({ message })))
    )
  )

const registrationConfig = wrongConfigurationIsUsage(RegistrationConfig.layerConfigWith(registrationFallback))

/** One line that says where the service is and what it was told. */
const announce = Effect.fnUntraced(function* (settings: ServeSettings, url: string) {
  const config = yield* RegistrationConfig
  yield* Effect.logInfo(`muster ${version} listens on ${url}`).pipe(
    Effect.annotateLogs({
      url,
      scheduler: settings.scheduler,
      authentication: settings.access.isOn ? "on" : "off",
      store: yield* shownStore(settings.store),
      shutdownTimeout: Duration.format(settings.shutdownTimeout),
      maxRetries: config.maxRetries,
      backoff: `${Duration.format(config.baseBackoff)} to ${Duration.format(config.maxBackoff)}, jitter ${config.jitter}`,
      attemptTimeout: Duration.format(config.attemptTimeout),
      deadline: config.deadline === undefined ? "none" : Duration.format(config.deadline),
      ...Record.map({ ...settings.fleet }, shown),
      policies: settings.policies,
      rateLimit: settings.limits.rate ?? "off"
    })
  )
})

const warnOfOpenSecrets = Effect.gen(function* () {
  const { openSecrets } = yield* Effect.promise(() => import("./configuration/OpenSecrets.ts"))
  for (const sentence of yield* openSecrets) yield* Effect.logWarning(sentence)
})

const shown = (setting: FleetOptions[keyof FleetOptions]) => {
  if (!Duration.isDuration(setting)) return setting
  return Duration.isFinite(setting) ? Duration.format(setting) : "off"
}

/**
 * Requests first, since they may still bring changes; then the calls that are under way. What a durable store holds is
 * not waited for: it goes on at the next start. The memory store has none, and is given the time that is left.
 */
const stop = Effect.fnUntraced(function* ({ shutdownTimeout, store }: ServeSettings, http: HttpService) {
  const fleet = yield* Fleet
  const lifecycle = yield* Lifecycle
  const begunAt = yield* Clock.currentTimeMillis
  const isDurable = store !== memoryStore
  yield* lifecycle.stop
  const { leave } = yield* ClusterMember
  // The others go on with what this server looks after while it ends what it was asked.
  yield* Effect.all([Effect.timeoutOption(leave, shutdownTimeout), http.stop], {
    concurrency: 2,
    discard: true
  })
  const left = Duration.toMillis(shutdownTimeout) - ((yield* Clock.currentTimeMillis) - begunAt)
  const rest = isDurable ? fleet.quiesced : fleet.drained
  const ended = yield* Effect.timeoutOption(rest, Math.max(0, left))
  const { unfinished } = yield* fleet.load
  const changes = `${unfinished} unfinished ${unfinished === 1 ? "change" : "changes"}`
  if (isDurable) {
    return yield* Effect.logInfo(
      unfinished === 0
        ? "Stopped; everything that was accepted is done"
        : `Stopped with ${changes}, which the next start goes on with`
    )
  }
  if (Option.isNone(ended) || unfinished > 0) {
    return yield* Effect.logWarning(`Stopped with ${changes}, which the memory store forgets`)
  }
  yield* Effect.logInfo("Stopped; everything that was accepted is done")
})

/** Closes a scope without waiting longer than a second for what does not react to being interrupted. */
const closePromptly = (scope: Scope.Closeable) =>
  Effect.forkDetach(Scope.close(scope, Exit.void)).pipe(
    Effect.flatMap((fiber) => Effect.timeoutOption(Fiber.join(fiber), "1 second"))
  )
