import { layer } from "@muster/server/schedulers/Etcd"
import { schedulerPortContract } from "@muster/testing"
import { Effect, Layer } from "effect"
import { describe } from "vitest"
import { hasEtcd, startEtcd, whyNoEtcd } from "./EtcdServer.ts"

const withOptions = (options: Omit<Parameters<typeof layer>[0], "addresses">) =>
  Layer.unwrap(Effect.map(startEtcd(), ({ address }) => layer({ addresses: [address], ...options })))

describe.skipIf(!hasEtcd)(`with a real etcd${whyNoEtcd}`, () => {
  schedulerPortContract("The etcd adapter", withOptions({}), { clock: "live", listed: 2100 })

  schedulerPortContract(
    "The etcd adapter with a lease",
    withOptions({ lease: "30 seconds", prefix: "fleet" }),
    {
      clock: "live"
    }
  )
})
