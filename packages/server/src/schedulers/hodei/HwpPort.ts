/**
 * Hodei's older service, hwp.WorkerService, as a scheduler. A worker is its id and strings. There is nothing in the
 * protocol with which a worker could be taken back, looked up or listed: the scheduler notices by the connection of
 * the worker itself that it is gone.
 */
import {
  type SchedulerError,
  SchedulerFault,
  type SchedulerImplementation,
  SchedulerRejected,
  type WorkerId
} from "@muster/core"
import { Effect } from "effect"
import { WorkerServiceService as Methods } from "../generated/hwp/hwp.ts"
import type { GrpcChannel } from "../grpc/GrpcChannel.ts"
import { toSchedulerError } from "../grpc/GrpcStatus.ts"
import { toStrings } from "./CapabilityStrings.ts"

/**
 * What becomes of an unregistration, which the protocol does not have. `"reject"`: it is rejected as `not_available`.
 * `"leave"`: it succeeds, and it is left to the scheduler to notice that the worker is gone.
 */
export type HwpUnregister = "reject" | "leave"

export const makeHwpPort = (
  channel: GrpcChannel,
  whenUnregistered: HwpUnregister
): Pick<SchedulerImplementation, "register" | "unregister"> => ({
  register: (worker) =>
    channel.unary(Methods.registerWorker, { workerId: worker.id, capabilities: toStrings(worker) }).pipe(
      Effect.mapError((status) => toSchedulerError(status, channel.timeout)),
      Effect.filterOrFail(
        ({ workerId }) => workerId === "" || workerId === worker.id,
        ({ workerId }): SchedulerError =>
          new SchedulerFault({
            message: `Hodei answers the registration of ${worker.id} with the state of ${JSON.stringify(workerId.slice(0, 100))}`,
            retryable: false
          })
      ),
      Effect.asVoid
    ),
  unregister: (workerId) =>
    whenUnregistered === "leave"
      ? Effect.logDebug(`${workerId} is left to Hodei, which forgets workers whose connection ends`)
      : Effect.fail(new SchedulerRejected({ code: "not_available", message: cannotUnregister(workerId) }))
})

const cannotUnregister = (workerId: WorkerId) =>
  `${workerId} cannot be unregistered: hwp.WorkerService has no call for it. Stop the worker itself, then drop this ` +
  `entry; or let unregistrations succeed by MUSTER_HODEI_HWP_UNREGISTER=leave`
