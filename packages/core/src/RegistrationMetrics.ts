/**
 * The metrics of the registration path, as Effect `Metric`s: an application that exports none pays a few
 * additions and nothing else. The label sets are closed, so every series is made once here and looked up by
 * field, never by building a set of attributes on each call.
 */
import type { Context } from "effect"
import { type Counter, counter, gauge, histogram, type MetricFamily } from "./MetricFamily.ts"
import type { ErrorType } from "./RegistrationError.ts"
import type { WorkerType } from "./WorkerId.ts"

/** The values of the `worker_type` label. */
export type WorkerTypeLabel = WorkerType | "unknown"

const worker_type = ["static", "dynamic", "unknown"] as const satisfies ReadonlyArray<WorkerTypeLabel>
const result = ["success", "failure"] as const
const error_type = [
  "scheduler_unavailable",
  "timeout",
  "invalid_worker",
  "max_retries",
  "unexpected"
] as const satisfies ReadonlyArray<ErrorType>

const operationsFamily = counter({
  name: "worker_registration_operations_total",
  help: "Registrations that have ended, by result",
  whenItMoves:
    "`success` is the throughput. A share of `failure` above 0.5 % spends the error budget: which kind it is, says `worker_registration_failures_total`",
  labels: { result, worker_type }
})

const durationFamily = histogram({
  name: "worker_registration_duration_seconds",
  help: "From the call of register to its outcome, waits included, in seconds",
  whenItMoves:
    "Rises with the scheduler's own latency (`scheduler_call_duration_seconds`), with retries, and with what waits for its turn: a limit on the rate or the concurrency",
  labels: { worker_type },
  boundaries: [0.1, 0.5, 1, 2.5, 5, 10]
})

const retryFamily = histogram({
  name: "worker_registration_retry_count",
  help: "Retries that one registration needed",
  whenItMoves:
    "More than a few in the buckets above 0: the scheduler, or the network to it, fails now and then",
  labels: { worker_type },
  boundaries: [0, 1, 2, 3, 5]
})

const failuresFamily = counter({
  name: "worker_registration_failures_total",
  help: "Registrations that failed, and workers whose data could not be decoded, by kind of error",
  whenItMoves:
    "`invalid_worker`: whoever sends workers sends bad data. `scheduler_unavailable`, `timeout`, `max_retries`: the scheduler or the network. `unexpected`: an answer that makes no sense, or a mistake in Muster; the log has it",
  labels: { error_type, worker_type }
})

const attemptsFamily = counter({
  name: "worker_registration_attempts_total",
  help: "Calls to the scheduler that registered a worker or tried to, by result",
  whenItMoves: "`failure` without failed operations: retries are at work, and help",
  labels: { result, worker_type }
})

const inFlightFamily = gauge({
  name: "worker_registration_in_flight",
  help: "Registrations that have begun and not ended, waits for a retry included",
  whenItMoves: "At `MUSTER_CONCURRENCY` for long: the scheduler takes less than what comes",
  labels: {},
  countsFromZero: true
})

const supersededFamily = counter({
  name: "worker_registration_superseded_total",
  help: "Registrations that ended because newer state of the same worker had won",
  whenItMoves: "Nothing is wrong: a worker was changed while it was being registered",
  labels: { worker_type }
})

const unregistrationsFamily = counter({
  name: "worker_unregistration_operations_total",
  help: "Unregistrations that have ended, by result",
  whenItMoves: "`failure`: workers that are gone stay with the scheduler until a retry succeeds",
  labels: { result, worker_type }
})

export const registrationMetrics: ReadonlyArray<MetricFamily> = [
  operationsFamily,
  durationFamily,
  retryFamily,
  failuresFamily,
  attemptsFamily,
  inFlightFamily,
  supersededFamily,
  unregistrationsFamily
]

const perWorkerType = <A>(make: (labels: { readonly worker_type: WorkerTypeLabel }) => A) => ({
  static: make({ worker_type: "static" }),
  dynamic: make({ worker_type: "dynamic" }),
  unknown: make({ worker_type: "unknown" })
})

const perResult = (family: Counter<{ result: typeof result; worker_type: typeof worker_type }>) => ({
  success: perWorkerType((labels) => family.at({ result: "success", ...labels })),
  failure: perWorkerType((labels) => family.at({ result: "failure", ...labels }))
})

const failuresOf = (error_type: ErrorType) =>
  perWorkerType((labels) => failuresFamily.at({ error_type, ...labels }))

export const operations = perResult(operationsFamily)
export const attempts = perResult(attemptsFamily)
export const unregistrations = perResult(unregistrationsFamily)
export const failures = {
  scheduler_unavailable: failuresOf("scheduler_unavailable"),
  timeout: failuresOf("timeout"),
  invalid_worker: failuresOf("invalid_worker"),
  max_retries: failuresOf("max_retries"),
  unexpected: failuresOf("unexpected")
} satisfies { readonly [Type in ErrorType]: unknown }
export const durations = perWorkerType(durationFamily.at)
export const retries = perWorkerType(retryFamily.at)
export const inFlight = inFlightFamily.at({})
export const superseded = perWorkerType(supersededFamily.at)

/** Counts a worker that never became one: its data could not be decoded. */
export const countDecodeFailure = (workerType: WorkerTypeLabel, context: Context.Context<never>): void =>
  failures.invalid_worker[workerType].updateUnsafe(1, context)
