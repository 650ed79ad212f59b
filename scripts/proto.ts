/**
 * `pnpm proto`: checks the .proto files of the server, and generates the code that reads and writes their messages.
 * With --check nothing is written; it fails if the code that is there is not what would be generated.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const server = join(root, "packages/server")
const generated = join(server, "src/schedulers/generated")
const isCheck = process.argv.includes("--check")

const buf = (...args: ReadonlyArray<string>): void => {
  const { error, status } = spawnSync("buf", args, {
    cwd: server,
    env: {
      ...process.env,
      PATH: `${join(root, "scripts/node_modules/.bin")}${delimiter}${process.env["PATH"]}`
    },
    stdio: "inherit"
  })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(1)
}

const filesOf = (folder: string): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => [name, readFileSync(join(folder, name), "utf8")])
  )

buf("lint")
if (isCheck) {
  const folder = mkdtempSync(join(tmpdir(), "proto-"))
  try {
    // Writes to the same path below another folder.
    buf("generate", "--output", folder)
    const [expected, actual] = [filesOf(join(folder, "src/schedulers/generated")), filesOf(generated)]
    const stale = Array.from(new Set([...expected.keys(), ...actual.keys()])).filter(
      (name) => expected.get(name) !== actual.get(name)
    )
    for (const name of stale) console.error(`not what the .proto files say: ${join(generated, name)}`)
    if (stale.length > 0) process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true })
  }
} else {
  buf("generate", "--clean")
}
