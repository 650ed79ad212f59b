/**
 * How etcd is: whether it can answer at all, which takes a majority of its members, and what it complains about.
 */
import type { SchedulerHealth } from "@muster/core"
import { Effect } from "effect"
import { KVService, MaintenanceService } from "../generated/etcd/etcd.ts"
import type { GrpcStatus } from "../grpc/GrpcStatus.ts"
import type { EtcdCall } from "./EtcdClient.ts"
import type { EtcdLayout } from "./EtcdLayout.ts"
import { rangeRequest } from "./WorkerTxn.ts"

export const healthOf = (call: EtcdCall, layout: EtcdLayout): Effect.Effect<SchedulerHealth, GrpcStatus> =>
  Effect.gen(function* (): Effect.fn.Return<SchedulerHealth, GrpcStatus> {
    const request = { key: layout.firstWorkerKey, rangeEnd: layout.workersEnd, keysOnly: true, limit: 1 }
    yield* call(KVService.range, rangeRequest(request))
    const { errors, version } = yield* call(MaintenanceService.status, {})
    return errors.length === 0
      ? { status: "healthy" }
      : {
          status: "degraded",
          message: `etcd ${version} says: ${errors.map((error) => error.trim()).join("; ")}`
        }
  })
