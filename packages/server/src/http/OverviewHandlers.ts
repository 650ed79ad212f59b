/**
 * `/v1/overview` and `/v1/history`: how things are, and how they have been, for people who look at all of it.
 */
import { CircuitBreaker, SchedulerPort } from "@muster/core"
import { Fleet, Priority, type WorkerKind } from "@muster/core/fleet"
import { Clock, Duration, Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Cluster, type ClusterView } from "../cluster/Cluster.ts"
import { lostServers, unattended } from "../cluster/ClusterWords.ts"
import { History, type HistoryPoint, historyStep } from "../History.ts"
import { Api } from "./Api.ts"
import { storeUnavailable } from "./FleetProblems.ts"
import { type HistoryView, type OverviewView, summarize } from "./OverviewView.ts"
import { InvalidRequest } from "./Problems.ts"
import { formatTime } from "./Schemas.ts"
import { healthOf } from "./SchedulerHealthCheck.ts"
import { SchedulerName } from "./SchedulerName.ts"

/** However many look at the same time, the scheduler is asked how it is no more often. */
const healthFor = Duration.seconds(2)
const namespacesShown = 100

export const OverviewHandlers = HttpApiBuilder.group(
  Api,
  "overview",
  Effect.fnUntraced(function* (handlers) {
    const adapter = yield* SchedulerName
    const port = yield* SchedulerPort
    const fleet = yield* Fleet
    const history = yield* History
    const cluster = yield* Cluster
    const breaker = yield* Effect.serviceOption(CircuitBreaker)
    const health =
      port.health === undefined
        ? Effect.succeed(null)
        : yield* Effect.cachedWithTTL(healthOf(port.health), healthFor)

    return handlers
      .handle(
        "getOverview",
        Effect.fnUntraced(function* () {
          const kinds = yield* Effect.mapError(fleet.kinds, storeUnavailable)
          const oldest = yield* Effect.mapError(fleet.oldestUnfinished, storeUnavailable)
          const servers = yield* Effect.mapError(cluster.view, storeUnavailable)
          const facts = {
            at: formatTime(yield* Clock.currentTimeMillis),
            workers: {
              total: countOf(kinds),
              kinds: byPhaseAndType(kinds),
              namespaces: byNamespace(kinds)
            },
            unfinished: (yield* fleet.load).unfinished,
            oldestUnfinished: oldestOf(oldest),
            deadLetters: countOf(kinds.filter(({ phase }) => phase === "failed")),
            scheduler: {
              adapter,
              health: yield* health,
              circuit: Option.isNone(breaker) ? null : yield* breaker.value.state
            },
            cluster: clusterOf(servers),
            store: {
              trouble: Option.getOrNull(Option.map(yield* fleet.storeTrouble, ({ message }) => message))
            }
          }
          return { ...facts, ...summarize(facts) }
        })
      )
      .handle(
        "getHistory",
        Effect.fnUntraced(function* ({ query }) {
          const after = query.after === undefined ? 0 : Date.parse(query.after)
          if (Number.isNaN(after)) {
            return yield* new InvalidRequest({
              errors: [{ path: "query.after", message: "expected a time such as 2026-01-31T12:00:00Z" }]
            })
          }
          return {
            stepSeconds: Duration.toSeconds(historyStep),
            points: history.after(after).map(toPointView)
          }
        })
      )
  })
)

const clusterOf = (view: ClusterView): OverviewView["cluster"] =>
  view.clustered
    ? {
        up: view.servers.filter(({ state }) => state === "up").length,
        lost: lostServers(view.servers).length,
        unattended: unattended(view).length
      }
    : null

const countOf = (kinds: ReadonlyArray<WorkerKind>): number =>
  kinds.reduce((sum, { workers }) => sum + workers, 0)

const typeOf = (workerType: string | undefined): "static" | "dynamic" | "unknown" =>
  workerType === "static" || workerType === "dynamic" ? workerType : "unknown"

const byPhaseAndType = (kinds: ReadonlyArray<WorkerKind>): OverviewView["workers"]["kinds"] =>
  Array.from(
    Map.groupBy(kinds, ({ phase, workerType }) => `${phase} ${typeOf(workerType)}`).values(),
    (same) =>
      same.map(({ phase, workerType }) => ({ phase, workerType: typeOf(workerType), count: countOf(same) }))
  ).flatMap(([first]) => first ?? [])

const byNamespace = (kinds: ReadonlyArray<WorkerKind>): OverviewView["workers"]["namespaces"] =>
  Array.from(
    Map.groupBy(
      kinds.filter(({ namespace }) => namespace !== undefined),
      ({ namespace = "" }) => namespace
    ),
    ([namespace, same]) => ({ namespace, count: countOf(same) })
  )
    .toSorted((left, right) => right.count - left.count)
    .slice(0, namespacesShown)

/** Of those that have waited equally long the most urgent. */
const oldestOf = (oldest: ReadonlyMap<Priority, number>): OverviewView["oldestUnfinished"] => {
  let found: { readonly priority: Priority; readonly since: number } | undefined
  for (const priority of Priority.literals) {
    const since = oldest.get(priority)
    if (since !== undefined && (found === undefined || since < found.since)) found = { priority, since }
  }
  return found === undefined ? null : { priority: found.priority, since: formatTime(found.since) }
}

const toPointView = (point: HistoryPoint): (typeof HistoryView.Type)["points"][number] => ({
  ...point,
  at: formatTime(point.at),
  p50: point.p50 ?? null,
  p95: point.p95 ?? null,
  circuit: point.circuit ?? null,
  rate: point.rate ?? null,
  retryBudget: point.retryBudget ?? null,
  batchSize: point.batchSize ?? null
})
