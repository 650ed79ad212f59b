/**
 * The files of the console as they were built, in memory: some hundred kilobytes. A service that runs from source has
 * them built first if they are not there or older than what they are made from.
 */
import { Duration, Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { readdir, readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"

/** There is no console to show, and why. */
export class NoConsole extends Schema.TaggedError<NoConsole>("@muster/server/NoConsole")("NoConsole", {
  message: Schema.String
}) {}

export const encodings = ["br", "gzip"] as const
export type Encoding = (typeof encodings)[number]

export interface ConsoleFile {
  readonly type: string
  readonly etag: string
  readonly plain: Uint8Array
  readonly encoded: ReadonlyMap<Encoding, Uint8Array>
}

const folder = new URL("../../console/", import.meta.url)
const dist = new URL("dist/", folder)
const isFromSource = import.meta.url.endsWith(".ts")

const types: ReadonlyMap<string, string> = new Map([
  ["html", "text/html; charset=utf-8"],
  ["js", "text/javascript; charset=utf-8"],
  ["css", "text/css; charset=utf-8"],
  ["svg", "image/svg+xml"]
])
const endings = new Map<Encoding, string>([
  ["br", ".br"],
  ["gzip", ".gz"]
])

const buildTimeout = Duration.minutes(2)

/** Does nothing where what was built is up to date. */
const build = Effect.callback<void, NoConsole>((resume) => {
  const child = spawn(process.execPath, [fileURLToPath(new URL("build.ts", folder))], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, NODE_ENV: "production" }
  })
  let output = ""
  child.stderr.on("data", (data: Buffer) => {
    output = (output + data.toString()).slice(-4000)
  })
  child.on("error", ({ message }) => resume(Effect.fail(new NoConsole({ message }))))
  child.on("close", (code) =>
    resume(code === 0 ? Effect.void : Effect.fail(new NoConsole({ message: output.trim() })))
  )
  return Effect.sync(() => child.kill())
}).pipe(
  Effect.timeoutOrElse({
    duration: buildTimeout,
    orElse: () => Effect.fail(new NoConsole({ message: `not built within ${Duration.format(buildTimeout)}` }))
  }),
  // What was built before is better than nothing, such as where only what is needed to run is installed.
  Effect.catch((error) =>
    existsSync(new URL("index.html", dist))
      ? Effect.logWarning("The console could not be built anew; an older one is served", error)
      : Effect.fail(error)
  )
)

const read = Effect.tryPromise({
  try: async () => {
    const names = (await readdir(dist, { recursive: true })).map((name) => name.replaceAll("\\", "/"))
    const files = new Map<string, ConsoleFile>()
    for (const name of names) {
      const type = types.get(name.split(".").at(-1) ?? "")
      if (type === undefined) continue
      const plain = await readFile(new URL(name, dist))
      const encoded = new Map<Encoding, Uint8Array>()
      for (const [encoding, ending] of endings) {
        if (names.includes(name + ending)) encoded.set(encoding, await readFile(new URL(name + ending, dist)))
      }
      files.set(`/${name}`, { type, etag: digest(plain), plain, encoded })
    }
    return files
  },
  catch: () => new NoConsole({ message: "it was not built: run `pnpm build`" })
})

const digest = (content: Uint8Array): string =>
  createHash("sha256").update(content).digest("base64url").slice(0, 22)

/** By path below the console's folder, such as `/index.html`. */
export const readConsole: Effect.Effect<ReadonlyMap<string, ConsoleFile>, NoConsole> = Effect.gen(
  function* () {
    if (isFromSource) yield* build
    return yield* read
  }
)
