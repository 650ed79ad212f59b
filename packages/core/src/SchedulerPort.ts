/**
 * The port through which Muster speaks to a scheduler, whichever it is. Two calls are required; what else a
 * scheduler can do is optional and can be asked for.
 */
import { Context, type Effect, type Option, type Result, Schema, type Stream } from "effect"
import type { SchedulerError } from "./SchedulerError.ts"
import type { Worker, WorkerId } from "./Worker.ts"

/**
 * What accompanies a call: the generation of the worker's state that the call carries, a safe integer that grows
 * with every change of that worker. A scheduler that can compare it refuses an older one with
 * `SchedulerRejected.olderGeneration`.
 */
export interface CallOptions {
  readonly generation: number
}

/** A worker as a scheduler holds it. `generation` is absent where the scheduler cannot store it. */
export interface HeldWorker {
  readonly worker: Worker
  readonly generation?: number | undefined
}

/** A worker of which nothing is known but its id. */
export interface WorkerReference {
  readonly id: WorkerId
}

/** An entry of a scheduler's list: the worker, or only its id where the scheduler gives no more. */
export interface ListedWorker {
  readonly worker: Worker | WorkerReference
  readonly generation?: number | undefined
}

/** Whether an entry of a list is the worker and not only its id. */
export const isWhole = (listed: ListedWorker): listed is HeldWorker => "capabilities" in listed.worker

/** One member of a {@link SchedulerPort.registerBatch} call. */
export interface BatchMember extends CallOptions {
  readonly worker: Worker
}

/** What a scheduler says of itself. */
export const SchedulerHealth = Schema.Struct({
  status: Schema.Literals(["healthy", "degraded", "unavailable"]),
  message: Schema.optional(Schema.String)
})
export type SchedulerHealth = typeof SchedulerHealth.Type

/** The optional parts of a port. */
export type SchedulerCapability = "registerBatch" | "list" | "get" | "health"

/**
 * What an adapter implements. `register` and `unregister` must be idempotent: registering a registered worker
 * replaces it, unregistering an absent worker succeeds. Both must be interruptible; an attempt that takes too
 * long is interrupted.
 */
export interface SchedulerImplementation {
  readonly register: (worker: Worker, options: CallOptions) => Effect.Effect<void, SchedulerError>
  readonly unregister: (workerId: WorkerId, options: CallOptions) => Effect.Effect<void, SchedulerError>
  /**
   * Registers many in one call; one result per member, by position. Of two members for the same worker the later one
   * is what remains. Fails when the call as a whole failed.
   */
  readonly registerBatch?: (
    members: ReadonlyArray<BatchMember>
  ) => Effect.Effect<ReadonlyArray<Result.Result<void, SchedulerError>>, SchedulerError>
  /** Everything that the scheduler holds now, in no particular order. */
  readonly list?: Stream.Stream<ListedWorker, SchedulerError>
  /** One worker as the scheduler holds it now. */
  readonly get?: (workerId: WorkerId) => Effect.Effect<Option.Option<HeldWorker>, SchedulerError>
  readonly health?: Effect.Effect<SchedulerHealth, SchedulerError>
  /**
   * Tells each time that the connection to the scheduler was lost and is there again: it may have come back without its
   * memory. Never ends. What is done then (comparing, starting slowly) is done at intervals and after failures anyway;
   * with this it is done at once.
   */
  readonly reconnections?: Stream.Stream<void>
}

/**
 * The scheduler, as a service. Adapters are layers of it.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { SchedulerPort, SchedulerUnavailable } from "@muster/core"
 *
 * const scheduler = Layer.succeed(SchedulerPort, SchedulerPort.make({
 *   register: (worker, { generation }) => Effect.logInfo(`${worker.id} at ${generation}`),
 *   unregister: () => Effect.fail(new SchedulerUnavailable({ message: "connection refused" }))
 * }))
 * ```
 */
export class SchedulerPort extends Context.Service<
  SchedulerPort,
  SchedulerImplementation & {
    /**
     * Which of the optional parts this scheduler has, as far as is known now: one across a network may turn out not to
     * have a part that its adapter has.
     */
    readonly capabilities: ReadonlySet<SchedulerCapability>
  }
>()("@muster/core/SchedulerPort") {
  /** A port from its two required calls and whatever optional ones there are. */
  static make(implementation: SchedulerImplementation): SchedulerPort["Service"] {
    return {
      ...implementation,
      capabilities: new Set(optional.filter((capability) => implementation[capability] !== undefined))
    }
  }
}

const optional: ReadonlyArray<SchedulerCapability> = ["registerBatch", "list", "get", "health"]
