/**
 * `muster scheduler`, the reference scheduler, as a process of its own.
 */
import { Muster, type RunOptions } from "./ServiceProcess.ts"

export class SchedulerProcess extends Muster {
  url = ""

  /** On a free port unless the flags name one. */
  static async start(flags: ReadonlyArray<string>, options: RunOptions = {}): Promise<SchedulerProcess> {
    const port = flags.includes("--port") ? [] : ["--port", "0"]
    const scheduler = new SchedulerProcess(["scheduler", ...port, ...flags], options)
    const [, url = ""] = await scheduler.printed(/listens on (grpc:\/\/[^\s"]+)/)
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
