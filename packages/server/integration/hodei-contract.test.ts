import { schedulerPortContract } from "@muster/testing"
import { Effect, Layer } from "effect"
import * as Hodei from "@muster/server/schedulers/Hodei"
import { HodeiServer } from "./hodei/HodeiServer.ts"

schedulerPortContract(
  "The Hodei adapter",
  Layer.unwrap(
    Effect.map(HodeiServer.start(), ({ port }) => Hodei.layer({ addresses: [`127.0.0.1:${port}`] }))
  ),
  { capabilities: ["list", "health"], comparesGenerations: false, keeps: "ids", clock: "live" }
)

schedulerPortContract(
  "The Hodei adapter for hwp, leaving what is unregistered,",
  Layer.unwrap(
    Effect.map(HodeiServer.start(), ({ port }) =>
      Hodei.layerHwp({ addresses: [`127.0.0.1:${port}`], unregister: "leave" })
    )
  ),
  { capabilities: ["health"], comparesGenerations: false, clock: "live" }
)
