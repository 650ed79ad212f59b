/**
 * A scheduler that serves `muster.scheduler.v1`, Muster's own protocol, over gRPC. The protocol is described in
 * `proto/muster/scheduler/v1/scheduler.proto` of this package; docs/schedulers/grpc.md tells how to use it.
 */
import {
  type BatchMember,
  type CallOptions,
  type HeldWorker,
  RegistrationConfig,
  type SchedulerCapability,
  type SchedulerError,
  SchedulerFault,
  SchedulerPort,
  type Worker,
  type WorkerId
} from "@muster/core"
import { Clock, Duration, Effect, Equal, Layer, Option, Result, Stream } from "effect"
import type { Status } from "./generated/google/rpc/status.ts"
import { SchedulerServiceService as Methods } from "./generated/muster/scheduler/v1/scheduler.ts"
import type { Pem, TlsOptions } from "./grpc/ChannelTls.ts"
import { type ChannelSettings, GrpcChannel } from "./grpc/GrpcChannel.ts"
import { healthOf } from "./grpc/GrpcHealth.ts"
import { GrpcStatus, toSchedulerError } from "./grpc/GrpcStatus.ts"
import { fromHeldMessage, toMessage } from "./grpc/WorkerMessage.ts"
import { InvalidSchedulerOptions } from "./InvalidSchedulerOptions.ts"

export { InvalidSchedulerOptions, type Pem, type TlsOptions }

export interface GrpcOptions {
  /**
   * Where the scheduler is: `HOST:PORT`, `[IPv6]:PORT`. Several are one scheduler in several places: one is spoken to
   * until it cannot be reached, then the next.
   */
  readonly addresses: ReadonlyArray<string>
  /** Encrypts; default: not at all. */
  readonly tls?: TlsOptions | undefined
}

/**
 * The scheduler as a {@link SchedulerPort}. Nothing is connected until the first call, so building the layer fails
 * only with options that make no sense. A call's deadline is the `attemptTimeout` of {@link RegistrationConfig}.
 *
 * @example
 * ```ts
 * import { WorkerRegistration } from "@muster/core"
 * import * as Grpc from "@muster/server/schedulers/Grpc"
 * import { Layer } from "effect"
 *
 * const registration = WorkerRegistration.layer.pipe(
 *   Layer.provide(Grpc.layer({ addresses: ["scheduler-1:7071", "scheduler-2:7071"] }))
 * )
 * ```
 */
export const layer = ({ addresses, tls }: GrpcOptions): Layer.Layer<SchedulerPort, InvalidSchedulerOptions> =>
  Layer.effect(
    SchedulerPort,
    Effect.gen(function* () {
      const { attemptTimeout } = yield* RegistrationConfig
      return yield* makePort({ addresses, tls, timeout: attemptTimeout })
    })
  )

/** How long a method that the scheduler does not implement is left alone: it may be replaced by one that does. */
const unimplementedFor = Duration.toMillis("5 minutes")

/** How many members of a batch are registered at a time where they cannot be registered together. */
const oneByOne = 16

/** What the scheduler has said that it cannot do, and when. */
class Missing {
  private readonly since = new Map<SchedulerCapability, number>()

  add(part: SchedulerCapability, now: number): void {
    this.since.set(part, now)
  }

  has(part: SchedulerCapability, now: number): boolean {
    return now - (this.since.get(part) ?? -Infinity) < unimplementedFor
  }
}

