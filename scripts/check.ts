/**
 * `pnpm check`: all that can be said about the code without running it.
 *
 * Each step is a script of package.json of the same name. They run side by side, and only those that fail
 * print what they found.
 */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { delimiter, resolve } from "node:path"

const steps = [
  { script: "types", onFailure: "fix the types" },
  { script: "lint", onFailure: "fix the code; .oxlintrc.json says which package may import what" },
  { script: "format:check", onFailure: "run `pnpm format`" },
  { script: "unused", onFailure: "remove what nothing uses, or name it in knip.json" },
  { script: "proto:check", onFailure: "run `pnpm proto`, and mend what it says of the .proto files" },
  { script: "metrics:check", onFailure: "run `pnpm metrics`" },
  {
    script: "dependencies",
    onFailure: "fix what it says; `node scripts/dependencies.ts` writes the tables of docs/dependencies.md"
  },
  { script: "docs", onFailure: "fix the documents" }
]

const root = resolve(import.meta.dirname, "..")
const { scripts }: { scripts: Record<string, string> } = JSON.parse(
  readFileSync(resolve(root, "package.json"), "utf8")
)
const env = {
  ...process.env,
  PATH: `${resolve(root, "node_modules/.bin")}${delimiter}${process.env["PATH"]}`,
  ...(process.stdout.isTTY && process.env["NO_COLOR"] === undefined ? { FORCE_COLOR: "1" } : {})
}

const run = ({ script, onFailure }: (typeof steps)[number]) =>
  new Promise<boolean>((done) => {
    const started = performance.now()
    const output: Array<Buffer> = []
    const child = spawn(scripts[script] ?? `echo "package.json has no script ${script}"; false`, {
      cwd: root,
      env,
      shell: true,
      stdio: ["ignore", "pipe", "pipe"]
    })
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk))
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk))
    child.on("close", (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      if (code === 0) {
        console.log(`✓ ${script} (${seconds} s)`)
      } else {
        console.log(
          `✗ ${script} (${seconds} s): ${onFailure}\n\n${Buffer.concat(output).toString().trimEnd()}\n`
        )
      }
      done(code === 0)
    })
  })

const passed = await Promise.all(steps.map(run))
const failed = steps.filter((_, index) => !passed[index]).map((step) => step.script)
if (failed.length > 0) {
  console.log(
    `Failed: ${failed.join(", ")}. One alone: ${failed.map((name) => `pnpm run ${name}`).join(", ")}`
  )
  process.exitCode = 1
}
