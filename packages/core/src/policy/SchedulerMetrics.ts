/**
 * The metrics of what stands between a registration and its scheduler: the calls themselves, and what the policies
 * make of them.
 */
import { counter, gauge, histogram, type MetricFamily } from "../MetricFamily.ts"

const call = ["register", "unregister", "register_batch"] as const
const result = ["success", "rejected", "unavailable", "fault", "no_answer"] as const

export type CallLabel = (typeof call)[number]
export type CallResult = (typeof result)[number]

export const calls = counter({
  name: "scheduler_calls_total",
  help: "Calls that went out to the scheduler and have ended, by result",
  whenItMoves:
    "`rejected`: the scheduler is well and refuses workers, look at their data. `unavailable`, `no_answer` (given up before an answer came): the scheduler or the network. `fault`: its answers make no sense. A batch has the result of its best member",
  labels: { call, result }
})

export const callDurations = histogram({
  name: "scheduler_call_duration_seconds",
  help: "From sending a call to the scheduler to its answer or being given up, in seconds",
  whenItMoves:
    "The scheduler and the network alone, without anything that Muster waits for. Rises: the scheduler is slow. Level while `worker_registration_duration_seconds` rises: what takes longer is in Muster",
  labels: { call },
  boundaries: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
})

export const batchSizes = histogram({
  name: "scheduler_batch_size",
  help: "Workers in one call that registers, alone or as a batch",
  whenItMoves:
    "Large: many wait at the same moment, as after an outage. At `MUSTER_BATCH_MEMBERS` for long: more comes than the scheduler takes",
  labels: {},
  boundaries: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
})

export const circuitState = gauge({
  name: "scheduler_circuit_state",
  help: "The circuit breaker before the scheduler: 0 closed, 1 half open, 2 open",
  whenItMoves: "Above 0: the scheduler keeps failing, and but for single probes nothing is sent to it",
  labels: {}
})

export const concurrencyLimit = gauge({
  name: "scheduler_concurrency_limit",
  help: "The most calls to the scheduler that may be under way",
  whenItMoves:
    "Falls when the scheduler's latency rises or it fails; grows again with calls that are answered as usual",
  labels: {}
})

export const rateLimit = gauge({
  name: "scheduler_rate_limit",
  help: "The most workers a second that go to the scheduler; 0: no limit",
  whenItMoves:
    "Above 0: the scheduler has said that it had enough, or has just come back; the limit is what it takes. It is forgotten ten minutes after it was last reached",
  labels: {}
})

export const retryBudget = gauge({
  name: "scheduler_retry_budget",
  help: "Retries that may go to the scheduler at once",
  whenItMoves: "0: retries wait, because so many were needed. The scheduler fails more than now and then",
  labels: {}
})

export const schedulerMetrics: ReadonlyArray<MetricFamily> = [
  calls,
  callDurations,
  batchSizes,
  circuitState,
  concurrencyLimit,
  rateLimit,
  retryBudget
]
