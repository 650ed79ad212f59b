/**
 * The service with a real Slurm controller as its scheduler: what jobs find there, and what is left when the
 * controller is killed.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { addressLabel } from "../src/schedulers/slurm/NodeSpec.ts"
import { hasOpenb, openb, openbFlags, skippedForOpenb } from "./openbFleet.ts"
import { Muster, type RunOptions, Service, worker } from "./ServiceProcess.ts"
import { openSlurmCluster, skippedForSlurm, type SlurmCluster, whyNoSlurm } from "./SlurmCluster.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))
// What a job does to a node: the controller sends to the node's address, and waits long where a name has none.
const reachable = { labels: { [addressLabel]: "127.0.0.1" } }
const waiting = { prefer: "wait=20" }

const serve = (cluster: SlurmCluster, env: RunOptions["env"] = {}) =>
  Service.start({ args: ["--scheduler", "slurm", "--slurm-conf", cluster.conf], env })

const countNodes = (cluster: SlurmCluster) =>
  cluster.command("sinfo", "--noheader", "--Node", "--format=%N").output.split("\n").filter(Boolean).length

/** Looks again and again until it is so; the test's time-out ends it if that never is. */
const until = async (isSo: () => boolean | Promise<boolean>) => {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 50))
}

/** Submits a job that asks for something; gives the node that it lands on. */
const place = async (cluster: SlurmCluster, ...flags: ReadonlyArray<string>) => {
  const { errors, output } = cluster.command(
    "sbatch",
    "--parsable",
    "--mem=100",
    ...flags,
    "--wrap=sleep 600"
  )
  const job = output.trim()
  if (job === "") return { job, node: "", errors }
  let node = ""
  await until(() => {
    node = cluster.command("squeue", "--noheader", `--jobs=${job}`, "--format=%N").output.trim()
    return node !== ""
  })
  return { job, node, errors }
}

describe.skipIf(whyNoSlurm !== undefined)(`docs/schedulers/slurm.md${skippedForSlurm}`, () => {
  it("has an example that runs as written, and prints what it says", () => {
    const directory = mkdtempSync(join(tmpdir(), "muster-slurm-"))
    const page = readFileSync(join(root, "docs/schedulers/slurm.md"), "utf8")
    const [, example = "", printed = ""] = /```sh\n([\s\S]*?)```\s*```\n([\s\S]*?)```/.exec(page) ?? []
    const muster = `'${process.execPath}' packages/server/src/bin.js`
    const script = example.replaceAll("/tmp/muster-slurm", directory).replaceAll("pnpm muster", muster)
    const { status, stdout } = spawnSync("sh", ["-ec", script], { cwd: root, encoding: "utf8" })
    rmSync(directory, { recursive: true, force: true })
    const withoutTimes = (text: string) => text.replace(/in [\d.]+ m?s.*|p50.*|^export.*/gm, "…")
    assert.strictEqual(withoutTimes(stdout), withoutTimes(printed))
    assert.strictEqual(status, 0)
  })
})

describe.skipIf(whyNoSlurm !== undefined)(`slurmctld behind the service${skippedForSlurm}`, () => {
  it("places jobs on the workers that were registered and have what is asked for, and refuses those that none has", async () => {
    using cluster = openSlurmCluster()
    await using service = await serve(cluster)
    const capabilities = { cpuCores: 4, memoryMb: 4000 }
    const workers = [
      { id: "small", capabilities, metadata: reachable },
      { id: "large", capabilities: { ...capabilities, memoryMb: 64_000 }, metadata: reachable },
      {
        id: "with-gpu",
        capabilities: { ...capabilities, customResources: { gpu: 2 } },
        metadata: { labels: { ...reachable.labels, gpuModel: "V100" }, tags: ["spot"] }
      }
    ]
    for (const one of workers) {
      assert.strictEqual((await service.send("POST", "/v1/workers", one, waiting)).json.phase, "registered")
    }
    assert.strictEqual((await place(cluster, "--mem=32000")).node, "large")
    assert.strictEqual((await place(cluster, "--constraint=spot")).node, "with-gpu")
    assert.strictEqual((await place(cluster, "--constraint=gpuModel=V100", "--gres=gpu:2")).node, "with-gpu")
    assert.match((await place(cluster, "--constraint=gpuModel=A100")).errors, /Invalid feature specification/)
    assert.match(
      (await place(cluster, "--mem=64001")).errors,
      /Requested node configuration is not available/
    )
    assert.match(
      (await place(cluster, "--gres=gpu:3")).errors,
      /Requested node configuration is not available/
    )
  })

  it("keeps a worker with a job on it until the job has ended, and says so meanwhile", async () => {
    using cluster = openSlurmCluster()
    await using service = await serve(cluster, { MUSTER_MAX_RETRY_DELAY: "500 millis" })
    await service.send("POST", "/v1/workers", worker("busy", reachable), waiting)
    const { job, node } = await place(cluster)
    assert.strictEqual(node, "busy")

    await service.fetch("/v1/workers/busy", { method: "DELETE" })
    const get = async () => (await service.fetch("/v1/workers/busy")).json
    await until(async () =>
      /the node busy has jobs: it is drained, and deleted when they have ended/.test(
        (await get()).lastError?.message
      )
    )
    assert.deepInclude(await get(), { phase: "unregistering" })
    const { output } = cluster.command("scontrol", "show", "node", "busy")
    assert.match(output, /State=\S*DRAIN/)
    assert.match(output, /Reason=muster: waits for its jobs to end/)
    cluster.command("scancel", job)
    await until(async () => (await get()).phase === "terminated")
    assert.strictEqual(countNodes(cluster), 0)
  })

  it.skipIf(!hasOpenb)(
    `has all of 1,523 workers after it was killed in the middle and has forgotten everything${skippedForOpenb}`,
    async () => {
      using cluster = openSlurmCluster()
      await using service = await serve(cluster, {
        MUSTER_DRIFT_INTERVAL: "1 second",
        MUSTER_MAX_RETRY_DELAY: "1 second"
      })
      await using client = new Muster(["register", openb, "--server", service.url, "--json", ...openbFlags], {
        cwd: root
      })
      await until(() => countNodes(cluster) >= 300)
      cluster.kill()
      assert.strictEqual(await client.exit(), 0)
      cluster.start("--lose-state")
      assert.isBelow(countNodes(cluster), 1523)

      const settled = { held: 1523, lost: 0, ghosts: 0, unknown: 0, error: null }
      await until(async () => {
        const { drift } = (await service.fetch("/v1/scheduler")).json
        return Object.entries(settled).every(([key, value]) => drift?.[key] === value)
      })
      assert.strictEqual(countNodes(cluster), 1523)
      assert.strictEqual((await service.fetch("/v1/workers?phase=registered")).json.total, 1523)
    },
    // Slurm itself takes tens of milliseconds for a node, twice for those that it forgets, and longer on a busy machine.
    240_000
  )
})
