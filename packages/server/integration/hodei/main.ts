/**
 * The server of Hodei's definitions as a process, to try the adapter against: `main.ts PORT [TOKENS]`. TOKENS is a
 * folder with a file for each worker that may register, named by its id, which holds its token and is deleted when
 * the token is used. Without it no token is needed.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { HodeiServer } from "./HodeiServer.ts"

const [port = "50051", tokens] = process.argv.slice(2)

const useTokenFile = (folder: string) => (token: string, workerId: string) => {
  const path = join(folder, encodeURIComponent(workerId))
  try {
    if (readFileSync(path, "utf8").trim() !== token) return false
    rmSync(path)
    return true
  } catch {
    return false
  }
}

Effect.gen(function* () {
  const server = yield* HodeiServer.start({
    port: Number(port),
    useToken: tokens === undefined ? undefined : useTokenFile(tokens),
    onChange: (change) => console.log(change)
  })
  yield* Console.log(`Hodei's test server listens on 127.0.0.1:${server.port}`)
  yield* Effect.never
}).pipe(Effect.scoped, NodeRuntime.runMain)
