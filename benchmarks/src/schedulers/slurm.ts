import * as Slurm from "@muster/server/schedulers/Slurm"
import { execFile } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { SchedulerBench } from "./schedulerBench.ts"

const run = promisify(execFile)
const script = fileURLToPath(new URL("../../../deploy/slurm/start.sh", import.meta.url))

/** A real slurmctld, and `scontrol create` for each worker by hand. A round leaves its nodes, so that later ones cost more. */
export const slurm: SchedulerBench = {
  name: "Slurm",
  programs: ["scontrol", "sbatch", "munged"],
  workers: { oneByOne: 100, together: 200, muster: 1000 },
  start: async () => {
    const folder = await mkdtemp(join(tmpdir(), "muster-bench-"))
    await run(script, [folder])
    const conf = join(folder, "slurm.conf")
    const env = { ...process.env, SLURM_CONF: conf }
    return {
      adapter: Slurm.layer({ conf }),
      register: async ({ capabilities, id }) => {
        const { cpuCores, memoryMb } = capabilities
        const node = [`NodeName=${id}`, `CPUs=${cpuCores}`, `RealMemory=${memoryMb}`, "State=CLOUD"]
        await run("scontrol", ["create", ...node], { env })
      },
      [Symbol.asyncDispose]: async () => {
        await run(script, [folder, "--stop"])
        await rm(folder, { recursive: true })
      }
    }
  }
}
