/**
 * What the service did in the last hour, step by step: for people who look at it while something happens. Read from
 * the metrics, so that nothing is counted twice; it begins anew with the process.
 */
import { AdaptiveConcurrency, CircuitBreaker, type CircuitState, Pacing } from "@muster/core"
import { Fleet } from "@muster/core/fleet"
import { Clock, Context, Duration, Effect, Layer, Metric, Option, Schedule } from "effect"

/** How much time one point stands for. */
export const historyStep = Duration.seconds(5)
const kept = Duration.toSeconds(Duration.hours(1)) / Duration.toSeconds(historyStep)

/** What happened in the step that ended at `at`, and how things stood then. */
export interface HistoryPoint {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly registered: number
  readonly unregistered: number
  /** Registrations and decodings that failed, by kind of error. */
  readonly failures: Readonly<Record<string, number>>
  /** Calls for a registration, by how they ended. */
  readonly attempts: { readonly succeeded: number; readonly failed: number }
  /** How long registrations took, in seconds, as far as the buckets of the metric tell; `undefined`: there were none. */
  readonly p50: number | undefined
  readonly p95: number | undefined
  readonly unfinished: number
  readonly inFlight: number
  /** `undefined`: there is no such policy. */
  readonly circuit: CircuitState | undefined
  /** The most workers a second; `undefined`: no limit. */
  readonly rate: number | undefined
  /** The most calls at the same time. */
  readonly concurrency: number
  /** How many more retries the budget has; `undefined`: there is none. */
  readonly retryBudget: number | undefined
  /** Workers in one call that registers, on average; `undefined`: there was none. */
  readonly batchSize: number | undefined
}

export class History extends Context.Service<
  History,
  {
    /** The points that are kept and later than this time, oldest first. */
    readonly after: (at: number) => ReadonlyArray<HistoryPoint>
  }
>()("@muster/server/History") {
  static readonly layer = Layer.effect(
    History,
    Effect.suspend(() => make)
  )
}

/** The metrics as they are now, each worker type together. */
interface Reading {
  readonly registered: number
  readonly unregistered: number
  readonly failures: ReadonlyMap<string, number>
  readonly succeeded: number
  readonly failed: number
  /** How many took at most so many seconds. */
  readonly durations: ReadonlyMap<number, number>
  /** Calls that register, and the workers in them. */
  readonly calls: number
  readonly members: number
  readonly retryBudget: number | undefined
}

const make = Effect.gen(function* () {
  const fleet = yield* Fleet
  const adaptive = yield* Effect.serviceOption(AdaptiveConcurrency)
  const breaker = yield* Effect.serviceOption(CircuitBreaker)
  const pacing = yield* Effect.serviceOption(Pacing)
  const points: Array<HistoryPoint> = []
  let before = read(yield* Metric.snapshot)

  const take = Effect.gen(function* () {
    const at = yield* Clock.currentTimeMillis
    const now = read(yield* Metric.snapshot)
    const { inFlight, unfinished } = yield* fleet.load
    points.push({
      at,
      ...difference(before, now),
      unfinished,
      inFlight,
      circuit: Option.isNone(breaker) ? undefined : yield* breaker.value.state,
      rate: Option.getOrUndefined(pacing)?.state().limit,
      concurrency: Option.getOrUndefined(adaptive)?.state().limit ?? fleet.options.concurrency
    })
    if (points.length > kept) points.shift()
    before = now
  })
  yield* Effect.forkScoped(Effect.repeat(Effect.delay(take, historyStep), Schedule.forever))
  return History.of({ after: (at) => points.filter((point) => point.at > at) })
})

const read = (snapshots: ReadonlyArray<Metric.Metric.Snapshot>): Reading => {
  const failures = new Map<string, number>()
  const durations = new Map<number, number>()
  const counts = { registered: 0, unregistered: 0, succeeded: 0, failed: 0, calls: 0, members: 0 }
  let retryBudget: number | undefined
  for (const { attributes = {}, id, ...metric } of snapshots) {
    if (metric.type === "Histogram" && id === "worker_registration_duration_seconds") {
      for (const [boundary, count] of metric.state.buckets) {
        if (Number.isFinite(boundary)) add(durations, boundary, count)
      }
      add(durations, Infinity, metric.state.count)
    }
    if (metric.type === "Histogram" && id === "scheduler_batch_size") {
      counts.calls += metric.state.count
      counts.members += metric.state.sum
    }
    if (metric.type === "Gauge" && id === "scheduler_retry_budget") retryBudget = Number(metric.state.value)
    if (metric.type !== "Counter") continue
    const count = Number(metric.state.count)
    const { error_type, result } = attributes
    const hasSucceeded = result === "success"
    if (id === "worker_registration_failures_total") add(failures, String(error_type), count)
    else if (id === "worker_registration_operations_total" && hasSucceeded) counts.registered += count
    else if (id === "worker_unregistration_operations_total" && hasSucceeded) counts.unregistered += count
    else if (id === "worker_registration_attempts_total") {
      counts[hasSucceeded ? "succeeded" : "failed"] += count
    }
  }
  return { ...counts, failures, durations, retryBudget }
}

const add = <Key>(counts: Map<Key, number>, key: Key, count: number): void => {
  counts.set(key, (counts.get(key) ?? 0) + count)
}

const minus = <Key>(now: ReadonlyMap<Key, number>, before: ReadonlyMap<Key, number>): Map<Key, number> =>
  new Map(Array.from(now, ([key, count]) => [key, count - (before.get(key) ?? 0)]))

const difference = (before: Reading, now: Reading) => {
  const durations = Array.from(minus(now.durations, before.durations)).toSorted(
    ([left], [right]) => left - right
  )
  return {
    registered: now.registered - before.registered,
    unregistered: now.unregistered - before.unregistered,
    failures: Object.fromEntries(
      Array.from(minus(now.failures, before.failures)).filter(([, count]) => count > 0)
    ),
    attempts: { succeeded: now.succeeded - before.succeeded, failed: now.failed - before.failed },
    p50: quantile(0.5, durations),
    p95: quantile(0.95, durations),
    retryBudget: now.retryBudget,
    batchSize:
      now.calls > before.calls ? (now.members - before.members) / (now.calls - before.calls) : undefined
  }
}

/** As Prometheus's `histogram_quantile` has it: even within a bucket, and the last boundary beyond it. */
const quantile = (
  share: number,
  cumulative: ReadonlyArray<readonly [boundary: number, count: number]>
): number | undefined => {
  const total = cumulative.at(-1)?.[1] ?? 0
  if (total === 0) return undefined
  const wanted = share * total
  let [lower, below] = [0, 0]
  for (const [boundary, count] of cumulative) {
    if (count >= wanted) {
      if (!Number.isFinite(boundary)) return lower
      return lower + ((boundary - lower) * (wanted - below)) / (count - below)
    }
    ;[lower, below] = [boundary, count]
  }
  return lower
}
