import { Context, Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openSqliteStore } from "../store/SqliteStore.ts"
import { makeMemoryTokenStore } from "./MemoryTokenStore.ts"
import { testTokenStore } from "./TestTokenStore.ts"
import { TokenStore } from "./TokenStore.ts"

const sqlite = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-tokens-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
  )
  const { services } = yield* Effect.orDie(openSqliteStore(join(directory, "fleet.db")))
  return Context.get(services, TokenStore)
})

testTokenStore("in memory", Effect.sync(makeMemoryTokenStore))
testTokenStore("in SQLite", sqlite)
