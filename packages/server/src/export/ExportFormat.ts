/**
 * The format of an export: NDJSON with one worker on each line, between a first line that says what this is, and a last
 * one that says how many there were, without which an export is not complete.
 *
 * What is told of a worker is what has to come back after its store was lost. What happened to it and which requests
 * came before is not.
 */
import { Worker, WorkerId } from "@muster/core"
import { Desired, FailureType, Phase, Priority, type WorkerRecord } from "@muster/core/fleet"
import { DateTime, Duration, Schema } from "effect"
import { version } from "../version.ts"

/** Grows when a line means something else than before; what is added to a line changes nothing. */
export const formatVersion = 1

const timestamp = Schema.String.annotate({ format: "date-time", examples: ["2026-01-31T12:00:00.000Z"] })

const forgottenGeneration = Schema.Int.annotate({
  description: "Workers were forgotten with generations up to this one: new ones begin above it"
})

const ExportHeader = Schema.Struct({
  muster: Schema.Literal("export"),
  version: Schema.Literal(formatVersion),
  exportedAt: timestamp,
  by: Schema.String.annotate({ description: "The version of Muster that wrote it" }),
  workers: Schema.Int.annotate({ description: "How many there were at the beginning" }),
  forgottenGeneration
}).annotate({ identifier: "ExportHeader" })

const ExportedWorker = Schema.Struct({
  id: WorkerId,
  desired: Desired,
  phase: Phase,
  generation: Schema.Int,
  priority: Priority,
  leaseTtl: Schema.NullOr(Schema.String.annotate({ examples: ["30 seconds"] })),
  saidReady: Schema.Boolean.annotate({ description: "It said that it is ready since it was provisioned" }),
  createdAt: timestamp,
  updatedAt: timestamp,
  lastError: Schema.NullOr(
    Schema.Struct({ type: FailureType, message: Schema.String, retryable: Schema.Boolean, at: timestamp })
  ).annotate({ description: "Of a dead letter: why it failed" }),
  lastEvent: Schema.NullOr(Schema.Struct({ source: Schema.String, occurredAt: timestamp })).annotate({
    description: "The last CloudEvent about it, which an older one of the same source cannot undo"
  }),
  worker: Schema.NullOr(Worker)
}).annotate({ identifier: "ExportedWorker" })

const ExportEnd = Schema.Struct({
  muster: Schema.Literal("end"),
  workers: Schema.Int.annotate({ description: "How many lines there are between the first and this one" }),
  forgottenGeneration
}).annotate({ identifier: "ExportEnd" })

export const ExportLine = Schema.Union([ExportHeader, ExportedWorker, ExportEnd])

const formatTime = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis))

const durationText = Schema.encodeSync(Schema.DurationFromString)

/** Each line without its end. */
export const headerLine = (now: number, workers: number, forgottenGeneration: number): string =>
  JSON.stringify({
    muster: "export",
    version: formatVersion,
    exportedAt: formatTime(now),
    by: version,
    workers,
    forgottenGeneration
  } satisfies typeof ExportHeader.Encoded)

/** The worker's own JSON goes over as it lies in the store, without being decoded. */
export const workerLine = (record: WorkerRecord): string => {
  const { desired, generation, id, lastError, lastEvent, leaseTtl, phase, priority, saidReady } = record
  const line = {
    id,
    desired,
    phase,
    generation,
    priority,
    leaseTtl: leaseTtl === undefined ? null : durationText(Duration.millis(leaseTtl)),
    saidReady,
    createdAt: formatTime(record.createdAt),
    updatedAt: formatTime(record.updatedAt),
    lastError:
      lastError === undefined || phase !== "failed" ? null : { ...lastError, at: formatTime(lastError.at) },
    lastEvent:
      lastEvent === undefined
        ? null
        : { source: lastEvent.source, occurredAt: formatTime(lastEvent.occurredAt) }
  } satisfies Omit<typeof ExportedWorker.Encoded, "worker">
  return `${JSON.stringify(line).slice(0, -1)},"worker":${record.stored?.json ?? "null"}}`
}

export const endLine = (workers: number, forgottenGeneration: number): string =>
  JSON.stringify({ muster: "end", workers, forgottenGeneration } satisfies typeof ExportEnd.Encoded)
