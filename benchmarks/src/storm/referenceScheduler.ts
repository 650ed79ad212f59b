/** `muster scheduler` as a process, and what it says of each second. */
import { createInterface } from "node:readline"
import { spawn } from "node:child_process"
import { Program } from "../durable/processes.ts"
import { bin } from "../schedulers/protoClient.ts"

/** What the scheduler was asked for within a second. */
export interface Second {
  /** In seconds since the scheduler was started. */
  readonly at: number
  readonly accepted: number
  readonly refused: number
  /** Workers that it held at the end of it. */
  readonly workers: number
}

export class ReferenceScheduler implements AsyncDisposable {
  readonly seconds: Array<Second> = []
  readonly startedAt: number
  private readonly program: Program
  private readonly listening = Promise.withResolvers<void>()

  private constructor(port: number, flags: ReadonlyArray<string>) {
    this.startedAt = performance.now()
    const args = [bin, "scheduler", "--amnesia", "--port", String(port), ...flags]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
    this.program = new Program(child)
    createInterface({ input: child.stdout }).on("line", (line) => this.read(line))
  }

  static async start(port: number, ...flags: ReadonlyArray<string>): Promise<ReferenceScheduler> {
    const scheduler = new ReferenceScheduler(port, flags)
    await Promise.race([scheduler.listening.promise, scheduler.program.alive])
    return scheduler
  }

  get pid(): number {
    return this.program.pid
  }

  /** As a power cut does. */
  async kill(): Promise<void> {
    this.program.child.kill("SIGKILL")
    await this.program.alive.catch(() => {})
  }

  /** Waits until what is said holds. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo())
      await Promise.race([new Promise((resolve) => setTimeout(resolve, 20)), this.program.alive])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.program[Symbol.asyncDispose]()
  }

  private read(line: string): void {
    const { annotations, message }: { annotations: Omit<Second, "at">; message: string } = JSON.parse(line)
    if (message.includes("listens on")) this.listening.resolve()
    if (!message.startsWith("Registrations and unregistrations")) return
    this.seconds.push({ ...annotations, at: (performance.now() - this.startedAt) / 1000 })
  }
}
