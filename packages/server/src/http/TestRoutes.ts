/**
 * What the tests of the routes share: the routes without a server, over a scheduler and a store that do what the test
 * says.
 */
import { RegistrationConfig, SchedulerPort } from "@muster/core"
import {
  Fleet,
  type FleetOptions,
  FleetStore,
  MemoryFleetStore,
  type StoreUnavailable
} from "@muster/core/fleet"
import { TestScheduler, type TestSchedulerOptions } from "@muster/testing"
import { type Duration, Effect, Layer, Logger } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { accessLayer, openAccess } from "../access/AccessServices.ts"
import { AuditLog } from "../access/AuditLog.ts"
import { auditedMemory } from "../access/MemoryAuditLog.ts"
import { makeMemoryTokenStore } from "../access/MemoryTokenStore.ts"
import { TokenStore } from "../access/TokenStore.ts"
import { Cluster, type ClusterView } from "../cluster/Cluster.ts"
import { Lifecycle } from "../Lifecycle.ts"
import { Routes } from "./HttpService.ts"

export interface TestRoutesOptions {
  /** Default: nobody is asked who they are. */
  readonly access?: Parameters<typeof accessLayer>[0]
  /** Default: a server that is alone, of which nothing is told. */
  readonly cluster?: Effect.Effect<ClusterView, StoreUnavailable>
  readonly fleet?: Partial<FleetOptions>
  /** How long a call of the scheduler may take. Default: half a minute. */
  readonly attemptTimeout?: Duration.Input
  readonly scheduler?: TestSchedulerOptions
  /** What the scheduler is told before anything else happens. */
  readonly prepare?: (scheduler: TestScheduler["Service"]) => Effect.Effect<void>
  /** Default: one in memory. */
  readonly store?: FleetStore["Service"]
}

type Headers = Readonly<Record<string, string>>

/** The routes, until the scope ends. */
export const start = Effect.fnUntraced(function* ({
  access = openAccess,
  attemptTimeout = "30 seconds",
  cluster = Effect.succeed({ clustered: false, servers: [], unowned: [] }),
  fleet = {},
  prepare = () => Effect.void,
  scheduler: options = {},
  store
}: TestRoutesOptions = {}) {
  const scheduler = TestScheduler.make(options)
  yield* prepare(scheduler)
  const lifecycle = yield* Effect.provide(Lifecycle, Lifecycle.layer)
  const { auditLog, store: audited } = auditedMemory(store ?? (yield* MemoryFleetStore.make))
  const services = Layer.mergeAll(
    accessLayer(access).pipe(Layer.provideMerge(Fleet.layerWith(fleet))),
    Layer.succeed(Lifecycle, lifecycle),
    Layer.succeed(Cluster, { view: cluster }),
    HttpServer.layerServices
  ).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        Layer.succeed(FleetStore, audited),
        Layer.succeed(AuditLog, auditLog),
        Layer.succeed(TokenStore, makeMemoryTokenStore())
      )
    ),
    Layer.provideMerge(Layer.succeed(SchedulerPort, scheduler.port)),
    Layer.provideMerge(RegistrationConfig.layer({ maxRetries: 0, attemptTimeout })),
    Layer.provideMerge(Logger.layer([]))
  )
  const { handler } = yield* Effect.acquireRelease(
    Effect.sync(() => HttpRouter.toWebHandler(Routes.pipe(Layer.provide(services)), { disableLogger: true })),
    ({ dispose }) => Effect.promise(dispose)
  )

  /** The answer without its body, which the reader of it ends. */
  const open = (method: string, path: string, body?: unknown, headers: Headers = {}, signal?: AbortSignal) =>
    Effect.promise(() =>
      handler(
        new Request(`http://localhost${path}`, {
          method,
          headers: { "content-type": "application/json", ...headers },
          ...(body === undefined
            ? undefined
            : { body: typeof body === "string" ? body : JSON.stringify(body) }),
          ...(signal === undefined ? undefined : { signal })
        })
      )
    )

  const send = (method: string, path: string, body?: unknown, headers: Headers = {}) =>
    Effect.flatMap(open(method, path, body, headers), (response) =>
      Effect.map(
        // oxlint-disable-next-line typescript/no-explicit-any -- a client that reads what it expects is what is tested
        Effect.promise((): Promise<any> => response.json()),
        (json) => ({ status: response.status, headers: response.headers, json })
      )
    )

  /** Asks again until the worker is in this phase. */
  const reaches = (id: string, phase: string) =>
    Effect.repeat(send("GET", `/v1/workers/${id}`), { until: ({ json }) => json.phase === phase })

  return { lifecycle, open, reaches, scheduler, send }
})

export const worker = (id: string) => ({ id, capabilities: { cpuCores: 8, memoryMb: 1024 } })

export const waiting = { prefer: "wait=10" }

export const problem = (name: string, status: number) => ({ type: `urn:muster:problem:${name}`, status })

export type TestRoutes = Effect.Success<ReturnType<typeof start>>
