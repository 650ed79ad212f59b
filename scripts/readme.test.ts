/**
 * The commands of README.md that show what they print, against a service of their own: they succeed and print that.
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { outerEnvironment } from "./environment.ts"
import { bin, startService } from "./RunningService.ts"

const root = resolve(import.meta.dirname, "..")

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

describe("README.md", () => {
  let service: Awaited<ReturnType<typeof startService>>

  beforeAll(async () => {
    service = await startService()
  })

  afterAll(() => service.stop())

  it("shows commands", () => expect(shown.length).toBeGreaterThan(2))

  it.each(shown)("shows what this prints: $command", ({ command, output }) => {
    const script = command
      .replaceAll("http://127.0.0.1:7070", service.announcement.url)
      .replaceAll("npx -y pnpm@10 -s muster", `${process.execPath} ${bin}`)
    const { status, stderr, stdout } = spawnSync("bash", ["-ec", script], {
      cwd: root,
      env: outerEnvironment,
      encoding: "utf8"
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" })
    expect(withoutMeasurements(stdout.trimEnd())).toBe(output)
  })
})
