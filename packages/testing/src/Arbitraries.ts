/**
 * Every worker and every event that Muster accepts, for properties: derived from the schemas, with the strangest text
 * that they allow, and corrected where what a schema encodes to is narrower than its type.
 *
 * @example
 * ```ts
 * import { it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { SchedulerPort } from "@muster/core"
 * import { TestScheduler, workerArbitrary } from "@muster/testing"
 *
 * it.effect.prop("any worker can be registered", [workerArbitrary], ([worker]) =>
 *   Effect.gen(function* () {
 *     const port = yield* SchedulerPort
 *     yield* port.register(worker, { generation: 1 })
 *   }).pipe(Effect.provide(TestScheduler.layer))
 * )
 * ```
 */
import { DateTime, Record, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import {
  Worker,
  WorkerCapabilities,
  type WorkerEvent,
  WorkerId,
  WorkerMetadata,
  WorkerProvisioned,
  WorkerReady,
  WorkerTerminated
} from "@muster/core"

/** An instant that RFC 3339 can write: from the year 1 to 9999, to the millisecond. */
export const timestampArbitrary: Arbitrary.Arbitrary<DateTime.Utc> = Arbitrary.schema(
  Schema.Int.check(
    Schema.isBetween({
      minimum: Date.parse("0001-01-01T00:00:00.000Z"),
      maximum: Date.parse("9999-12-31T23:59:59.999Z")
    })
  )
).pipe(Arbitrary.map((millis) => DateTime.makeUnsafe(millis)))

export const workerIdArbitrary: Arbitrary.Arbitrary<WorkerId> = Arbitrary.schema(WorkerId)

// JSON writes -0 as 0.
const capabilitiesArbitrary = Arbitrary.schema(WorkerCapabilities).pipe(
  Arbitrary.map((capabilities) =>
    WorkerCapabilities.make({
      ...capabilities,
      customResources: Record.map(capabilities.customResources, (amount) => amount + 0)
    })
  )
)

const { provisionedAt: _, ...timeless } = WorkerMetadata.fields

// Tags are a set: their duplicates are not encoded.
const metadataArbitrary = Arbitrary.all([
  Arbitrary.schema(Schema.toType(Schema.Struct(timeless))),
  timestampArbitrary
]).pipe(
  Arbitrary.map(([metadata, provisionedAt]) =>
    WorkerMetadata.make({ ...metadata, tags: Array.from(new Set(metadata.tags)), provisionedAt })
  )
)

export const workerArbitrary: Arbitrary.Arbitrary<Worker> = Arbitrary.all({
  id: workerIdArbitrary,
  capabilities: capabilitiesArbitrary,
  metadata: metadataArbitrary
}).pipe(Arbitrary.map((fields) => Worker.make(fields)))

const reasonArbitrary = Arbitrary.schema(WorkerTerminated.fields.reason)

const eventArbitraries = {
  WorkerProvisioned: Arbitrary.all({ worker: workerArbitrary, occurredAt: timestampArbitrary }).pipe(
    Arbitrary.map((fields): WorkerEvent => WorkerProvisioned.make(fields))
  ),
  WorkerReady: Arbitrary.all({ workerId: workerIdArbitrary, occurredAt: timestampArbitrary }).pipe(
    Arbitrary.map((fields): WorkerEvent => WorkerReady.make(fields))
  ),
  WorkerTerminated: Arbitrary.all({
    workerId: workerIdArbitrary,
    reason: reasonArbitrary,
    occurredAt: timestampArbitrary
  }).pipe(
    Arbitrary.map(
      // JSON has no `undefined`: a reason that is not there is left out.
      ({ reason, ...fields }): WorkerEvent =>
        WorkerTerminated.make(reason === undefined ? fields : { ...fields, reason })
    )
  )
}

export const workerEventArbitrary: Arbitrary.Arbitrary<WorkerEvent> = Arbitrary.schema(
  Schema.Literals(["WorkerProvisioned", "WorkerReady", "WorkerTerminated"])
).pipe(Arbitrary.flatMap((tag) => eventArbitraries[tag]))
