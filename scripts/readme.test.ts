/**
 * The commands of README.md that show what they print, against a service of their own: they succeed and print that.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { createInterface } from "node:readline"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { outerEnvironment } from "./environment.ts"

const root = resolve(import.meta.dirname, "..")
const muster = [process.execPath, resolve(root, "packages/server/src/bin.ts")] as const

const shown = Array.from(
  readFileSync(resolve(root, "README.md"), "utf8").matchAll(/```console\n([\s\S]*?)```/g),
  ([, block = ""]) => block.split(/^\$ /m).slice(1)
)
  .flat()
  .map((session) => {
    const [, command = "", output = ""] = /^((?:.*\\\n)*.*)\n([\s\S]*)$/.exec(session) ?? []
    return { command, output: withoutMeasurements(output.trimEnd()) }
  })

/** Generations, times and rates differ from run to run. */
function withoutMeasurements(text: string): string {
  return text.replaceAll(/\b\d{16}\b|\b[\d.,]+ (?:ms|µs|s)\b|\b[\d.,]+(?=\/s\))/g, "…")
}

describe("README.md", { timeout: 30_000 }, () => {
  let service: ChildProcess
  let address = ""

  beforeAll(async () => {
    const [node, bin] = muster
    service = spawn(node, [bin, "serve", "--port", "0"], {
      env: outerEnvironment,
      stdio: ["ignore", "pipe", "inherit"]
    })
    if (service.stdout === null) throw new Error("no output")
    for await (const line of createInterface({ input: service.stdout })) {
      const [, url] = /listens on (http:[^\s"]+)/.exec(line) ?? []
      if (url !== undefined) {
        address = url
        break
      }
    }
    service.stdout.resume()
  }, 30_000)

  afterAll(async () => {
    const exited = once(service, "exit")
    service.kill()
    await exited
  })

  it("shows commands", () => expect(shown.length).toBeGreaterThan(2))

  it.each(shown)("shows what this prints: $command", ({ command, output }) => {
    const script = command
      .replaceAll("http://127.0.0.1:7070", address)
      .replaceAll("npx -y pnpm@10 -s muster", muster.join(" "))
    const { status, stderr, stdout } = spawnSync("bash", ["-ec", script], {
      cwd: root,
      env: outerEnvironment,
      encoding: "utf8"
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" })
    expect(withoutMeasurements(stdout.trimEnd())).toBe(output)
  })
})
