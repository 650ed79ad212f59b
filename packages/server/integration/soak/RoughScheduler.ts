/**
 * The reference scheduler, `muster scheduler`, as one that is not to be relied on: it fails, refuses and is slow; it is
 * killed and comes back, at once or after a while, with its memory or without.
 */
import { Worker, WorkerId } from "@muster/core"
import {
  Effect,
  Exit,
  FileSystem,
  Option,
  type PlatformError,
  Random,
  Schedule,
  Schema,
  Scope,
  Stream
} from "effect"
import type { ChildProcessSpawner } from "effect/process"
import { connect } from "node:net"
import { bin } from "../ServiceProcess.ts"
import { makeManagedProcess, type ManagedProcess } from "../torture/ManagedProcess.ts"
import type { Held } from "../torture/SchedulerProtocol.ts"

export interface RoughCounts {
  restarts: number
  /** Restarts without memory. */
  amnesias: number
  /** Times that it was away for seconds. */
  outages: number
}

export interface RoughScheduler {
  readonly counts: RoughCounts
  readonly isAway: () => boolean
  /** Goes on with mischief until it is interrupted. */
  readonly misbehave: Effect.Effect<never>
  /** Ends all mischief, and begins without flaws, with the memory that it has. */
  readonly calm: Effect.Effect<void>
  /** What it holds, by its own record. */
  readonly held: Stream.Stream<Held, PlatformError.PlatformError>
  readonly ends: () => ReadonlyArray<string>
}

const flaws: ReadonlyArray<ReadonlyArray<string>> = [
  ["--fail-rate", "0.05", "--reject-rate", "0.01"],
  ["--latency", "20ms", "--fail-rate", "0.02"],
  ["--latency", "150ms"],
  ["--max-rate", "100"],
  ["--fail-rate", "0.4"],
  []
]

const Entry = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({ generation: Schema.Int, registered: Worker }),
    Schema.Struct({ generation: Schema.Int, unregistered: WorkerId })
  ])
)
const decode = Schema.decodeUnknownOption(Entry)

/** `pace`: seconds between two misfortunes, about. */
export const makeRoughScheduler = Effect.fnUntraced(function* (
  port: number,
  state: string,
  pace: number
): Effect.fn.Return<
  RoughScheduler,
  never,
  ChildProcessSpawner.ChildProcessSpawner | FileSystem.FileSystem | Scope.Scope
> {
  const files = yield* FileSystem.FileSystem
  const context = yield* Effect.context<ChildProcessSpawner.ChildProcessSpawner>()
  const outer = yield* Scope.Scope
  const counts: RoughCounts = { restarts: 0, amnesias: 0, outages: 0 }
  const ends: Array<string> = []
  let current: { readonly process: ManagedProcess; readonly scope: Scope.Closeable } | undefined
  let isAway = true

  const stop = Effect.suspend(() => {
    if (current === undefined) return Effect.void
    const { process, scope } = current
    current = undefined
    ends.push(...process.ends)
    isAway = true
    return Effect.andThen(process.kill, Scope.close(scope, Exit.void))
  }).pipe(Effect.uninterruptible)
  const start = Effect.fnUntraced(function* (flags: ReadonlyArray<string>) {
    const scope = yield* Scope.fork(outer)
    const args = [bin, "scheduler", "--port", String(port), "--state", state, ...flags]
    const process = yield* makeManagedProcess({ command: globalThis.process.execPath, args }).pipe(
      Effect.provideContext(context),
      Scope.provide(scope)
    )
    current = { process, scope }
    yield* process.start
  }, Effect.uninterruptible)

  const listening = Effect.andThen(
    Effect.orDie(Effect.retry(connects(port), Schedule.spaced("100 millis"))),
    Effect.sync(() => {
      isAway = false
    })
  )

  const restart = Effect.gen(function* () {
    yield* stop
    counts.restarts++
    const kind = yield* Random.next
    if (kind < 0.3) {
      counts.amnesias++
      yield* Effect.orDie(files.remove(state, { force: true }))
    } else if (kind < 0.6) {
      counts.outages++
      yield* Effect.sleep((yield* Random.nextBetween(0.2, 0.6)) * pace * 1000)
    }
    yield* start(flaws[yield* Random.nextIntBetween(0, flaws.length - 1)] ?? [])
    // A machine that is busy takes its time to start a process, and that is none of these misfortunes.
    yield* listening
  })

  yield* start(flaws[0] ?? [])
  yield* listening
  return {
    counts,
    isAway: () => isAway,
    misbehave: Effect.forever(
      Effect.andThen(
        Effect.flatMap(Random.nextBetween(0.5, 1.5), (share) => Effect.sleep(share * pace * 1000)),
        restart
      )
    ),
    calm: Effect.andThen(Effect.andThen(stop, start([])), listening),
    held: Stream.unwrap(Effect.map(files.readFileString(state), (text) => Stream.fromIterable(heldIn(text)))),
    ends: () => [...ends, ...(current?.process.ends ?? [])]
  }
})

/** Whether somebody listens. */
const connects = (port: number): Effect.Effect<void, Error> =>
  Effect.callback((resume) => {
    const socket = connect(port, "127.0.0.1")
    socket.on("connect", () => {
      socket.destroy()
      resume(Effect.void)
    })
    socket.on("error", (error) => resume(Effect.fail(error)))
  })

/** The newest word on each worker counts. */
const heldIn = (text: string): Iterable<Held> => {
  const held = new Map<WorkerId, Held & { readonly generation: number; readonly isThere: boolean }>()
  for (const line of text.split("\n")) {
    const entry = Option.getOrUndefined(decode(line))
    if (entry === undefined) continue
    const isThere = "registered" in entry
    const id = isThere ? entry.registered.id : entry.unregistered
    const before = held.get(id)
    if (before !== undefined && before.generation > entry.generation) continue
    const worker = isThere ? entry.registered : before?.worker
    if (worker !== undefined) held.set(id, { worker, generation: entry.generation, isThere })
  }
  return Array.from(held.values()).filter(({ isThere }) => isThere)
}
