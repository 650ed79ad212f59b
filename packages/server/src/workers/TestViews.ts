/**
 * Workers, timelines and schedulers as a service answers them, for tests.
 */
import { Schema } from "effect"
import { SchedulerView, TimelineView, WorkerView } from "../http/Schemas.ts"

export const now = Date.parse("2026-01-31T12:00:00.000Z")

/** RFC 3339. */
export const secondsAgo = (seconds: number): string => new Date(now - seconds * 1000).toISOString()

const decodeView = Schema.decodeUnknownSync(WorkerView)
const decodeTimeline = Schema.decodeUnknownSync(TimelineView)
const decodeScheduler = Schema.decodeUnknownSync(SchedulerView)

interface Some {
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

export const viewOf = (id: string, { metadata, ...fields }: Some = {}): WorkerView =>
  decodeView({
    id,
    generation: 7,
    phase: "registered",
    worker: { id, capabilities: { cpuCores: 8, memoryMb: 16_384 }, metadata: metadata ?? {} },
    priority: "normal",
    leaseTtl: null,
    leaseExpiresAt: null,
    attempts: 1,
    lastError: null,
    createdAt: secondsAgo(600),
    updatedAt: secondsAgo(60),
    registeredAt: null,
    nextAttemptAt: null,
    ...fields
  })

export const timelineOf = (...items: ReadonlyArray<Readonly<Record<string, unknown>>>) =>
  decodeTimeline({ items, forgotten: 0 })

export const changeItem = (ago: number, change: string, more: Readonly<Record<string, unknown>> = {}) => ({
  type: "change",
  at: secondsAgo(ago),
  generation: 7,
  change,
  source: null,
  reason: null,
  ...more
})

export const phaseItem = (ago: number, phase: string) => ({
  type: "phase",
  at: secondsAgo(ago),
  generation: 7,
  phase,
  nextAttemptAt: null
})

/** `error`: what the scheduler said, where the call failed. */
export const callItem = (ago: number, call: string, attempt: number | null, error?: string) => ({
  type: "call",
  at: secondsAgo(ago),
  generation: 7,
  call,
  result: error === undefined ? "success" : "failure",
  attempt,
  held: null,
  error: error === undefined ? null : { type: "scheduler_unavailable", message: error, retryable: true }
})

export const schedulerOf = (fields: Readonly<Record<string, unknown>> = {}) =>
  decodeScheduler({
    adapter: "grpc://10.0.0.7:7071",
    capabilities: ["registerBatch", "list", "get", "health"],
    health: { status: "healthy" },
    concurrency: { limit: 64, inFlight: 0 },
    calls: { limit: 16, inFlight: 0, waiting: 0 },
    circuit: { state: "closed" },
    rate: { limit: null, waiting: 0 },
    unfinished: { limit: 100_000, count: 0 },
    drift: null,
    configuration: {
      maxRetries: 3,
      baseBackoff: "100 millis",
      maxBackoff: "10 seconds",
      jitter: "full",
      attemptTimeout: "30 seconds",
      deadline: null,
      retryDelay: "500 millis",
      maxRetryDelay: "30 seconds"
    },
    ...fields
  })
