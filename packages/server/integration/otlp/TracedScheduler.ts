/**
 * A scheduler over gRPC that keeps the trace context of each registration, and that can be started again in its place.
 */
import { type handleUnaryCall, Server, ServerCredentials, type ServiceError } from "@grpc/grpc-js"
import {
  type RegisterRequest,
  type RegisterResponse,
  SchedulerServiceService
} from "../../src/schedulers/generated/muster/scheduler/v1/scheduler.ts"

export class TracedScheduler {
  /** The `traceparent` of each registration, by the worker's id. */
  readonly traces = new Map<string, string | undefined>()
  private readonly server = new Server()
  port = 0
  /** What registrations fail with. */
  failure: Pick<ServiceError, "code" | "details"> | undefined

  /** At any free port, or where another one was. */
  static async start(port = 0): Promise<TracedScheduler> {
    const scheduler = new TracedScheduler()
    const register: handleUnaryCall<RegisterRequest, RegisterResponse> = (
      { metadata, request },
      callback
    ) => {
      const [trace] = metadata.get("traceparent")
      scheduler.traces.set(request.worker?.id ?? "", trace?.toString())
      if (scheduler.failure === undefined) callback(null, {})
      else callback(scheduler.failure)
    }
    scheduler.server.addService(SchedulerServiceService, { register })
    scheduler.port = await new Promise((resolve, reject) =>
      scheduler.server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error)
      )
    )
    return scheduler
  }

  get spec(): string {
    return `grpc://127.0.0.1:${this.port}`
  }

  [Symbol.dispose](): void {
    this.server.forceShutdown()
  }
}
