/** The processes of a run: each is started, asked, weighed, and ended when it is disposed of. */
import { type ChildProcess, fork, spawn } from "node:child_process"
import { once } from "node:events"
import { accessSync, constants, readFileSync } from "node:fs"
import { createServer } from "node:net"
import { delimiter, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { CallerAnswer, CallerCommand, CallerKind } from "./callerProcess.ts"
import type { Measured } from "./callers.ts"
import type { ServerKind } from "./serverProcess.ts"

const running = new Set<Program>()

// A run that is cut short leaves nothing behind.
process.on("exit", () => running.forEach(({ child }) => child.kill("SIGKILL")))

/** A process that ends when it is told to, or half a minute later at the latest. */
export class Program implements AsyncDisposable {
  readonly child: ChildProcess
  readonly pid: number
  errors = ""
  private readonly closed: Promise<unknown>
  /** Fails when the process ends. */
  readonly alive: Promise<never>

  constructor(child: ChildProcess) {
    this.child = child
    this.pid = child.pid ?? NaN
    child.stderr?.on("data", (data: Buffer) => (this.errors = (this.errors + data.toString()).slice(-4000)))
    running.add(this)
    this.closed = Promise.race([once(child, "close"), once(child, "error")]).finally(() =>
      running.delete(this)
    )
    this.alive = this.closed.then(() => {
      throw new Error(`${child.spawnargs.join(" ")} has ended: ${this.errors}`)
    })
    // An end that nobody waits for is one that was asked for.
    this.alive.catch(() => {})
  }

  static run(
    command: string,
    args: ReadonlyArray<string>,
    env: Readonly<Record<string, string>> = {}
  ): Program {
    return new Program(
      spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] })
    )
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Asks again and again, until the answer is yes. Fails when the process ends, or after two minutes. */
  async until(isReady: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 120_000
    while (!(await isReady().catch(() => false))) {
      if (!this.isRunning) await this.alive
      if (performance.now() > deadline)
        throw new Error(`${this.child.spawnfile} did not start: ${this.errors}`)
      await sleep(5)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) this.child.kill("SIGTERM")
    const late = setTimeout(() => this.child.kill("SIGKILL"), 30_000)
    await this.closed
    clearTimeout(late)
  }
}

/** Memory of a process that is in use, in MB. */
export const residentMegabytes = (pid: number): number => {
  const [, kibibytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
  return (Number(kibibytes) * 1024) / 1e6
}

/** Whether a program of this name can be run. */
export const isInstalled = (name: string): boolean =>
  (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  if (address === null || typeof address === "string") throw new Error("there is no port")
  return address.port
}

/** A module as a process that talks to this one. */
export const forkModule = (module: URL, args: ReadonlyArray<string>): Program =>
  new Program(
    fork(module, args, {
      serialization: "advanced",
      stdio: ["ignore", "inherit", "pipe", "ipc"]
    })
  )

/** What a child has to say next. */
export const message = async <A>({ alive, child }: Program): Promise<A> => {
  const said: Promise<ReadonlyArray<A>> = once(child, "message")
  const [first] = await Promise.race([said, alive])
  if (first === undefined) throw new Error("a process of the benchmark said nothing")
  return first
}

/** A process and the port that it listens on. */
export interface PortedProgram {
  readonly program: Program
  readonly port: number
}

/** One of the servers of serverProcess.ts. */
export const startServer = async (kind: ServerKind, file = ""): Promise<PortedProgram> => {
  const program = forkModule(new URL("serverProcess.ts", import.meta.url), [kind, file])
  return { program, port: await message<number>(program) }
}

/** One of the callers of callerProcess.ts. */
export class Caller implements AsyncDisposable {
  private readonly program: Program

  private constructor(program: Program) {
    this.program = program
  }

  static async start(kind: CallerKind, target: string | number): Promise<Caller> {
    const program = forkModule(new URL("callerProcess.ts", import.meta.url), [kind, String(target)])
    await message(program)
    return new Caller(program)
  }

  async do(command: CallerCommand): Promise<Measured> {
    const answer = message<CallerAnswer>(this.program)
    this.program.child.send(command)
    const measured = await answer
    if ("error" in measured) throw new Error(measured.error)
    return measured
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.program[Symbol.asyncDispose]()
  }
}
