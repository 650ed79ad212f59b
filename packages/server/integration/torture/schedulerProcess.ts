/**
 * The scheduler of the torture test as a process: `node schedulerProcess.ts PORT SEED JOURNAL`.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer, Random, Stream } from "effect"
import { HttpRouter } from "effect/http"
import { RpcSerialization, RpcServer } from "effect/rpc"
import { createServer } from "node:http"
import { openJournal } from "./Journal.ts"
import { dieWithParent } from "./DieWithParent.ts"
import { makeMisbehavingScheduler } from "./MisbehavingScheduler.ts"
import { SchedulerCalls, SchedulerControls } from "./SchedulerProtocol.ts"

dieWithParent()

const [port, seed = "", journal = ""] = process.argv.slice(2)

const handlers = Layer.unwrap(
  Effect.gen(function* () {
    const scheduler = yield* makeMisbehavingScheduler(yield* openJournal(journal))
    const calls = SchedulerCalls.toLayer({
      register: ({ worker, ...change }) => scheduler.register(worker, change),
      registerBatch: ({ from, members }) => scheduler.registerBatch(members, from),
      unregister: ({ workerId, ...change }) => scheduler.unregister(workerId, change),
      get: ({ workerId }) => scheduler.get(workerId),
      list: () => scheduler.list,
      health: () => scheduler.health
    })
    const controls = SchedulerControls.toLayer({
      calm: () => scheduler.calm,
      restart: ({ memory }) => scheduler.restart(memory),
      held: () => Stream.unwrap(Effect.map(scheduler.held, Stream.fromIterable)),
      lateCalls: () => Effect.sync(scheduler.lateCalls)
    })
    return Layer.merge(calls, controls)
  })
)

const server = RpcServer.layerHttp({
  group: SchedulerCalls.merge(SchedulerControls),
  path: "/",
  protocol: "http"
}).pipe(Layer.provide([handlers, RpcSerialization.layerNdjson]))

HttpRouter.serve(server, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: Number(port) })),
  Layer.launch,
  Effect.provide(NodeServices.layer),
  Random.withSeed(seed),
  NodeRuntime.runMain
)
