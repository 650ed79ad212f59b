/**
 * What the service and the scheduler of the torture test say to each other, and what the test says to the scheduler.
 */
import { SchedulerError, SchedulerHealth, Worker, WorkerId } from "@muster/core"
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"

export const Held = Schema.Struct({ worker: Worker, generation: Schema.optional(Schema.Int) })
export type Held = typeof Held.Type

/**
 * Who has made a call, by its own account: the process, which of its calls it is, and when it was sent, in milliseconds
 * since 1970.
 */
export const Sender = Schema.Struct({ pid: Schema.Int, call: Schema.Int, sentAt: Schema.Finite })
export type Sender = typeof Sender.Type

const Member = { worker: Worker, generation: Schema.Int }
const from = Sender

/** The scheduler as the service sees it: all that can go wrong does. */
export class SchedulerCalls extends RpcGroup.make(
  Rpc.make("register", { payload: { from, ...Member }, error: SchedulerError }),
  Rpc.make("registerBatch", {
    payload: { from, members: Schema.Array(Schema.Struct(Member)) },
    success: Schema.Array(Schema.Result(Schema.Void, SchedulerError)),
    error: SchedulerError
  }),
  Rpc.make("unregister", {
    payload: { from, workerId: WorkerId, generation: Schema.Int },
    error: SchedulerError
  }),
  Rpc.make("get", {
    payload: { workerId: WorkerId },
    success: Schema.Option(Held),
    error: SchedulerError
  }),
  Rpc.make("list", { success: Held, error: SchedulerError, stream: true }),
  Rpc.make("health", { success: SchedulerHealth, error: SchedulerError })
) {}

/** What a scheduler remembers when it has been started anew. */
export const Memory = Schema.Literals(["nothing", "backup"])
export type Memory = typeof Memory.Type

/** The scheduler as the test sees it: always truthful. */
export class SchedulerControls extends RpcGroup.make(
  /** From now on nothing goes wrong any more. */
  Rpc.make("calm"),
  Rpc.make("restart", { payload: { memory: Memory } }),
  Rpc.make("held", { success: Held, stream: true }),
  /** Calls that were given up by the service and are still to be carried out. */
  Rpc.make("lateCalls", { success: Schema.Int })
) {}
