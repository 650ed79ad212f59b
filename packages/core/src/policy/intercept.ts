import type { Effect } from "effect"
import type { SchedulerError } from "../SchedulerError.ts"
import type { BatchMember, CallOptions, SchedulerImplementation, SchedulerPort } from "../SchedulerPort.ts"
import type { WorkerId } from "../WorkerId.ts"

export type BatchResults = Effect.Success<ReturnType<Required<SchedulerImplementation>["registerBatch"]>>

/** What a policy makes of the calls that change something. */
export interface Interceptor {
  readonly one: (
    call: Effect.Effect<void, SchedulerError>,
    workerId: WorkerId,
    options: CallOptions
  ) => Effect.Effect<void, SchedulerError>
  readonly many: (
    call: Effect.Effect<BatchResults, SchedulerError>,
    members: ReadonlyArray<BatchMember>
  ) => Effect.Effect<BatchResults, SchedulerError>
}

/** A port whose changes go through a policy. All else is the port's own, and it can do what that can, now and later. */
export const intercept = (
  port: SchedulerPort["Service"],
  { many, one }: Interceptor
): SchedulerPort["Service"] => {
  const { registerBatch } = port
  return {
    ...port,
    register: (worker, options) => one(port.register(worker, options), worker.id, options),
    unregister: (workerId, options) => one(port.unregister(workerId, options), workerId, options),
    ...(registerBatch === undefined
      ? {}
      : { registerBatch: (members) => many(registerBatch(members), members) }),
    get capabilities() {
      return port.capabilities
    }
  }
}
