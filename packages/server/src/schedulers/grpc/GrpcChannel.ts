/**
 * A channel to a gRPC server: its calls as Effects. A call is cancelled when it is interrupted, has a deadline, and
 * carries the current span as W3C trace context. Lost connections are made again by themselves, with backoff; a
 * server of several that cannot be reached is left for the next.
 */
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  connectivityState,
  Metadata,
  type MethodDefinition,
  type ServiceError,
  status
} from "@grpc/grpc-js"
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Context, Duration, Effect, type Fiber, type Scope, Stream, Tracer } from "effect"
import { Status } from "../generated/google/rpc/status.ts"
import { InvalidSchedulerOptions } from "../InvalidSchedulerOptions.ts"
import { channelTls, type TlsOptions } from "./ChannelTls.ts"
import { GrpcLimits } from "./GrpcLimits.ts"
import { GrpcStatus } from "./GrpcStatus.ts"

export interface ChannelSettings {
  /** `HOST:PORT` of each server, at least one; all of them are the same scheduler. */
  readonly addresses: ReadonlyArray<string>
  /** Absent: no encryption. */
  readonly tls?: TlsOptions | undefined
  /** How long a unary call may take: what the server is told as its deadline. */
  readonly timeout: Duration.Duration
}

export type UnaryMethod<Request, Response> = MethodDefinition<Request, Response> & {
  readonly requestStream: false
  readonly responseStream: false
}

export type ServerStreamMethod<Request, Response> = MethodDefinition<Request, Response> & {
  readonly requestStream: false
  readonly responseStream: true
}

const limits = GrpcLimits.client

const channelOptions = (tls: TlsOptions | undefined): ChannelOptions => ({
  // A peer that vanished without a word (a power cut, a firewall that forgot) is noticed within 30 seconds. Servers
  // refuse pings more often than every 5 minutes while no call is under way, so none are sent then.
  "grpc.keepalive_time_ms": limits.silentSeconds * 1000,
  "grpc.keepalive_timeout_ms": limits.answerSeconds * 1000,
  "grpc.keepalive_permit_without_calls": 0,
  // Retries are Muster's own; a channel that waits minutes before it looks again would keep the scheduler away.
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 5000,
  "grpc.enable_retries": 0,
  "grpc.max_receive_message_length": limits.messageBytes,
  "grpc.max_send_message_length": -1,
  // Two adapters in one process are two clients.
  "grpc.use_local_subchannel_pool": 1,
  ...(tls?.serverName === undefined
    ? {}
    : { "grpc.ssl_target_name_override": tls.serverName, "grpc.default_authority": tls.serverName })
})

export class GrpcChannel {
  readonly timeout: Duration.Duration
  private readonly timeoutMillis: number
  private readonly addresses: ReadonlyArray<string>
  private readonly clients: ReadonlyArray<Client>
  /** The server that is spoken to, until it cannot be reached. */
  private current = 0

  /** The channel connects with its first call, and is closed with the scope. */
  static make(settings: ChannelSettings): Effect.Effect<GrpcChannel, InvalidSchedulerOptions, Scope.Scope> {
    if (settings.addresses.length === 0) {
      return Effect.fail(new InvalidSchedulerOptions({ message: "there must be at least one address" }))
    }
    const { addresses } = settings
    const open = Effect.flatMap(channelTls(settings.tls), (credentials) =>
      Effect.acquireRelease(
        Effect.try({
          try: () => new GrpcChannel(settings, credentials),
          catch: (error) =>
            new InvalidSchedulerOptions({ message: error instanceof Error ? error.message : String(error) })
        }),
        (channel) => Effect.sync(() => channel.close())
      )
    )
    return Effect.mapError(
      open,
      ({ message }) =>
        new InvalidSchedulerOptions({ message: `no channel to ${addresses.join(", ")}: ${message}` })
    )
  }

  private constructor({ addresses, timeout, tls }: ChannelSettings, credentials: ChannelCredentials) {
    this.timeout = timeout
    this.timeoutMillis = Duration.toMillis(timeout)
    const options = channelOptions(tls)
    this.addresses = addresses
    this.clients = addresses.map((address) => new Client(address, credentials, options))
  }

  private close(): void {
    for (const client of this.clients) client.close()
  }

  /** `metadata` is sent beside the request. */
  unary<Request, Response>(
    method: UnaryMethod<Request, Response>,
    request: Request,
    metadata: Readonly<Record<string, string>> = {}
  ): Effect.Effect<Response, GrpcStatus> {
    return this.failover(() =>
      Effect.withFiber((fiber) =>
        Effect.callback<Response, GrpcStatus>((resume) => {
          const { client, index } = this.server()
          const span = clientSpan(fiber)
          if (span !== undefined) describeCall(span, method.path, this.addresses[index] ?? "")
          const call = client.makeUnaryRequest(
            method.path,
            method.requestSerialize,
            method.responseDeserialize,
            request,
            withEntries(traceContext(fiber), metadata),
            { deadline: Date.now() + this.timeoutMillis },
            (error, response) => {
              if (error !== null) {
                const failure = this.failure(error, index)
                span?.attribute("rpc.response.status_code", failure.code)
                resume(Effect.fail(failure))
              } else if (response !== undefined) resume(Effect.succeed(response))
              else resume(Effect.fail(new GrpcStatus(status.INTERNAL, "the call ended without an answer")))
            }
          )
          return Effect.sync(() => call.cancel())
        })
      )
    )
  }

