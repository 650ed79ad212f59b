/**
 * A gRPC server that does just what a test says, method by method; the others are unimplemented.
 */
import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js"
import { Effect, type Scope } from "effect"
import { SchedulerServiceService } from "../src/schedulers/generated/muster/scheduler/v1/scheduler.ts"

export interface RawSchedulerOptions {
  /** 0 (default): any that is free. */
  readonly port?: number
  readonly credentials?: ServerCredentials
}

export interface RawScheduler {
  readonly port: number
  /** Drops every connection at once, as a crash does. */
  readonly crash: Effect.Effect<void>
}

export const rawScheduler = (
  methods: UntypedServiceImplementation,
  { credentials = ServerCredentials.createInsecure(), port = 0 }: RawSchedulerOptions = {}
): Effect.Effect<RawScheduler, Error, Scope.Scope> => {
  const server = new Server()
  server.addService(SchedulerServiceService, methods)
  const crash = Effect.sync(() => server.forceShutdown())
  const bound = Effect.callback<number, Error>((resume) =>
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, port) =>
      resume(error === null ? Effect.succeed(port) : Effect.fail(error))
    )
  )
  return Effect.map(
    Effect.acquireRelease(bound, () => crash),
    (port) => ({ port, crash })
  )
}