const makePort = Effect.fnUntraced(function* (settings: ChannelSettings) {
  const channel = yield* GrpcChannel.make(settings)
  const clock = yield* Clock.Clock
  const missing = new Missing()

  const fail = (status: GrpcStatus): Effect.Effect<never, SchedulerError> =>
    Effect.fail(toSchedulerError(status, settings.timeout))

  /** A method that is done without where the scheduler does not have it. */
  const optional = (part: SchedulerCapability) => (status: GrpcStatus) => {
    if (status.code === "UNIMPLEMENTED") missing.add(part, clock.currentTimeMillisUnsafe())
    return fail(status)
  }

  const register = (worker: Worker, { generation }: CallOptions): Effect.Effect<void, SchedulerError> =>
    channel.unary(Methods.register, { worker: toMessage(worker), generation }).pipe(
      Effect.catch((status) =>
        status.code === "ALREADY_EXISTS" ? unlessTheSame(worker, status) : fail(status)
      ),
      Effect.asVoid
    )

  /** A scheduler that does not replace what it holds may hold the very same. */
  const unlessTheSame = (worker: Worker, status: GrpcStatus) =>
    Effect.flatMap(Effect.option(get(worker.id)), (held) =>
      Option.exists(Option.flatten(held), (held) => isSame(held.worker, worker)) ? Effect.void : fail(status)
    )

  const get = (workerId: WorkerId): Effect.Effect<Option.Option<HeldWorker>, SchedulerError> =>
    channel.unary(Methods.get, { workerId }).pipe(
      Effect.flatMap(({ held }) =>
        Option.match(fromHeldMessage(held), {
          onNone: () => Effect.fail(new SchedulerFault({ message: notAWorker(workerId), retryable: false })),
          onSome: Effect.succeedSome
        })
      ),
      Effect.catchTag("GrpcStatus", (status) =>
        status.code === "NOT_FOUND" ? Effect.succeedNone : optional("get")(status)
      )
    )

  const registerOneByOne = (members: ReadonlyArray<BatchMember>) =>
    Effect.forEach(members, ({ generation, worker }) => Effect.result(register(worker, { generation })), {
      concurrency: oneByOne
    })

  const registerTogether = (members: ReadonlyArray<BatchMember>) =>
    channel
      .unary(Methods.registerBatch, {
        members: members.map(({ generation, worker }) => ({ worker: toMessage(worker), generation }))
      })
      .pipe(
        Effect.flatMap(({ results }) =>
          results.length === members.length
            ? Effect.succeed(results.map(toResult))
            : Effect.fail(
                new SchedulerFault({
                  message: notPositional(members.length, results.length),
                  retryable: false
                })
              )
        )
      )

  const toResult = ({ code, details, message }: Status): Result.Result<void, SchedulerError> => {
    if (code === 0) return Result.void
    return Result.fail(toSchedulerError(new GrpcStatus(code, message, details), settings.timeout))
  }

  const port = SchedulerPort.make({
    register,
    unregister: (workerId, { generation }) =>
      Effect.catch(Effect.asVoid(channel.unary(Methods.unregister, { workerId, generation })), (status) =>
        status.code === "NOT_FOUND" ? Effect.void : fail(status)
      ),
    registerBatch: (members) =>
      Effect.suspend(() => {
        if (members.length === 0) return Effect.succeed([])
        if (missing.has("registerBatch", clock.currentTimeMillisUnsafe())) return registerOneByOne(members)
        return Effect.catchTag(registerTogether(members), "GrpcStatus", (status) => {
          if (status.code !== "UNIMPLEMENTED") return fail(status)
          missing.add("registerBatch", clock.currentTimeMillisUnsafe())
          return registerOneByOne(members)
        })
      }),
    get,
    list: channel.serverStream(Methods.list, {}).pipe(
      Stream.catch((status) => Stream.fromEffect(optional("list")(status))),
      Stream.mapEffect(({ workers }) => readable(workers.map(fromHeldMessage))),
      Stream.flattenIterable
    ),
    health: healthOf(channel),
    reconnections: channel.reconnections
  })

  return {
    ...port,
    // What the scheduler turned out not to have is not counted among what it has.
    get capabilities() {
      const now = clock.currentTimeMillisUnsafe()
      return new Set(Array.from(port.capabilities).filter((part) => !missing.has(part, now)))
    }
  }
})

/** What is not a worker cannot be one that Muster registered; it is left out of a list, and said so. */
const readable = (
  held: ReadonlyArray<Option.Option<HeldWorker>>
): Effect.Effect<ReadonlyArray<HeldWorker>> => {
  const workers = held.flatMap(Option.toArray)
  const others = held.length - workers.length
  if (others === 0) return Effect.succeed(workers)
  return Effect.as(
    Effect.logWarning(`The scheduler lists ${others} entries that are not workers; left out`),
    workers
  )
}

const isSame = (held: Worker, worker: Worker): boolean =>
  Equal.equals(held.capabilities, worker.capabilities) && Equal.equals(held.metadata, worker.metadata)

const notAWorker = (workerId: WorkerId) => `what the scheduler holds as ${workerId} is not a worker`

const notPositional = (asked: number, answered: number) =>
  `the scheduler answered a batch of ${asked} members with ${answered} results`
