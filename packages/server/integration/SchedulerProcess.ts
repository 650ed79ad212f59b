/**
 * The reference scheduler as a process of its own, with whatever flaws are ordered. Its memory is in a folder that is
 * gone after the tests.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { Muster, type RunOptions } from "./ServiceProcess.ts"

export const folder = mkdtempSync(join(tmpdir(), "muster-scheduler-"))
afterAll(() => rmSync(folder, { recursive: true }))

export class Scheduler extends Muster {
  url = ""

  static async start(flags: ReadonlyArray<string>, options: RunOptions = {}): Promise<Scheduler> {
    const port = flags.includes("--port") ? [] : ["--port", "0"]
    const scheduler = new Scheduler(["scheduler", ...port, ...flags], { cwd: folder, ...options })
    const [, url = ""] = await scheduler.printed(/listens on (grpcs?:\/\/[^\s"]+)/)
    scheduler.url = url
    return scheduler
  }

  get port(): string {
    return new URL(this.url).port
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL")
    await this.exit()
  }
}

/** Asks until the answer is as it should be. One that never is, is told before the test is given up. */
export const until = async <A>(ask: () => Promise<A>, isSo: (answer: A) => boolean): Promise<A> => {
  const deadline = performance.now() + 50_000
  for (;;) {
    const answer = await ask()
    if (isSo(answer)) return answer
    if (performance.now() > deadline) throw new Error(`still ${JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
