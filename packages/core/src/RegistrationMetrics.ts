/**
 * The metrics of the registration path, as Effect `Metric`s: an application that exports none pays a few
 * additions and nothing else. The label sets are closed, so every series is made once here and looked up by
 * field, never by building a set of attributes on each call.
 */
import { type Context, Metric } from "effect"
import type { ErrorType } from "./RegistrationError.ts"
import type { WorkerType } from "./WorkerId.ts"

/** The values of the `worker_type` label. */
export type WorkerTypeLabel = WorkerType | "unknown"

const perWorkerType = <A>(make: (attributes: { readonly worker_type: WorkerTypeLabel }) => A) => ({
  static: make({ worker_type: "static" }),
  dynamic: make({ worker_type: "dynamic" }),
  unknown: make({ worker_type: "unknown" })
})

const resultCounter = (name: string, description: string) => {
  const of = (result: "success" | "failure") =>
    perWorkerType((labels) =>
      Metric.counter(name, { description, incremental: true, attributes: { result, ...labels } })
    )
  return { success: of("success"), failure: of("failure") }
}

export const operations = resultCounter(
  "worker_registration_operations_total",
  "Registrations that have ended, by result"
)

export const attempts = resultCounter(
  "worker_registration_attempts_total",
  "Calls to the scheduler that registered a worker or tried to, by result"
)

export const unregistrations = resultCounter(
  "worker_unregistration_operations_total",
  "Unregistrations that have ended, by result"
)

const failuresOf = (error_type: ErrorType) =>
  perWorkerType((labels) =>
    Metric.counter("worker_registration_failures_total", {
      description: "Registrations that failed, and workers whose data could not be decoded, by kind of error",
      incremental: true,
      attributes: { error_type, ...labels }
    })
  )

export const failures = {
  scheduler_unavailable: failuresOf("scheduler_unavailable"),
  timeout: failuresOf("timeout"),
  invalid_worker: failuresOf("invalid_worker"),
  max_retries: failuresOf("max_retries"),
  unexpected: failuresOf("unexpected")
} satisfies { readonly [Type in ErrorType]: unknown }

export const durations = perWorkerType((attributes) =>
  Metric.histogram("worker_registration_duration_seconds", {
    description: "From the call of register to its outcome, waits included, in seconds",
    boundaries: [0.1, 0.5, 1, 2.5, 5, 10],
    attributes
  })
)

export const retries = perWorkerType((attributes) =>
  Metric.histogram("worker_registration_retry_count", {
    description: "Retries that one registration needed",
    boundaries: [0, 1, 2, 3, 5],
    attributes
  })
)

export const inFlight = Metric.gauge("worker_registration_in_flight", {
  description: "Registrations that have begun and not ended, waits for a retry included"
})

export const superseded = perWorkerType((attributes) =>
  Metric.counter("worker_registration_superseded_total", {
    description: "Registrations that ended because newer state of the same worker had won",
    incremental: true,
    attributes
  })
)

/** Counts a worker that never became one: its data could not be decoded. */
export const countDecodeFailure = (workerType: WorkerTypeLabel, context: Context.Context<never>): void =>
  failures.invalid_worker[workerType].updateUnsafe(1, context)
