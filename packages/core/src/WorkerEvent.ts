/**
 * What happens to workers: they are provisioned, they report ready, they are terminated. Platforms send these;
 * `WorkerRegistration.notify` turns each into the scheduler call that it asks for.
 */
import { Effect, DateTime, Schema } from "effect"
import { text } from "./Text.ts"
import { Timestamp, Worker, WorkerId } from "./Worker.ts"

const occurredAt = Timestamp.pipe(
  Schema.withConstructorDefault(DateTime.now),
  Schema.withDecodingDefault(Effect.map(DateTime.now, DateTime.formatIso))
)

/** The worker exists and should be known to the scheduler: register it. */
export class WorkerProvisioned extends Schema.TaggedClass<WorkerProvisioned>(
  "@muster/core/WorkerProvisioned"
)("WorkerProvisioned", { worker: Worker, occurredAt }) {}

/** The worker itself says that it can take jobs: verify that the scheduler has it. */
export class WorkerReady extends Schema.TaggedClass<WorkerReady>("@muster/core/WorkerReady")("WorkerReady", {
  workerId: WorkerId,
  occurredAt
}) {}

/** The worker is gone, or about to go: unregister it. `reason` is for people, at most 1,024 characters. */
export class WorkerTerminated extends Schema.TaggedClass<WorkerTerminated>("@muster/core/WorkerTerminated")(
  "WorkerTerminated",
  {
    workerId: WorkerId,
    reason: Schema.optional(text(0, 1024)),
    occurredAt
  }
) {}

/** Everything that can happen to a worker. In JSON `_tag` tells which. */
export const WorkerEvent = Schema.Union([WorkerProvisioned, WorkerReady, WorkerTerminated])
export type WorkerEvent = typeof WorkerEvent.Type
