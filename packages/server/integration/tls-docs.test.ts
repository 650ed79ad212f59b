/**
 * The session in docs/tls.md works as it stands there: each block is what somebody types in a terminal.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { hasOpenssl, whyNoOpenssl } from "./Certificates.ts"
import { bin } from "./ServiceProcess.ts"
import { freePort } from "./torture/FreePort.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const page = readFileSync(join(root, "docs/tls.md"), "utf8")
const blocks = Array.from(page.matchAll(/^```sh\n(.*?)^```/gms), ([, block = ""]) => block)

/** What runs until it is told to end goes on in the background, as in another terminal; its log is waited for. */
const script = `set -eu
terminals=()
trap 'kill "\${terminals[@]}" && wait' EXIT
muster() { "$NODE" "$BIN" "$@"; }
heard() { for _ in $(seq 400); do if grep -q "$2" "$1"; then return; fi; sleep 0.1; done; cat "$1"; exit 1; }
${blocks
  .map((block, index) =>
    /muster (?:scheduler|serve)/.test(block)
      ? `{ ${block.replace(/pnpm muster/, 'exec "$NODE" "$BIN"')}} > ${index}.log 2>&1 &
terminals+=($!)
heard ${index}.log "listens on"`
      : block.replaceAll("pnpm muster", "muster")
  )
  .join("\n")}
heard 2.log "tls/muster.key: read again"
`

describe.skipIf(!hasOpenssl)(`docs/tls.md${whyNoOpenssl}`, () => {
  it("has a session that works", { timeout: 180_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "muster-tls-docs-"))
    try {
      symlinkSync(join(root, "examples"), join(folder, "examples"))
      const [http, grpc] = await Effect.runPromise(Effect.all([freePort, freePort]))
      const here = script
        .replaceAll("localhost:7070", `localhost:${http}`)
        .replaceAll("localhost:7071", `localhost:${grpc}`)
        .replace(`"$BIN" scheduler`, `"$BIN" scheduler --port ${grpc}`)
      writeFileSync(join(folder, "session.sh"), here)
      const { status, stderr, stdout } = spawnSync("bash", ["session.sh"], {
        cwd: folder,
        encoding: "utf8",
        env: {
          PATH: process.env["PATH"],
          NODE: process.execPath,
          BIN: bin,
          MUSTER_STORE: "memory",
          MUSTER_PORT: String(http)
        }
      })
      assert.strictEqual(status, 0, stdout + stderr)
      assert.match(stdout, /4 workers registered/)
      assert.match(stdout, /^\{"status":"ok"/m)
      assert.match(stdout, /refused/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
