/**
 * The adapter for Slurm against a real controller.
 */
import { schedulerPortContract } from "@muster/testing"
import { Effect, Layer } from "effect"
import { describe } from "vitest"
import * as Slurm from "../src/schedulers/Slurm.ts"
import { skippedForSlurm, slurmCluster, whyNoSlurm } from "./SlurmCluster.ts"

const layer = Layer.unwrap(Effect.map(slurmCluster, ({ conf }) => Slurm.layer({ conf })))

describe.skipIf(whyNoSlurm !== undefined)(`slurmctld${skippedForSlurm}`, () => {
  schedulerPortContract("Slurm", layer, { clock: "live", timeout: "60 seconds" })
})
