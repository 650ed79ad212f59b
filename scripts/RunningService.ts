/**
 * `muster serve` on a free port, from its announcement to its end.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { resolve } from "node:path"
import { createInterface } from "node:readline"
import { outerEnvironment } from "./environment.ts"

export const bin = resolve(import.meta.dirname, "../packages/server/src/bin.js")

/** The settings in effect, as the service announces them. */
export type Announcement = Readonly<Record<string, unknown>> & { readonly url: string }

/** Starts it with these variables, over a store in memory, and waits until it listens. */
export const startService = async (variables: Readonly<Record<string, string>> = {}) => {
  const service = spawn(process.execPath, [bin, "serve", "--port", "0"], {
    env: { ...outerEnvironment, ...variables, MUSTER_STORE: "memory" },
    stdio: ["ignore", "pipe", "inherit"]
  })
  const exited = once(service, "exit")
  const stop = async () => {
    service.kill()
    await exited
  }
  for await (const line of createInterface({ input: service.stdout })) {
    const { annotations, message }: { annotations: Announcement; message: string } = JSON.parse(line)
    if (!message.includes(" listens on ")) continue
    service.stdout.resume()
    return { announcement: annotations, stop }
  }
  throw new Error("muster serve ended before it listened")
}
