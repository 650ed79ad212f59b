/**
 * The contract against servers of Hodei's definitions: as the port says it, and once more by what the server holds.
 */
import { type HeldWorker, SchedulerPort } from "@muster/core"
import { schedulerPortContract } from "@muster/testing"
import { Context, Effect, Layer, Option, Stream } from "effect"
import * as Hodei from "@muster/server/schedulers/Hodei"
import { fromWorkerInfo } from "../src/schedulers/hodei/WorkerInfo.ts"
import { type HeldByHodei, HodeiServer } from "./hodei/HodeiServer.ts"

for (const name of ["hodei.worker", "hodei"] as const) {
  const adapter = Layer.unwrap(
    Effect.map(HodeiServer.start({ package: name }), ({ port }) =>
      Hodei.layer({ addresses: [`127.0.0.1:${port}`] })
    )
  )
  schedulerPortContract(`The Hodei adapter for package ${name}`, adapter, {
    capabilities: ["list", "health"],
    comparesGenerations: false,
    keeps: "ids",
    clock: "live"
  })
}

/** What the server holds, whole, in place of what the protocol lists. */
const lookedInto = Layer.effectContext(
  Effect.gen(function* () {
    const server = yield* HodeiServer.start()
    const context = yield* Layer.build(Hodei.layer({ addresses: [`127.0.0.1:${server.port}`] }))
    const { register, unregister } = Context.get(context, SchedulerPort)
    const read = ({ info }: HeldByHodei): HeldWorker => ({ worker: Option.getOrThrow(fromWorkerInfo(info)) })
    return Context.make(
      SchedulerPort,
      SchedulerPort.make({
        register,
        unregister,
        get: (workerId) =>
          Effect.sync(() => Option.map(Option.fromUndefinedOr(server.workers.get(workerId)), read)),
        list: Stream.suspend(() => Stream.fromIterable(Array.from(server.workers.values(), read)))
      })
    )
  })
)

schedulerPortContract("What a Hodei server has been told", lookedInto, {
  capabilities: ["list", "get"],
  comparesGenerations: false,
  clock: "live"
})

schedulerPortContract(
  "The Hodei adapter for hwp, leaving what is unregistered,",
  Layer.unwrap(
    Effect.map(HodeiServer.start(), ({ port }) =>
      Hodei.layerHwp({ addresses: [`127.0.0.1:${port}`], unregister: "leave" })
    )
  ),
  { capabilities: ["health"], comparesGenerations: false, clock: "live" }
)