  /** Pulled at the reader's pace. It has no deadline: who reads it knows when it has stopped coming. */
  serverStream<Request, Response>(
    method: ServerStreamMethod<Request, Response>,
    request: Request
  ): Stream.Stream<Response, GrpcStatus> {
    const begun = Effect.withFiber((fiber) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const { client, index } = this.server()
          const call = client.makeServerStreamRequest(
            method.path,
            method.requestSerialize,
            method.responseDeserialize,
            request,
            traceContext(fiber)
          )
          // Being cancelled is an error of the stream, which nobody listens to then.
          call.on("error", () => {})
          return { call, index }
        }),
        ({ call }) => Effect.sync(() => call.cancel())
      )
    )
    return Stream.unwrap(
      Effect.map(begun, ({ call, index }) =>
        NodeStream.fromReadable<Response, GrpcStatus>({
          evaluate: () => call,
          closeOnDone: false,
          onError: (error) =>
            isServiceError(error)
              ? this.failure(error, index)
              : new GrpcStatus(status.UNKNOWN, error instanceof Error ? error.message : String(error))
        })
      )
    )
  }

  /** Tells each time that the connection was lost and is there again. Once there was one, it is kept up. */
  readonly reconnections: Stream.Stream<void> = Stream.suspend(() => {
    let wasConnected = false
    let isLost = false
    const next: Effect.Effect<void> = Effect.suspend(() => {
      const channel = this.server().client.getChannel()
      const state = channel.getConnectivityState(wasConnected)
      if (state === connectivityState.SHUTDOWN) return Effect.never
      const isBack = isLost && state === connectivityState.READY
      isLost = wasConnected && state !== connectivityState.READY
      wasConnected ||= state === connectivityState.READY
      if (isBack) return Effect.void
      const changed = Effect.callback<void>((resume) =>
        channel.watchConnectivityState(state, Infinity, () => resume(Effect.void))
      )
      return Effect.andThen(changed, next)
    })
    return Stream.fromEffectRepeat(next)
  })

  private server(): { readonly client: Client; readonly index: number } {
    const index = this.current
    const client = this.clients[index]
    if (client === undefined) throw new Error("a channel without an address")
    return { client, index }
  }

  /** What a call to this server ended with. One that cannot be reached is left for the next. */
  private failure(error: ServiceError, index: number): GrpcStatus {
    if (error.code === status.UNAVAILABLE && index === this.current) {
      this.current = (index + 1) % this.clients.length
    }
    return new GrpcStatus(error.code, error.details, detailsOf(error))
  }

  /** Every call may be made twice, so one that found its server away is made to the others at once. */
  private failover<A>(call: () => Effect.Effect<A, GrpcStatus>): Effect.Effect<A, GrpcStatus> {
    const others = this.clients.length - 1
    if (others === 0) return call()
    return Effect.retry(Effect.suspend(call), {
      times: others,
      while: ({ code }) => code === "UNAVAILABLE"
    })
  }
}

/** W3C Trace Context (https://www.w3.org/TR/trace-context/), as OpenTelemetry sends it in gRPC metadata. */
const traceContext = (fiber: Fiber.Fiber<unknown, unknown>): Metadata => {
  const metadata = new Metadata()
  const span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  if (span !== undefined) {
    const flags = span.sampled ? "01" : "00"
    metadata.set("traceparent", `00-${span.traceId.padStart(32, "0")}-${span.spanId}-${flags}`)
  }
  return metadata
}

/** The span that stands for this very call, where there is one that somebody will see. */
const clientSpan = (fiber: Fiber.Fiber<unknown, unknown>): Tracer.Span | undefined => {
  const span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  return span?._tag === "Span" && span.kind === "client" && span.sampled ? span : undefined
}

/** After OpenTelemetry's semantic conventions for RPC. */
const describeCall = (span: Tracer.Span, path: string, address: string): void => {
  const [, host = address, port] = /^(.*):(\d+)$/.exec(address) ?? []
  span.attribute("rpc.system.name", "grpc")
  span.attribute("rpc.method", path.slice(1))
  span.attribute("server.address", host)
  if (port !== undefined) span.attribute("server.port", Number(port))
}

const withEntries = (metadata: Metadata, entries: Readonly<Record<string, string>>): Metadata => {
  for (const [name, value] of Object.entries(entries)) metadata.set(name, value)
  return metadata
}

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && "code" in error && typeof error.code === "number" && "metadata" in error

const detailsOf = ({ metadata }: ServiceError): Status["details"] => {
  const [bytes] = metadata?.get("grpc-status-details-bin") ?? []
  if (bytes === undefined || typeof bytes === "string") return []
  try {
    return Status.decode(bytes).details
  } catch {
    return []
  }
}
