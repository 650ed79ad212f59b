/** The real `muster serve` as a process of its own. */
import { dirname, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { freePort, Program, residentMegabytes } from "./processes.ts"

const bin = join(dirname(fileURLToPath(import.meta.resolve("@muster/server/package.json"))), "src/bin.js")

export interface MusterOptions {
  readonly args?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
}

export class Muster implements AsyncDisposable {
  readonly port: number
  /** From the start of the process until `/readyz` says that it can take work. */
  readonly secondsToReady: number
  private readonly program: Program

  private constructor(program: Program, port: number, secondsToReady: number) {
    this.program = program
    this.port = port
    this.secondsToReady = secondsToReady
  }

  static async start(store: string, { args = [], env = {} }: MusterOptions = {}): Promise<Muster> {
    const port = await freePort()
    const startedAt = performance.now()
    // As `pnpm start`, the image and the unit run it.
    const flags = ["--max-semi-space-size=8"]
    const program = Program.run(process.execPath, [...flags, bin, "serve", "--port", String(port), ...args], {
      ...env,
      MUSTER_LOG_LEVEL: "none",
      MUSTER_STORE: store
    })
    await program.until(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok)
    return new Muster(program, port, (performance.now() - startedAt) / 1000)
  }

  get pid(): number {
    return this.program.pid
  }

  /** Sends a signal and waits until the process has ended. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.program.child.kill(signal)
    await this.program.alive.catch(() => {})
  }

  get megabytes(): number {
    return residentMegabytes(this.program.pid)
  }

  /** How many workers are in one of these phases, or in any where none is named. */
  async count(...phases: ReadonlyArray<string>): Promise<number> {
    const query = new URLSearchParams([["limit", "1"], ...phases.map((phase) => ["phase", phase])])
    const answer = await fetch(`http://127.0.0.1:${this.port}/v1/workers?${query}`)
    const { total }: { readonly total: number } = await answer.json()
    return total
  }

  /** Waits until so many workers are registered, without asking often while many are missing. */
  async registered(count: number): Promise<void> {
    let before = { at: performance.now(), missing: Infinity }
    for (;;) {
      const missing = count - (await this.count("registered"))
      if (missing <= 0) return
      const at = performance.now()
      const perMilli = (before.missing - missing) / (at - before.at)
      if (missing < before.missing) before = { at, missing }
      else if (at - before.at > 60_000)
        throw new Error(`${missing} workers are not registered after a minute`)
      await sleep(Number.isFinite(perMilli) ? Math.min(500, Math.max(10, missing / perMilli / 2)) : 10)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.program[Symbol.asyncDispose]()
  }
}
