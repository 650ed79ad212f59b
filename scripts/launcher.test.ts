/**
 * The service as a supervisor starts it, with `npx -y pnpm@10 start`: what the outermost process is told reaches
 * the service, and how the service ends is how the outermost process ends. Reads /proc, so it needs Linux.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { request } from "node:http"
import { delimiter, resolve } from "node:path"
import { createInterface } from "node:readline"
import { describe, expect, it } from "vitest"
import { outerEnvironment } from "./environment.ts"

const root = resolve(import.meta.dirname, "..")

/** What a supervisor's environment is like. */
const env = {
  ...outerEnvironment,
  PATH: (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => !folder.includes("node_modules"))
    .join(delimiter)
}

/** The children of a process, and theirs, outermost first. */
const descendants = (pid: number): ReadonlyArray<number> => {
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number)
  return [...children, ...children.flatMap(descendants)]
}

const parentOf = (pid: string): number | undefined => {
  try {
    return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])
  } catch {
    return undefined // gone since the folder was read
  }
}

class Launched {
  output = ""
  readonly exited: Promise<unknown>
  private readonly child: ChildProcess
  private readonly group: number
  private changed = Promise.withResolvers<void>()

  constructor(script: string, ...args: ReadonlyArray<string>) {
    this.child = spawn("npx", ["-y", "pnpm@10", script, ...args], { cwd: root, env, detached: true })
    this.group = this.child.pid ?? Number.NaN
    const collect = (data: Buffer) => {
      this.output += data.toString()
      this.change()
    }
    this.child.stdout?.on("data", collect)
    this.child.stderr?.on("data", collect)
    this.exited = once(this.child, "exit").then(([code, signal]) => {
      this.change()
      return code ?? signal
    })
  }

  /** The processes below the outermost one. */
  get processes(): ReadonlyArray<number> {
    return descendants(this.group)
  }

  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output)
      if (match !== null) return match
      if (this.child.exitCode !== null)
        throw new Error(`It ended with ${this.child.exitCode}:\n${this.output}`)
      await this.changed.promise
    }
  }

  /** To the outermost process alone, as a supervisor does. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.group, signal)
  }

  /** To all processes at once, as a terminal does. */
  interruptGroup(): void {
    process.kill(-this.group, "SIGINT")
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      process.kill(-this.group, "SIGKILL")
    } catch {
      // The whole group has ended.
    }
    await this.exited
  }

  private change(): void {
    this.changed.resolve()
    this.changed = Promise.withResolvers<void>()
  }
}

/** A running service, its address, and the processes from pnpm to itself. */
const start = async () => {
  const launched = new Launched("start", "--port", "0", "--store", "memory")
  const [, url = ""] = await launched.printed(/listens on (http:\/\/[^\s"]+)/)
  return Object.assign(launched, { url, started: launched.processes })
}

describe("npx pnpm start", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "passes %s on, waits, and leaves no process behind",
    async (signal) => {
      await using service = await start()
      expect((await fetch(`${service.url}/healthz`)).status).toBe(200)

      service.signal(signal)
      expect(await service.exited).toBe(0)
      expect(service.output).toContain("everything that was accepted is done")
      expect(service.started.length).toBeGreaterThan(1)
      expect(service.started.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([])
    }
  )

  it("puts no shell in between and no NODE_PATH into the service", async () => {
    await using service = await start()
    const commands = service.started.map((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ")
    )
    expect(commands).toEqual([
      expect.stringMatching(/^node \S*\/pnpm start --port 0 --store memory $/),
      "node_modules/node/bin/node --max-semi-space-size=8 packages/server/src/bin.js serve --port 0 --store memory "
    ])
    const environment = readFileSync(`/proc/${service.started.at(-1)}/environ`, "utf8").split("\0")
    expect(environment.filter((variable) => variable.startsWith("NODE_PATH="))).toEqual([])
  })

  it("finishes what is in flight at Ctrl-C, which every process of the terminal gets and passes on", async () => {
    await using service = await start()
    const upload = request(`${service.url}/v1/workers/batch`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" }
    })
    upload.on("error", () => {}) // the response reports it
    const line = (id: string) => `${JSON.stringify({ id, capabilities: { cpuCores: 1, memoryMb: 1024 } })}\n`
    upload.write(line("before"))
    const [response] = await once(upload, "response")
    response.on("error", () => {}) // the iteration reports it
    const answers = createInterface({ input: response })[Symbol.asyncIterator]()
    await answers.next()

    service.interruptGroup()
    await service.printed(/stopping/)
    upload.end(line("after"))
    expect((await answers.next()).value).toContain(`"id":"after"`)
    expect(await service.exited).toBe(0)
  })

  it("ends as the service ends", async () => {
    await using wrong = new Launched("start", "--port", "a-lot")
    expect(await wrong.exited).toBe(2)
  })
})
