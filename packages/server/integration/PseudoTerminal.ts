/**
 * `muster` on a terminal of its own, made by util-linux's `script`.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const bin = fileURLToPath(new URL("../src/bin.js", import.meta.url))

export const hasScript = spawnSync("script", ["--version"]).status === 0

export interface TerminalOptions {
  readonly columns?: number
  readonly rows?: number
  readonly env?: Readonly<Record<string, string>>
}

export class PseudoTerminal {
  /** Everything that was written to the screen, escape sequences included. */
  output = ""
  private readonly child: ChildProcess
  private readonly exited: Promise<number | null>
  private changed = Promise.withResolvers<void>()

  constructor(args: ReadonlyArray<string>, { columns = 100, env = {}, rows = 24 }: TerminalOptions = {}) {
    const quoted = [process.execPath, bin, ...args].map((arg) => `'${arg.replaceAll("'", "'\\''")}'`)
    const command = `stty cols ${columns} rows ${rows}; exec ${quoted.join(" ")}`
    const inherited = Object.entries(process.env).filter(
      ([name]) => !name.startsWith("MUSTER_") && name !== "NO_COLOR" && name !== "FORCE_COLOR"
    )
    this.child = spawn("script", ["-qefc", command, "/dev/null"], {
      env: { ...Object.fromEntries(inherited), TERM: "xterm-256color", SHELL: "/bin/sh", ...env }
    })
    this.child.stdout?.on("data", (data: Buffer) => {
      this.output += data.toString()
      this.change()
    })
    this.exited = once(this.child, "close").then(() => {
      this.change()
      return this.child.exitCode
    })
  }

  /** What stands on the screen after the latest drawing in place. */
  get screen(): string {
    return withoutEscapes(this.output.slice(this.output.lastIndexOf("\u001b[H")))
  }

  /** Waits until `look` finds what it looks for. */
  async until(look: (terminal: this) => boolean): Promise<void> {
    while (!look(this)) {
      if (this.child.exitCode !== null) throw new Error(`muster ended:\n${this.output}`)
      await this.changed.promise
    }
  }

  type(keys: string): void {
    this.child.stdin?.write(keys)
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

export const withoutEscapes = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- these are what is taken out
  text.replace(/\u001b\[[?\d;]*[A-Za-z]/g, "").replaceAll("\r", "")
