/**
 * A server's health by `grpc.health.v1`, the protocol that load balancers and orchestrators ask as well.
 */
import type { SchedulerError, SchedulerHealth } from "@muster/core"
import { Effect } from "effect"
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthService
} from "../generated/grpc/health/v1/health.ts"
import type { GrpcChannel } from "./GrpcChannel.ts"
import { toSchedulerError } from "./GrpcStatus.ts"

/** The server as a whole. One without the protocol has answered all the same. */
export const healthOf = (channel: GrpcChannel): Effect.Effect<SchedulerHealth, SchedulerError> =>
  channel.unary(HealthService.check, { service: "" }).pipe(
    Effect.map(({ status }): SchedulerHealth =>
      status === ServingStatus.SERVING
        ? { status: "healthy" }
        : { status: "unavailable", message: "the scheduler says that it is not serving" }
    ),
    Effect.catch((status) =>
      status.code === "UNIMPLEMENTED" || status.code === "NOT_FOUND"
        ? Effect.succeed({
            status: "healthy" as const,
            message: "the scheduler answers, but has no health check"
          })
        : Effect.fail(toSchedulerError(status, channel.timeout))
    )
  )
