/**
 * What `/v1/overview` and `/v1/history` send, and the sentence that says how things are.
 */
import { SchedulerHealth } from "@muster/core"
import { FailureType, Phase, Priority } from "@muster/core/fleet"
import { Schema } from "effect"
import { plural, span } from "../TimeText.ts"
import { timestamp } from "./Schemas.ts"

export const OverviewView = Schema.Struct({
  at: timestamp,
  summary: Schema.String.annotate({
    description: "How things are, in a sentence for people",
    examples: ["1,523 workers registered; scheduler healthy; 3 dead letters"]
  }),
  state: Schema.Literals(["well", "busy", "trouble"]).annotate({
    description:
      "busy: changes, or partitions to another server, are on their way. trouble: somebody should look, since the scheduler is away, the store cannot be written to, there are dead letters, or a server is lost"
  }),
  workers: Schema.Struct({
    total: Schema.Int,
    kinds: Schema.Array(
      Schema.Struct({
        phase: Phase,
        workerType: Schema.Literals(["static", "dynamic", "unknown"]),
        count: Schema.Int
      })
    ).annotate({ description: "Those of which there are any" }),
    namespaces: Schema.Array(Schema.Struct({ namespace: Schema.String, count: Schema.Int })).annotate({
      description: "The largest hundred"
    })
  }),
  unfinished: Schema.Int.annotate({ description: "Changes that were accepted and are not done" }),
  oldestUnfinished: Schema.NullOr(Schema.Struct({ priority: Priority, since: timestamp })),
  deadLetters: Schema.Int,
  scheduler: Schema.Struct({
    adapter: Schema.String,
    health: Schema.NullOr(SchedulerHealth).annotate({ description: "null: it cannot be asked" }),
    circuit: Schema.NullOr(Schema.Literals(["closed", "open", "half_open"]))
  }),
  cluster: Schema.NullOr(
    Schema.Struct({
      up: Schema.Int.annotate({ description: "Servers that are up" }),
      lost: Schema.Int.annotate({
        description: "Servers that went away without a word, and that none was started in place of since"
      }),
      unattended: Schema.Int.annotate({ description: "Partitions that no server looks after" })
    })
  ).annotate({ description: "null: this server is alone" }),
  store: Schema.Struct({
    trouble: Schema.NullOr(Schema.String.annotate({ description: "Why changes are not accepted" }))
  })
}).annotate({ identifier: "Overview" })
export type OverviewView = typeof OverviewView.Type

const seconds = Schema.NullOr(Schema.Finite).annotate({
  description:
    "In seconds, as far as the buckets of worker_registration_duration_seconds tell; null: there were none"
})

export const HistoryView = Schema.Struct({
  stepSeconds: Schema.Finite,
  points: Schema.Array(
    Schema.Struct({
      at: timestamp,
      registered: Schema.Int,
      unregistered: Schema.Int,
      failures: Schema.Record(FailureType, Schema.optionalKey(Schema.Int)),
      attempts: Schema.Struct({ succeeded: Schema.Int, failed: Schema.Int }),
      p50: seconds,
      p95: seconds,
      unfinished: Schema.Int,
      inFlight: Schema.Int,
      circuit: Schema.NullOr(Schema.Literals(["closed", "open", "half_open"])),
      rate: Schema.NullOr(Schema.Finite),
      concurrency: Schema.Int,
      retryBudget: Schema.NullOr(Schema.Finite).annotate({
        description: "How many more retries there may be now; null: there is no budget"
      }),
      batchSize: Schema.NullOr(Schema.Finite).annotate({
        description: "Workers in one call that registers, on average; null: there was none"
      })
    }).annotate({ identifier: "HistoryPoint" })
  ).annotate({ description: "Of the last hour, oldest first: what happened in a step that ended at `at`" })
}).annotate({ identifier: "History" })

/** Waiting for less is everyday life. */
const longWait = 30_000

/** The sentence, and whether somebody should look. */
export const summarize = (
  overview: Omit<OverviewView, "summary" | "state">
): Pick<OverviewView, "summary" | "state"> => {
  const { cluster, deadLetters, oldestUnfinished, scheduler, store, unfinished, workers } = overview
  const registered = workers.kinds
    .filter(({ phase }) => phase === "registered" || phase === "ready")
    .reduce((sum, { count }) => sum + count, 0)
  const isAway = scheduler.circuit !== "closed" && scheduler.circuit !== null
  const { message, status } = scheduler.health ?? { status: undefined, message: undefined }
  const schedulerWords = isAway
    ? "scheduler unavailable: the circuit is " + (scheduler.circuit === "open" ? "open" : "half open")
    : status === undefined
      ? "scheduler cannot be asked how it is"
      : `scheduler ${status}${status === "healthy" || message === undefined ? "" : `: ${message}`}`
  const waited = oldestUnfinished === null ? 0 : Date.parse(overview.at) - Date.parse(oldestUnfinished.since)
  const waiting =
    unfinished === 0
      ? []
      : [
          `${plural(unfinished, "change")} under way` +
            (waited < longWait ? "" : `, the oldest for ${span(waited)}`)
        ]
  const { lost = 0, unattended = 0 } = cluster ?? {}
  const isTrouble =
    store.trouble !== null ||
    lost > 0 ||
    isAway ||
    status === "unavailable" ||
    deadLetters > 0 ||
    waited >= 10 * longWait
  return {
    state: isTrouble
      ? "trouble"
      : unfinished > 0 || unattended > 0 || status === "degraded"
        ? "busy"
        : "well",
    summary: [
      ...(store.trouble === null ? [] : [`no changes are accepted: ${store.trouble}`]),
      ...(unattended === 0 ? [] : [`${plural(unattended, "partition")} without a server`]),
      ...(lost === 0 ? [] : [`${plural(lost, "server")} lost`]),
      `${plural(registered, "worker")} registered`,
      ...waiting,
      schedulerWords,
      ...(deadLetters === 0 ? [] : [plural(deadLetters, "dead letter")])
    ].join("; ")
  }
}
