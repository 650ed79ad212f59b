/**
 * Every scheduler that is spoken to over TLS, as a real server that asks who is calling: what Muster shows it, and how
 * certificates are replaced on both sides while Muster runs.
 */
import { assert, describe, it } from "@effect/vitest"
import { EmbeddedScheduler, RegistrationConfig, SchedulerPort, Worker } from "@muster/core"
import { ConfigProvider, Context, Effect, Exit, Layer, Logger, Schedule, Scope } from "effect"
import { once } from "node:events"
import { copyFileSync, mkdtempSync, renameSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect } from "node:tls"
import { serveGrpc } from "../src/schedulers/grpc/GrpcServer.ts"
import { serverTls } from "../src/schedulers/grpc/ServerTls.ts"
import { schedulerLayer } from "../src/Schedulers.ts"
import { Authority, hasOpenssl, whyNoOpenssl } from "./Certificates.ts"
import { hasEtcd, startEtcd, whyNoEtcd } from "./EtcdServer.ts"
import { HodeiServer } from "./hodei/HodeiServer.ts"
import { freePort } from "./torture/FreePort.ts"

/** Three files that can be replaced. */
interface Files {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Names all three anew, as if this side were another; each is there as a whole at any time. */
const place = ({ ca, cert, key }: Files, authority: Authority) =>
  Effect.sync(() => {
    const pair = authority.issue()
    for (const [from, to] of [
      [authority.ca, ca],
      [pair.cert, cert],
      [pair.key, key]
    ] as const) {
      copyFileSync(from, `${to}.new`)
      renameSync(`${to}.new`, to)
    }
  })

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-tls-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const filesOf = (path: string, side: string): Files => ({
  ca: join(path, `${side}-ca.pem`),
  cert: join(path, `${side}.pem`),
  key: join(path, `${side}.key`)
})

const named = ({ ca, cert, key }: Files) => ({
  ca: { name: "ca", path: ca },
  cert: { name: "cert", path: cert },
  key: { name: "key", path: key }
})

/** Listens on this port until the scope ends, with what is in the files; clients need a certificate of that CA. */
type Serve = (files: Files, port: number) => Effect.Effect<unknown, unknown, Scope.Scope>

const portOf = (spec: string, env: Readonly<Record<string, string>>) =>
  Layer.build(schedulerLayer(spec)).pipe(
    Effect.map((context) => Context.get(context, SchedulerPort)),
    Effect.provide(RegistrationConfig.layer({ attemptTimeout: "2 seconds" })),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env)))
  )

const outcome = ({ register }: SchedulerPort["Service"]) =>
  Effect.flatMap(Worker.decode({ id: "a", capabilities: { cpuCores: 1, memoryMb: 1 } }), (worker) =>
    register(worker, { generation: 1 })
  ).pipe(Effect.match({ onSuccess: () => "registered", onFailure: ({ _tag }) => _tag }))

const trial = (scheme: string, serve: Serve) =>
  Effect.gen(function* () {
    const [before, after] = [new Authority("before"), new Authority("after")]
    const path = yield* folder
    const [server, client] = [filesOf(path, "server"), filesOf(path, "client")]
    yield* place(server, before)
    yield* place(client, before)
    const address = `127.0.0.1:${yield* freePort}`
    const port = Number(address.split(":")[1])
    const first = yield* Scope.make()
    yield* Scope.provide(serve(server, port), first)

    const trusting = { MUSTER_SCHEDULER_CA: client.ca }
    const known = { ...trusting, MUSTER_SCHEDULER_CERT: client.cert, MUSTER_SCHEDULER_KEY: client.key }
    const spec = `${scheme}://${address}`
    const scheduler = yield* portOf(spec, known)
    assert.strictEqual(yield* outcome(scheduler), "registered")
    assert.strictEqual(yield* outcome(yield* portOf(spec, trusting)), "SchedulerUnavailable")
    assert.strictEqual(yield* outcome(yield* portOf(spec, {})), "SchedulerUnavailable")

    // Another authority on the other side, and after that on this one.
    yield* place(server, after)
    yield* Scope.close(first, Exit.void)
    yield* serve(server, port)
    assert.strictEqual(yield* outcome(scheduler), "SchedulerUnavailable")
    yield* place(client, after)
    yield* Effect.repeat(outcome(scheduler), {
      schedule: Schedule.spaced("200 millis"),
      until: (found) => found === "registered"
    })
    return { after, client, port, scheduler, server }
  })

/** That certificates were read again. */
const quiet = Logger.layer([])

describe.skipIf(!hasOpenssl)(`mutual TLS with a scheduler${whyNoOpenssl}`, () => {
  it.live("grpcs://, whose server takes new files as well, and keeps its connections", () =>
    Effect.gen(function* () {
      const serve: Serve = (files, port) =>
        Effect.flatMap(serverTls(named(files)), (credentials) =>
          serveGrpc(EmbeddedScheduler.make().port, { host: "127.0.0.1", port, credentials })
        )
      const { after, port, scheduler, server } = yield* trial("grpcs", serve)
      const shown = Effect.promise(async () => {
        const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] })
        socket.on("error", () => {}) // it has no certificate to show, and does not need one for this
        await once(socket, "secureConnect")
        const { fingerprint256 } = socket.getPeerCertificate()
        socket.destroy()
        return fingerprint256
      })
      const old = yield* shown
      yield* place(server, after)
      yield* Effect.repeat(shown, {
        schedule: Schedule.spaced("200 millis"),
        until: (fingerprint) => fingerprint !== old
      })
      assert.strictEqual(yield* outcome(scheduler), "registered")
    }).pipe(Effect.provide(quiet))
  )

  it.live("hodeis://", () =>
    trial("hodeis", (files, port) =>
      Effect.flatMap(serverTls(named(files)), (credentials) => HodeiServer.start({ port, credentials }))
    ).pipe(Effect.provide(quiet))
  )

  it.live.skipIf(!hasEtcd)(`etcds://${whyNoEtcd}`, () =>
    trial("etcds", ({ ca, cert, key }, port) =>
      startEtcd(
        {
          "cert-file": cert,
          "key-file": key,
          "trusted-ca-file": ca,
          "client-cert-auth": "true",
          "auto-tls": "false"
        },
        { tls: true, tlsPort: port }
      )
    ).pipe(Effect.provide(quiet))
  )
})
