/**
 * The other side of `muster.scheduler.v1`: any scheduler that lives in this process, served over gRPC with health
 * checks. A call whose client has gone is interrupted, as is one whose deadline has passed.
 */
import {
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerOptions,
  type ServerWritableStream,
  status as Code,
  type StatusObject
} from "@grpc/grpc-js"
import {
  type BatchMember,
  type SchedulerError,
  SchedulerFault,
  type SchedulerPort,
  SchedulerRejected,
  WorkerId
} from "@muster/core"
import { Cause, Duration, Effect, Exit, type Fiber, Option, Result, Schema, type Scope, Stream } from "effect"
import { CannotListen } from "../../http/CannotListen.ts"
import { GrpcLimits } from "./GrpcLimits.ts"
import type { Any } from "../generated/google/protobuf/any.ts"
import { ErrorInfo, RetryInfo } from "../generated/google/rpc/error_details.ts"
import { Status } from "../generated/google/rpc/status.ts"
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthService
} from "../generated/grpc/health/v1/health.ts"
import {
  type ListRequest,
  type ListResponse,
  type RegisterRequest,
  SchedulerServiceService
} from "../generated/muster/scheduler/v1/scheduler.ts"
import { fromMessage, toHeldMessage } from "./WorkerMessage.ts"

export interface GrpcServerOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** Default: no encryption. */
  readonly credentials?: ServerCredentials | undefined
}

/** How long calls in flight may take to end once the server stops. */
const stopTimeout = "2 seconds"

const limits = GrpcLimits.server

const serverOptions: ServerOptions = {
  "grpc.max_receive_message_length": limits.messageBytes,
  "grpc.max_concurrent_streams": limits.streams,
  "grpc.max_connection_idle_ms": limits.idleSeconds * 1000,
  "grpc.keepalive_time_ms": limits.silentSeconds * 1000,
  "grpc.keepalive_timeout_ms": limits.answerSeconds * 1000
}

/** Serves until the scope ends; gives the port that it listens on. */
export const serveGrpc = Effect.fnUntraced(function* (
  scheduler: Required<SchedulerPort["Service"]>,
  { credentials = ServerCredentials.createInsecure(), host, port }: GrpcServerOptions
): Effect.fn.Return<number, CannotListen, Scope.Scope> {
  const server = new Server(serverOptions)
  const { answer, answerStream } = yield* makeAnswering
  server.addService(SchedulerServiceService, {
    register: answer((request) => Effect.as(register(scheduler, request), {})),
    unregister: answer(({ generation, workerId }) =>
      Effect.as(
        Effect.flatMap(toWorkerId(workerId), (id) => scheduler.unregister(id, { generation })),
        {}
      )
    ),
    registerBatch: answer(({ members }) =>
      Effect.map(registerBatch(scheduler, members), (results) => ({ results }))
    ),
    get: answer(({ workerId }) =>
      Effect.flatMap(Effect.flatMap(toWorkerId(workerId), scheduler.get), (held) =>
        Option.match(held, {
          onNone: () =>
            Effect.fail<Failure>({
              code: Code.NOT_FOUND,
              message: `${workerId} is not registered`,
              details: []
            }),
          onSome: (held) => Effect.succeed({ held: toHeldMessage(held) })
        })
      )
    ),
    list: answerStream<ListRequest, ListResponse>(() =>
      Stream.map(Stream.grouped(scheduler.list, listChunk), (held) => ({ workers: held.map(toHeldMessage) }))
    )
  })
  server.addService(HealthService, {
    check: answer(({ service }) =>
      service === "" || service === "muster.scheduler.v1.SchedulerService"
        ? Effect.map(
            Effect.orElseSucceed(scheduler.health, () => ({ status: "unavailable" })),
            ({ status }) => ({
              status: status === "unavailable" ? ServingStatus.NOT_SERVING : ServingStatus.SERVING
            })
          )
        : Effect.fail<Failure>({ code: Code.NOT_FOUND, message: `no service ${service}`, details: [] })
    )
  })
  yield* Effect.addFinalizer(() => stop(server))
  return yield* Effect.callback<number, CannotListen>((resume) => {
    server.bindAsync(`${host.includes(":") ? `[${host}]` : host}:${port}`, credentials, (error, bound) =>
      resume(
        error === null
          ? Effect.succeed(bound)
          : Effect.fail(
              CannotListen.from(host, port, {
                code: /E[A-Z]{3,}/.exec(error.message)?.[0] ?? "",
                message: error.message
              })
            )
      )
    )
  })
})

const listChunk = 256

const stop = (server: Server) =>
  Effect.callback<void>((resume) => server.tryShutdown(() => resume(Effect.void))).pipe(
    Effect.timeoutOption(stopTimeout),
    Effect.andThen(Effect.sync(() => server.forceShutdown()))
  )

const register = (scheduler: Pick<SchedulerPort["Service"], "register">, request: RegisterRequest) =>
  Effect.flatMap(Effect.fromResult(toMember(request)), ({ generation, worker }) =>
    scheduler.register(worker, { generation })
  )

