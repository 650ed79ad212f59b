/**
 * The metric families of Muster's contract in prom-client. Each series is looked up once and kept, which is the
 * fastest way that prom-client has and what Muster does too.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client"
import type { Worker } from "@muster/core"

const registers = [new Registry()]

const perWorkerType = <Series>(make: (labels: { worker_type: string }) => Series) => ({
  static: make({ worker_type: "static" }),
  dynamic: make({ worker_type: "dynamic" })
})

const resultCounter = (name: string, help: string) => {
  const counter = new Counter({ name, help, labelNames: ["result", "worker_type"], registers })
  return {
    success: perWorkerType((labels) => counter.labels({ result: "success", ...labels })),
    failure: perWorkerType((labels) => counter.labels({ result: "failure", ...labels }))
  }
}

const operations = resultCounter("worker_registration_operations_total", "Registrations that have ended")
const attempts = resultCounter("worker_registration_attempts_total", "Calls to the scheduler")

const histogram = (name: string, help: string, buckets: Array<number>) => {
  const family = new Histogram({ name, help, labelNames: ["worker_type"], buckets, registers })
  return perWorkerType((labels) => family.labels(labels))
}

const durations = histogram(
  "worker_registration_duration_seconds",
  "From the call to its outcome",
  [0.1, 0.5, 1, 2.5, 5, 10]
)
const retries = histogram("worker_registration_retry_count", "Retries", [0, 1, 2, 3, 5])

const failures = new Counter({
  name: "worker_registration_failures_total",
  help: "Registrations that failed, by kind of error",
  labelNames: ["error_type", "worker_type"],
  registers
})

const inFlight = new Gauge({
  name: "worker_registration_in_flight",
  help: "Registrations that have begun and not ended",
  registers
})

export const countAttempt = (worker: Worker, result: "success" | "failure"): void =>
  attempts[result][worker.metadata.workerType].inc()

/** Runs one registration and counts it: one operation, one duration, one retry count, and itself while in flight. */
export const measured = async (worker: Worker, register: () => Promise<number>): Promise<void> => {
  const { workerType } = worker.metadata
  const startedAt = performance.now()
  let result: "success" | "failure" = "failure"
  let attemptsMade: number = 1
  inFlight.inc()
  try {
    attemptsMade = await register()
    result = "success"
  } catch (error) {
    failures.inc({ error_type: "unexpected", worker_type: workerType })
    throw error
  } finally {
    inFlight.dec()
    operations[result][workerType].inc()
    durations[workerType].observe((performance.now() - startedAt) / 1000)
    retries[workerType].observe(attemptsMade - 1)
  }
}
