/**
 * `muster scheduler`: the embedded scheduler in a process of its own, served over gRPC.
 */
import { logVerbosity, setLogVerbosity } from "@grpc/grpc-js"
import { EmbeddedScheduler } from "@muster/core"
import { Duration, Effect, type FileSystem, type Path, type PlatformError, type Scope } from "effect"
import type { CannotListen } from "./http/CannotListen.ts"
import { serveGrpc } from "./schedulers/grpc/GrpcServer.ts"
import { CallTally } from "./schedulers/grpc/CallTally.ts"
import { type Misbehaviour, misbehave } from "./schedulers/grpc/Misbehaviour.ts"
import { openJournal } from "./schedulers/grpc/SchedulerJournal.ts"
import { serverTls } from "./schedulers/grpc/ServerTls.ts"
import { Termination } from "./Termination.ts"
import type { TlsFiles } from "./tls/TlsFiles.ts"
import { version } from "./version.ts"
import { WrongUsage } from "./WrongUsage.ts"

export interface ReferenceSchedulerSettings {
  readonly host: string
  readonly port: number
  /** The file that keeps its memory; absent: nothing does. */
  readonly state: string | undefined
  readonly flaws: Misbehaviour
  /** With a certificate and its key: TLS; with a CA besides: only clients that it has signed. */
  readonly tls: TlsFiles | undefined
}

/** Runs until the process is told to end. */
export const runReferenceScheduler = Effect.fnUntraced(function* ({
  flaws,
  host,
  port,
  state,
  tls
}: ReferenceSchedulerSettings): Effect.fn.Return<
  void,
  CannotListen | WrongUsage,
  FileSystem.FileSystem | Path.Path | Scope.Scope | Termination
> {
  const { requested } = yield* Termination
  const { port: embedded, size } = EmbeddedScheduler.make()
  const tally = new CallTally()
  // Otherwise the library writes its own words to standard error, beside the log.
  setLogVerbosity(logVerbosity.NONE)
  const cannotUse = ({ message }: PlatformError.PlatformError) =>
    new WrongUsage({ message: `--state ${state} cannot be used: ${message}` })
  const journal =
    state === undefined ? undefined : yield* Effect.mapError(openJournal(embedded, state), cannotUse)
  const credentials =
    tls && (yield* Effect.mapError(serverTls(tls), ({ message }) => new WrongUsage({ message })))
  const listening = yield* serveGrpc(tally.around(misbehave(journal?.port ?? embedded, flaws)), {
    host,
    port,
    credentials
  })
  if (journal !== undefined) yield* Effect.mapError(journal.begin, cannotUse)
  yield* Effect.logInfo(
    `muster scheduler ${version} listens on ${tls === undefined ? "grpc" : "grpcs"}://${host}:${listening}`
  ).pipe(
    Effect.annotateLogs({
      workers: yield* size,
      state: state ?? "none: it forgets when it ends",
      latency: Duration.format(flaws.latency ?? Duration.zero),
      failRate: flaws.failRate ?? 0,
      rejectRate: flaws.rejectRate ?? 0,
      maxRate: flaws.maxRate ?? "none"
    })
  )
  yield* Effect.forkScoped(tellEachSecond(tally, size))
  const signal = yield* requested
  yield* Effect.logInfo(`Received ${signal}; stopping with ${yield* size} workers`)
})

/** What was asked for in each second in which something was. */
const tellEachSecond = (tally: CallTally, size: Effect.Effect<number>) =>
  Effect.forever(
    Effect.gen(function* () {
      yield* Effect.sleep("1 second")
      const { accepted, failed, refused } = tally.take()
      if (accepted + failed + refused === 0) return
      yield* Effect.logInfo("Registrations and unregistrations in the last second").pipe(
        Effect.annotateLogs({ accepted, refused, failed, workers: yield* size })
      )
    })
  )
