/**
 * The real service as a process of its own, for tests from the outside.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

export const bin = fileURLToPath(new URL("../src/bin.js", import.meta.url))

/**
 * The environment of this test, without what would configure the service. Its store is in memory unless a test says
 * otherwise: a file would be shared by all of them, and stay.
 */
const cleanEnvironment = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(MUSTER|OTEL)_/.test(name))),
  MUSTER_STORE: "memory"
})

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** `muster` with some arguments, from its start to its end. */
export class Muster {
  output = ""
  errors = ""
  private readonly child: ChildProcess
  private readonly exited: Promise<number | null>
  private changed = Promise.withResolvers<void>()

  constructor(args: ReadonlyArray<string>, { cwd, env = {} }: RunOptions = {}) {
    this.child = spawn(process.execPath, [bin, ...args], { cwd, env: { ...cleanEnvironment(), ...env } })
    this.child.stdout?.on("data", (data: Buffer) => {
      this.output += data.toString()
      this.change()
    })
    this.child.stderr?.on("data", (data: Buffer) => {
      this.errors += data.toString()
      this.change()
    })
    this.exited = once(this.child, "close").then(() => {
      this.change()
      return this.child.exitCode
    })
  }

  /** Waits until what was printed matches, and gives the match. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output)
      if (match !== null) return match
      if (this.child.exitCode !== null) throw new Error(`muster ended:\n${this.output}\n${this.errors}`)
      await this.changed.promise
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  exit(): Promise<number | null> {
    return this.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL")
    await this.exited
  }

  private change(): void {
    this.changed.resolve()
    this.changed = Promise.withResolvers<void>()
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; `undefined` where it is none. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a client that reads what it expects is what is tested
  readonly json: any
}

/** A running `muster serve`, on a free port unless `args` name one. */
export class Service extends Muster {
  url = ""

  static async start(options: RunOptions & { readonly args?: ReadonlyArray<string> } = {}): Promise<Service> {
    const { args = [] } = options
    const port = args.includes("--port") ? [] : ["--port", "0"]
    const service = new Service(["serve", ...port, ...args], options)
    const [, url = ""] = await service.printed(/listens on (https?:\/\/[^\s"]+)/)
    service.url = url
    return service
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  async fetch(path: string, init: RequestInit & { readonly duplex?: "half" } = {}): Promise<Answer> {
    const response = await fetch(this.url + path, init)
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, json: parse(text) }
  }

  send(
    method: string,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {}
  ): Promise<Answer> {
    return this.fetch(path, {
      method,
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body)
    })
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const worker = (id: string, metadata: Readonly<Record<string, unknown>> = {}) => ({
  id,
  capabilities: { cpuCores: 8, memoryMb: 16_384 },
  metadata
})