/** What is no worker fails in its place; the others are one batch. */
const registerBatch = Effect.fnUntraced(function* (
  scheduler: Pick<Required<SchedulerPort["Service"]>, "registerBatch">,
  requests: ReadonlyArray<RegisterRequest>
) {
  const decoded = requests.map(toMember)
  const results = yield* scheduler.registerBatch(
    decoded.filter(Result.isSuccess).map(({ success }) => success)
  )
  const answers = results.values()
  return decoded.map((member): Status => {
    if (Result.isFailure(member)) return toStatus(member.failure)
    const result = answers.next().value
    return result === undefined || Result.isSuccess(result) ? ok : toStatus(result.failure)
  })
})

const ok: Status = { code: Code.OK, message: "", details: [] }

const toMember = ({
  generation,
  worker: message
}: RegisterRequest): Result.Result<BatchMember, SchedulerRejected> => {
  const worker = fromMessage(message)
  if (Option.isNone(worker)) {
    return Result.fail(new SchedulerRejected({ message: "not a worker within its bounds" }))
  }
  return generation < 1
    ? Result.fail(new SchedulerRejected({ message: "generation must be 1 or more" }))
    : Result.succeed({ generation, worker: worker.value })
}

const toWorkerId = (id: string) =>
  Effect.mapError(
    Schema.decodeUnknownEffect(WorkerId)(id),
    () => new SchedulerRejected({ message: "worker_id is not the id of a worker" })
  )

/** A status that is not OK. */
type Failure = Status

/** From a scheduler's failures to the protocol's. */
const toStatus = (error: SchedulerError): Failure => {
  switch (error._tag) {
    case "SchedulerUnavailable":
      return error.retryAfter === undefined
        ? { code: Code.UNAVAILABLE, message: error.message, details: [] }
        : { code: Code.RESOURCE_EXHAUSTED, message: error.message, details: [retryInfo(error.retryAfter)] }
    case "SchedulerRejected":
      return error.isOlderGeneration
        ? { code: Code.FAILED_PRECONDITION, message: error.message, details: [olderGeneration] }
        : { code: Code.INVALID_ARGUMENT, message: error.message, details: [] }
    case "SchedulerFault":
      return { code: error.retryable ? Code.INTERNAL : Code.DATA_LOSS, message: error.message, details: [] }
  }
}

const retryInfo = (delay: Duration.Duration): Any => {
  const millis = Math.ceil(Duration.toMillis(delay))
  return {
    typeUrl: "type.googleapis.com/google.rpc.RetryInfo",
    value: RetryInfo.encode({
      retryDelay: { seconds: Math.floor(millis / 1000), nanos: (millis % 1000) * 1_000_000 }
    }).finish()
  }
}

const olderGeneration: Any = {
  typeUrl: "type.googleapis.com/google.rpc.ErrorInfo",
  value: ErrorInfo.encode({
    reason: "OLDER_GENERATION",
    domain: "scheduler.muster.dev",
    metadata: {}
  }).finish()
}

type Answering = ReturnType<typeof answering>

const makeAnswering: Effect.Effect<Answering> = Effect.map(Effect.context(), (context) =>
  answering(Effect.runForkWith(context))
)

const answering = (run: <A>(effect: Effect.Effect<A>) => Fiber.Fiber<A>) => ({
  /** A method with one answer. */
  answer:
    <Request, Response>(
      handle: (request: Request) => Effect.Effect<Response, SchedulerError | Failure>
    ): handleUnaryCall<Request, Response> =>
    (call, callback) => {
      const fiber = run(Effect.exit(Effect.suspend(() => handle(call.request))))
      call.on("cancelled", () => fiber.interruptUnsafe())
      fiber.addObserver((exit) => {
        if (Exit.isFailure(exit)) return
        if (Exit.isSuccess(exit.value)) callback(null, exit.value.value)
        else callback(toTrailer(exit.value.cause))
      })
    },
  /** A method with many, written as fast as the client reads. */
  answerStream:
    <Request, Response>(handle: (request: Request) => Stream.Stream<Response, SchedulerError | Failure>) =>
    (call: ServerWritableStream<Request, Response>): void => {
      const write = (response: Response) =>
        call.write(response)
          ? Effect.void
          : Effect.callback<void>((resume) => {
              call.once("drain", () => resume(Effect.void))
            })
      const fiber = run(Effect.exit(Stream.runForEach(handle(call.request), write)))
      call.on("cancelled", () => fiber.interruptUnsafe())
      fiber.addObserver((exit) => {
        if (Exit.isFailure(exit)) return
        if (Exit.isSuccess(exit.value)) call.end()
        else call.emit("error", toTrailer(exit.value.cause))
      })
    }
})

/** The end of a call that failed, with the details where gRPC has them. */
const toTrailer = (cause: Cause.Cause<SchedulerError | Failure>): Partial<StatusObject> => {
  const error =
    cause.reasons.find(Cause.isFailReason)?.error ??
    new SchedulerFault({ message: "a defect", retryable: false })
  const failure = "_tag" in error ? toStatus(error) : error
  const metadata = new Metadata()
  if (failure.details.length > 0) {
    metadata.set("grpc-status-details-bin", Buffer.from(Status.encode(failure).finish()))
  }
  return { code: failure.code, details: failure.message, metadata }
}
