/**
 * A process that is attacked: `muster serve` or `muster scheduler` as its users start it, with Node's inspector beside
 * it, which alone can say how much of the heap is in use once the garbage is gone.
 */
import { Predicate } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { bin } from "../ServiceProcess.ts"

export interface Usage {
  /** Bytes of the JavaScript heap in use after a collection. */
  readonly heap: number
  /** Bytes of the process in memory. */
  readonly rss: number
  /** Open files, sockets included. */
  readonly files: number
}

/** Lines of the log that nothing from outside may lead to. */
const mayNotBeLogged = /Request failed|a defect|Unhandled|All fibers interrupted without error/i

export class Target {
  /** What it printed that it may not print. */
  readonly complaints: Array<string> = []
  url = ""
  private readonly child: ChildProcess
  private readonly ended: Promise<unknown>
  private readonly listening = Promise.withResolvers<string>()
  private readonly inspected = Promise.withResolvers<string>()
  private inspector: Inspector | undefined
  private isStopping = false

  private constructor(args: ReadonlyArray<string>, env: Readonly<Record<string, string>>, cwd: string) {
    this.child = spawn(process.execPath, ["--inspect=127.0.0.1:0", bin, ...args], {
      cwd,
      env: { PATH: process.env["PATH"], TZ: "UTC", ...env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    this.ended = once(this.child, "close")
    // A run that is ended leaves nothing behind.
    const kill = () => this.child.kill("SIGKILL")
    process.once("exit", kill)
    this.child.once("close", () => process.off("exit", kill))
    lines(this.child.stdout, (line) => this.printed(line))
    lines(this.child.stderr, (line) => this.complained(line))
    this.child.on("close", () => {
      const error = new Error(`muster ${args[0]} ended: ${this.complaints.join("\n")}`)
      this.listening.reject(error)
      this.inspected.reject(error)
      if (!this.isStopping)
        this.complaints.push(`it ended with ${this.child.exitCode ?? this.child.signalCode}`)
    })
  }

  static async start(
    args: ReadonlyArray<string>,
    cwd: string,
    env: Readonly<Record<string, string>> = {}
  ): Promise<Target> {
    const target = new Target(args, env, cwd)
    const [url, inspector] = await Promise.all([target.listening.promise, target.inspected.promise])
    target.url = url
    target.inspector = await Inspector.connect(inspector)
    return target
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Throws the inputs from number `from` to before `to` at it, `atOnce` at the same time, as long as it runs. */
  async fire(
    { from, to }: { readonly from: number; readonly to: number },
    atOnce: number,
    one: (number: number) => Promise<void>,
    progress: (done: number) => void
  ): Promise<void> {
    let next = from
    let done = from
    const work = async () => {
      while (next < to && this.isRunning) {
        await one(next++)
        progress(++done)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
  }

  /** After everything that can be given back was given back. */
  async usage(): Promise<Usage> {
    const heap = await this.inspector?.usedHeap()
    const proc = `/proc/${this.child.pid}`
    const rss = Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`${proc}/status`, "utf8"))?.[1] ?? 0) * 1024
    return { heap: heap ?? 0, rss, files: readdirSync(`${proc}/fd`).length }
  }

  async stop(): Promise<void> {
    this.isStopping = true
    this.inspector?.close()
    this.child.kill("SIGTERM")
    const late = setTimeout(() => this.child.kill("SIGKILL"), 15_000)
    await this.ended
    clearTimeout(late)
  }

  private printed(line: string): void {
    const entry = parsed(line)
    if (!Predicate.isObject(entry))
      return void this.complaints.push(`a line of the log is no JSON: ${line.slice(0, 300)}`)
    if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(line)) {
      this.complaints.push(`a line of the log has control characters: ${JSON.stringify(line.slice(0, 300))}`)
    }
    const message = JSON.stringify(entry["message"])
    const url = /listens on ((?:http|grpc):\/\/[^\s"]+)/.exec(message)?.[1]
    if (url !== undefined) this.listening.resolve(url)
    if (mayNotBeLogged.test(message)) this.complaints.push(`it logged: ${line.slice(0, 2000)}`)
  }

  private complained(line: string): void {
    const address = /Debugger listening on (ws:\S+)/.exec(line)?.[1]
    if (address !== undefined) this.inspected.resolve(address)
    else if (!/^(?:For help, see: |Debugger attached|Debugger ending|Waiting for the debugger)/.test(line)) {
      this.complaints.push(`on standard error: ${line.slice(0, 2000)}`)
    }
  }
}

/** The little of Chrome's protocol that it takes to measure. */
class Inspector {
  private readonly socket: WebSocket
  private readonly answers = new Map<number, (result: unknown) => void>()
  private sent = 0

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.addEventListener("message", ({ data }) => {
      const message = parsed(String(data))
      if (!Predicate.isObject(message) || !Predicate.isNumber(message["id"])) return
      this.answers.get(message["id"])?.(message["result"])
      this.answers.delete(message["id"])
    })
    socket.addEventListener("close", () => this.answers.forEach((answer) => answer(undefined)))
  }

  static async connect(address: string): Promise<Inspector> {
    const socket = new WebSocket(address)
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve)
      socket.addEventListener("error", reject)
    })
    return new Inspector(socket)
  }

  async usedHeap(): Promise<number> {
    // What the first collection sets free may have finalisers that set more free.
    for (let times = 0; times < 3; times++) await this.call("HeapProfiler.collectGarbage")
    const usage = await this.call("Runtime.getHeapUsage")
    return Predicate.isObject(usage) ? Number(usage["usedSize"]) : 0
  }

  close(): void {
    this.socket.close()
  }

  private call(method: string): Promise<unknown> {
    const id = ++this.sent
    return new Promise((resolve) => {
      this.answers.set(id, resolve)
      if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ id, method }))
      else resolve(undefined)
    })
  }
}

const lines = (stream: NodeJS.ReadableStream | null, each: (line: string) => void): void => {
  let rest = ""
  stream?.setEncoding("utf8")
  stream?.on("data", (text: string) => {
    const all = (rest + text).split("\n")
    rest = all.pop() ?? ""
    all.forEach(each)
  })
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
