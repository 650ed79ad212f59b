/**
 * A real etcd for tests: started in a directory of its own, killed, started again, with its data or without, and gone
 * with the scope.
 */
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "./torture/FreePort.ts"

/** Whether this machine has the program. Without it the tests that need it are skipped. */
export const hasEtcd = spawnSync("etcd", ["--version"]).status === 0

/** What a test that needs etcd has after its name. */
export const whyNoEtcd = hasEtcd ? "" : " (skipped: there is no etcd; Debian has it as etcd-server)"

export interface EtcdServer {
  /** `HOST:PORT`. */
  readonly address: string
  /** The file with its certificate, where it speaks TLS. */
  readonly certificate: string
  /** Returns when it answers. */
  readonly start: Effect.Effect<void>
  /** Not asked, and without a chance to clean up. Returns when it has ended. */
  readonly kill: Effect.Effect<void>
  /** Removes all that it has stored. Only while it does not run. */
  readonly loseData: Effect.Effect<void>
  /** Calls it by its JSON gateway, which shares nothing with the adapter; `path` begins after `/v3`. */
  readonly post: (path: string, body: unknown, token?: string) => Effect.Effect<EtcdAnswer>
  /** Every key with this beginning and its value, as text. */
  readonly values: (beginning: string) => Effect.Effect<ReadonlyMap<string, string>>
  readonly put: (key: string, value: string) => Effect.Effect<void>
  /** Removes every key with this beginning. */
  readonly remove: (beginning: string) => Effect.Effect<void>
  /** The ids of all leases. */
  readonly leases: Effect.Effect<ReadonlyArray<string>>
}

// oxlint-disable-next-line typescript/no-explicit-any -- a client that reads what it expects is what is tested
export type EtcdAnswer = any

/** Flags of etcd, without their dashes. */
type Settings = Readonly<Record<string, string>>

interface Tls {
  /** It makes itself a certificate, unless the settings name one. */
  readonly tls?: boolean
  /** Default: any that is free. */
  readonly tlsPort?: number
}

export const startEtcd = (
  settings: Settings = {},
  { tls = false, tlsPort }: Tls = {}
): Effect.Effect<EtcdServer, never, Scope.Scope> =>
  Effect.flatMap(freePort, (peerPort) =>
    startMember([peerPort], peerPort, settings, tls ? (tlsPort ?? 0) : undefined)
  )

/** So many that are one. */
export const startEtcdCluster = (
  size: number
): Effect.Effect<ReadonlyArray<EtcdServer>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const peerPorts = yield* Effect.replicateEffect(freePort, size)
    // None answers before most of them are there.
    return yield* Effect.forEach(peerPorts, (peerPort) => startMember(peerPorts, peerPort, {}, undefined), {
      concurrency: "unbounded"
    })
  })

const startMember = (
  peerPorts: ReadonlyArray<number>,
  peerPort: number,
  settings: Settings,
  /** 0: any that is free; `undefined`: no TLS. */
  wantedTlsPort: number | undefined
): Effect.Effect<EtcdServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const root = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-etcd-"))),
      (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
    )
    const port = yield* freePort
    const data = join(root, "data")
    const tls = wantedTlsPort !== undefined
    const tlsPort = wantedTlsPort === undefined || wantedTlsPort === 0 ? yield* freePort : wantedTlsPort
    const url = `http://127.0.0.1:${port}`
    const peerUrlOf = (port: number) => `http://127.0.0.1:${port}`
    let child: ChildProcess | undefined

    const post: EtcdServer["post"] = (path, body, token) =>
      Effect.promise(async () => {
        const response = await fetch(`${url}/v3${path}`, {
          method: "POST",
          headers: token === undefined ? {} : { authorization: token },
          body: JSON.stringify(body)
        })
        return response.json()
      })

    const start = Effect.promise(async () => {
      const flags = {
        name: `member-${peerPort}`,
        "data-dir": data,
        logger: "zap",
        "log-level": "error",
        "listen-client-urls": tls ? `${url},https://127.0.0.1:${tlsPort}` : url,
        "advertise-client-urls": url,
        "listen-peer-urls": peerUrlOf(peerPort),
        "initial-advertise-peer-urls": peerUrlOf(peerPort),
        "initial-cluster": peerPorts.map((port) => `member-${port}=${peerUrlOf(port)}`).join(","),
        ...(tls ? { "auto-tls": "true" } : {}),
        ...settings
      }
      const started = spawn(
        "etcd",
        Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
        { stdio: ["ignore", "ignore", "pipe"], cwd: root }
      )
      child = started
      let errors = ""
      started.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()))
      for (;;) {
        if (started.exitCode !== null) throw new Error(`etcd ended:\n${errors}`)
        try {
          // With a key to read it answers when it has a leader, whatever else is wrong with it.
          const body = JSON.stringify({ key: base64("x") })
          const { status } = await fetch(`${url}/v3/kv/range`, { method: "POST", body })
          if (status < 500) return
        } catch {
          // It does not listen yet.
        }
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    })
    const kill = Effect.promise(async () => {
      const running = child
      child = undefined
      if (running === undefined || running.exitCode !== null) return
      const ended = once(running, "exit")
      running.kill("SIGKILL")
      await ended
    })
    yield* Effect.acquireRelease(start, () => kill)

    return {
      address: `127.0.0.1:${tls ? tlsPort : port}`,
      certificate: join(data, "fixtures/client/cert.pem"),
      start,
      kill,
      loseData: Effect.sync(() => rmSync(data, { recursive: true, force: true })),
      post,
      values: (beginning) =>
        Effect.map(post("/kv/range", range(beginning)), (answer) => {
          const kvs: ReadonlyArray<{ readonly key: string; readonly value?: string }> = answer.kvs ?? []
          return new Map(kvs.map(({ key, value = "" }) => [text(key), text(value)]))
        }),
      put: (key, value) => post("/kv/put", { key: base64(key), value: base64(value) }),
      remove: (beginning) => post("/kv/deleterange", range(beginning)),
      leases: Effect.map(post("/lease/leases", {}), ({ leases = [] }): ReadonlyArray<string> =>
        leases.map(({ ID }: { readonly ID: string }) => ID)
      )
    }
  })

const range = (beginning: string) => ({ key: base64(beginning), range_end: base64(endOf(beginning)) })

const base64 = (text: string): string => Buffer.from(text).toString("base64")

const text = (base64: string): string => Buffer.from(base64, "base64").toString()

/** The first string that does not begin so. */
const endOf = (beginning: string): string =>
  beginning.slice(0, -1) + String.fromCharCode(beginning.charCodeAt(beginning.length - 1) + 1)
