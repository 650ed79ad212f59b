/**
 * A real Slurm controller for tests, in a directory of its own: killed, started again, and gone with the scope.
 */
import { Effect, type Scope } from "effect"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir, userInfo } from "node:os"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"

const script = fileURLToPath(new URL("../../../deploy/slurm/start.sh", import.meta.url))
const env = { ...process.env, PATH: [process.env["PATH"], "/usr/sbin"].join(delimiter) }

const missing = ["slurmctld", "scontrol", "sbatch", "munged"].filter(
  (program) => spawnSync(program, ["-V"], { env, stdio: "ignore" }).error !== undefined
)

/** Why there can be no controller on this machine; absent: there can. */
export const whyNoSlurm =
  missing.length > 0
    ? `there is no ${missing.join(", ")}`
    : userInfo().uid !== 0
      ? "only root can start slurmctld"
      : undefined

/** What to add to the name of tests that are skipped for want of Slurm. */
export const skippedForSlurm = whyNoSlurm === undefined ? "" : ` (skipped: ${whyNoSlurm})`

export interface SlurmCluster {
  readonly conf: string
  /** Not asked, and without a chance to clean up. */
  readonly kill: () => void
  readonly start: (...args: ReadonlyArray<string>) => void
  /** Runs one of Slurm's commands; gives what it printed, and why it failed. */
  readonly command: (
    program: string,
    ...args: ReadonlyArray<string>
  ) => { output: string; errors: string; code: number | null }
  /** The process of the controller; stopped or not. */
  readonly pid: () => number
}

export const openSlurmCluster = (): SlurmCluster & Disposable => {
  const directory = mkdtempSync(join(tmpdir(), "muster-slurm-"))
  const conf = join(directory, "slurm.conf")
  const run = (program: string, args: ReadonlyArray<string>) => {
    const { status, stderr, stdout } = spawnSync(program, args, {
      encoding: "utf8",
      cwd: directory,
      env: { ...env, SLURM_CONF: conf }
    })
    return { output: stdout, errors: stderr, code: status }
  }
  const start = (...args: ReadonlyArray<string>) => {
    const { code, errors, output } = run(script, [directory, ...args])
    if (code !== 0) throw new Error(`${script} ended with ${code}: ${output}${errors}`)
  }
  const pid = () => Number(readFileSync(join(directory, "slurmctld.pid"), "utf8"))
  start()
  return {
    conf,
    start,
    pid,
    kill: () => process.kill(pid(), "SIGKILL"),
    command: (program, ...args) => run(program, args),
    [Symbol.dispose]: () => {
      start("--stop")
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

/** One that is gone with the scope. */
export const slurmCluster: Effect.Effect<SlurmCluster, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(openSlurmCluster),
  (cluster) => Effect.sync(() => cluster[Symbol.dispose]())
)
