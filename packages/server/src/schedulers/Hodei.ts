/**
 * Hodei, a CI platform, as the scheduler: its WorkerAgentService, or its older `hwp.WorkerService`, over gRPC.
 * docs/schedulers/hodei.md tells what of a worker it is given and how, and how its answers are read.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { RegistrationConfig, SchedulerPort } from "@muster/core"
import { Effect, Layer, Redacted } from "effect"
import type { Pem, TlsOptions } from "./grpc/ChannelTls.ts"
import { GrpcChannel } from "./grpc/GrpcChannel.ts"
import { healthOf } from "./grpc/GrpcHealth.ts"
import { type HwpUnregister, makeHwpPort } from "./hodei/HwpPort.ts"
import { readToken, type TokenSource } from "./hodei/TokenSource.ts"
import { makeWorkerAgentPort } from "./hodei/WorkerAgentPort.ts"
import { eitherWire } from "./hodei/Wire.ts"
import { hodeiWire } from "./hodei/HodeiWire.ts"
import { hodeiWorkerWire } from "./hodei/HodeiWorkerWire.ts"
import { InvalidSchedulerOptions } from "./InvalidSchedulerOptions.ts"

export { type HwpUnregister, InvalidSchedulerOptions, type Pem, type TlsOptions, type TokenSource }

export interface HodeiOptions {
  /**
   * Where the server is: `HOST:PORT`, `[IPv6]:PORT`. Several are one server in several places: one is spoken to until
   * it cannot be reached, then the next.
   */
  readonly addresses: ReadonlyArray<string>
  /** Encrypts; default: not at all. */
  readonly tls?: TlsOptions | undefined
  /** Where the one-time token of each registration comes from. Default: none is sent. */
  readonly token?: TokenSource | undefined
}

export interface HwpOptions extends Omit<HodeiOptions, "token"> {
  /**
   * What becomes of an unregistration, which this protocol does not have. `"reject"` (default): it is rejected, as
   * `not_available`. `"leave"`: it succeeds, and it is left to the server to notice that the worker is gone.
   */
  readonly unregister?: HwpUnregister | undefined
}

/**
 * A server of `hodei.worker.WorkerAgentService` as a {@link SchedulerPort}, or of `hodei.WorkerAgentService`, which is
 * found out by asking. It lists the ids of workers and nothing
 * else of them, and does not compare generations. Nothing is connected until the first call, so building the layer
 * fails only with options that make no sense. A call's deadline is the `attemptTimeout` of {@link RegistrationConfig};
 * reading the token counts for the attempt.
 *
 * @example
 * ```ts
 * import { WorkerRegistration } from "@muster/core"
 * import * as Hodei from "@muster/server/schedulers/Hodei"
 * import { Layer } from "effect"
 *
 * const registration = WorkerRegistration.layer.pipe(
 *   Layer.provide(
 *     Hodei.layer({
 *       addresses: ["hodei.example:50051"],
 *       token: { command: ["/usr/local/bin/hodei-token", "--worker", "{id}"] }
 *     })
 *   )
 * )
 * ```
 */
export const layer = ({
  addresses,
  tls,
  token: source
}: HodeiOptions): Layer.Layer<SchedulerPort, InvalidSchedulerOptions> =>
  Layer.effect(
    SchedulerPort,
    Effect.gen(function* () {
      if (source !== undefined) yield* checkSource(source)
      const { attemptTimeout: timeout } = yield* RegistrationConfig
      const channel = yield* GrpcChannel.make({ addresses, tls, timeout })
      const services = yield* Effect.context<NodeServices.NodeServices>()
      const { canList, ...calls } = makeWorkerAgentPort({
        wire: eitherWire(hodeiWorkerWire(channel), hodeiWire(channel)),
        token: (workerId) =>
          source === undefined ? noToken : Effect.provide(readToken(source, workerId), services),
        timeout
      })
      const port = SchedulerPort.make({ ...calls, health: healthOf(channel) })
      return {
        ...port,
        // What the server turned out not to have is not counted among what it has.
        get capabilities() {
          return new Set(Array.from(port.capabilities).filter((part) => part !== "list" || canList()))
        }
      }
    })
  ).pipe(Layer.provide(NodeServices.layer))

/**
 * A server of the older `hwp.WorkerService` as a {@link SchedulerPort}: it can register, and nothing else.
 *
 * @example
 * ```ts
 * import * as Hodei from "@muster/server/schedulers/Hodei"
 *
 * const scheduler = Hodei.layerHwp({ addresses: ["hodei.example:50051"], unregister: "leave" })
 * ```
 */
export const layerHwp = ({
  addresses,
  tls,
  unregister = "reject"
}: HwpOptions): Layer.Layer<SchedulerPort, InvalidSchedulerOptions> =>
  Layer.effect(
    SchedulerPort,
    Effect.gen(function* () {
      const { attemptTimeout: timeout } = yield* RegistrationConfig
      const channel = yield* GrpcChannel.make({ addresses, tls, timeout })
      return SchedulerPort.make({ ...makeHwpPort(channel, unregister), health: healthOf(channel) })
    })
  )

const noToken = Effect.succeed(Redacted.make(""))

const checkSource = (source: TokenSource): Effect.Effect<void, InvalidSchedulerOptions> => {
  const [name, value] = "file" in source ? ["file", source.file] : ["program", source.command[0]]
  return value === ""
    ? Effect.fail(
        new InvalidSchedulerOptions({ message: `the ${name} that the token comes from has no name` })
      )
    : Effect.void
}
