/**
 * The HTTP service: the API's handlers, its errors and its documentation over a Node server.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Context, type Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { createServer, type Server } from "node:http"
import { ListeningUrl } from "../cluster/ListeningUrl.ts"
import { FailureLimiter } from "../access/FailureLimiter.ts"
import { guardedFleet } from "../access/GuardedFleet.ts"
import { History } from "../History.ts"
import { Limits, type LimitSettings } from "../LimitSettings.ts"
import { Telemetry } from "../Telemetry.ts"
import { AccessHandlers } from "./AccessHandlers.ts"
import { Api } from "./Api.ts"
import { AuthenticationLive } from "./Authenticate.ts"
import { CallerTrace } from "./CallerTrace.ts"
import { CannotListen } from "./CannotListen.ts"
import { TrustedProxies } from "./ClientAddress.ts"
import { answerClientErrors, onRequest } from "./ClientErrors.ts"
import { limitConnections } from "./ConnectionLimits.ts"
import { ClusterHandlers } from "./ClusterHandlers.ts"
import { Console } from "./Console.ts"
import { DeadLettersHandlers } from "./DeadLettersHandlers.ts"
import { Documentation } from "./Documentation.ts"
import { ErrorResponses } from "./ErrorResponses.ts"
import { EventsHandlers } from "./EventsHandlers.ts"
import { HttpLimits } from "./HttpLimits.ts"
import type { InvalidTlsFiles, TlsFiles } from "../tls/TlsFiles.ts"
import { isLoopback } from "./NetworkAddress.ts"
import { OverviewHandlers } from "./OverviewHandlers.ts"
import { RateLimiterLive, RateLimits } from "./RateLimits.ts"
import { RegisterWorkerShortCut } from "./RegisterWorker.ts"
import { SchedulerHandlers } from "./SchedulerHandlers.ts"
import { SystemHandlers } from "./SystemHandlers.ts"
import { WorkersHandlers } from "./WorkersHandlers.ts"

/** Every route, over the services of the context. */
export const Routes = HttpApiBuilder.layer(Api).pipe(
  Layer.provide([
    WorkersHandlers,
    DeadLettersHandlers,
    EventsHandlers,
    OverviewHandlers,
    SchedulerHandlers,
    ClusterHandlers,
    SystemHandlers,
    AccessHandlers
  ]),
  Layer.merge(Documentation),
  Layer.merge(Console),
  Layer.merge(RegisterWorkerShortCut),
  // The first is the outermost.
  Layer.provide([RateLimits.pipe(Layer.provide(RateLimiterLive)), AuthenticationLive]),
  Layer.provide([ErrorResponses, CallerTrace]),
  Layer.provide([Telemetry.layer, History.layer, FailureLimiter.layer]),
  Layer.provide(guardedFleet)
)

export interface ListenOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** How long requests in flight may take to end, once the server is told to stop. */
  readonly shutdownTimeout: Duration.Duration
  readonly limits: LimitSettings
  /** Of HTTPS; absent: HTTP. */
  readonly tls?: TlsFiles | undefined
  /** Default: that of {@link HttpLimits}. */
  readonly patience?: Patience
}

/** How long a client may take, in seconds. */
export interface Patience {
  /** Until the headers of a request are there. */
  readonly headerSeconds: number
  /** While nothing moves on its connection. */
  readonly idleSeconds: number
}

export interface HttpService {
  readonly url: string
  /** Stops accepting, waits for the requests in flight, at most `shutdownTimeout`, and closes all connections. */
  readonly stop: Effect.Effect<void>
}

/** Serves {@link Routes} until it is stopped. */
export const startHttpService = Effect.fnUntraced(function* ({
  host,
  limits,
  patience = HttpLimits,
  port,
  shutdownTimeout,
  tls
}: ListenOptions) {
  const scope = yield* Scope.make()
  const { closeHandshakes, server } = yield* Scope.provide(makeServer({ limits, patience, tls }), scope)
  const context = yield* HttpRouter.serve(Routes, {
    disableLogger: true,
    disableListenLog: true,
    routerConfig: {
      caseSensitive: true,
      // One address for one thing: `//v1/workers` would get past whoever admits callers by their path.
      ignoreDuplicateSlashes: false,
      ignoreTrailingSlash: false,
      // Whatever a request's first line has room for is an id, be it of no worker.
      maxParamLength: HttpLimits.headerBytes
    }
  }).pipe(
    Layer.provide([Layer.succeed(TrustedProxies, limits.trustedProxies), Layer.succeed(Limits, limits)]),
    Layer.provideMerge(
      NodeHttpServer.layer(() => server, { host, port, gracefulShutdownTimeout: shutdownTimeout })
    ),
    Layer.buildWithScope(scope),
    Effect.mapError(({ cause }) => CannotListen.from(host, port, cause))
  )
  // There is nothing to upgrade to; without a listener Node takes such a request for what it is besides.
  server.removeAllListeners("upgrade")
  const closeConnections = Effect.sync(() => {
    server.closeAllConnections()
    closeHandshakes()
  })
  const address = HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
  const url = tls === undefined ? address : address.replace(/^http:/, "https:")
  yield* (yield* ListeningUrl).tell(url)
  const service: HttpService = {
    url,
    stop: Effect.gen(function* () {
      closeHandshakes()
      const late = yield* Effect.forkChild(Effect.andThen(Effect.sleep(shutdownTimeout), closeConnections))
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.interrupt(late)
    })
  }
  return service
})

const optionsFor = ({ headerSeconds }: Patience) => ({
  // A stream of NDJSON may take as long as it wants to; other bodies have a limit of their own.
  requestTimeout: 0,
  maxHeaderSize: HttpLimits.headerBytes,
  headersTimeout: headerSeconds * 1000,
  connectionsCheckingInterval: (headerSeconds * 1000) / 6,
  // Longer than proxies usually keep theirs (60 seconds), or they would now and then use one that is just being closed.
  keepAliveTimeout: 75_000,
  // A request without one is answered with a problem document.
  requireHostHeader: false
})

const makeServer = Effect.fnUntraced(function* ({
  limits,
  patience,
  tls
}: Pick<ListenOptions, "limits" | "tls"> & { readonly patience: Patience }): Effect.fn.Return<
  { readonly server: Server; readonly closeHandshakes: () => void },
  InvalidTlsFiles,
  Scope.Scope
> {
  if (tls === undefined) {
    const server = createServer(optionsFor(patience))
    prepare(server, limits, patience)
    return { server, closeHandshakes: () => {} }
  }
  const { makeHttpsServer } = yield* Effect.promise(() => import("./HttpsServer.ts"))
  const https = yield* makeHttpsServer(tls, optionsFor(patience))
  prepare(https.server, limits, patience)
  return https
})

/** What the server has for every connection, encrypted or not. */
const prepare = (
  server: Server,
  { clientConnections, trustedProxies }: LimitSettings,
  { idleSeconds }: Patience
): void => {
  server.timeout = idleSeconds * 1000
  // Node would drop what is above its own limit, and say nothing.
  server.maxHeadersCount = 0
  limitConnections(server, {
    total: HttpLimits.connections,
    perClient: clientConnections,
    isExempt: (address) => isLoopback(address) || trustedProxies.has(address)
  })
  // Node closes the connections that are idle when it stops listening, but not those that become idle afterwards.
  onRequest(server, (_, response) => {
    response.on("close", () => {
      if (!server.listening) setImmediate(() => server.closeIdleConnections())
    })
  })
  answerClientErrors(server)
}
