/**
 * Where the token comes from with which a worker is registered. It can be used once, so it is read anew for every
 * attempt, and never written anywhere: not even a part of it stands in a message.
 */
import type { WorkerId } from "@muster/core"
import { type SchedulerError, SchedulerFault } from "@muster/core"
import { Effect, FileSystem, Redacted, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"

/**
 * A file that holds the token, or a program that prints it; spaces and line ends around it are dropped. `{id}` in the
 * file's name or in an argument stands for the worker's id; without it, all workers share the source. The program is
 * started as it stands here, by no shell.
 */
export type TokenSource =
  | { readonly file: string }
  | { readonly command: readonly [program: string, ...args: ReadonlyArray<string>] }

type Services = FileSystem.FileSystem | ChildProcessSpawner.ChildProcessSpawner

/** A token for this worker. What goes wrong is a fault that may be gone at the next attempt. */
export const readToken = (
  source: TokenSource,
  workerId: WorkerId
): Effect.Effect<Redacted.Redacted, SchedulerError, Services> => {
  const fill = (template: string) => template.replaceAll("{id}", workerId)
  const read: Effect.Effect<string, SchedulerError, Services> =
    "file" in source ? fromFile(fill(source.file)) : fromCommand(source.command, fill)
  return Effect.flatMap(read, toToken)
}

/** A token is a line of text; a file that is larger is another one. */
const mostBytes = 8192

const fromFile = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  return yield* collect(files.stream(path, { bytesToRead: mostBytes + 1 })).pipe(
    Effect.mapError(({ reason }) => fault(`the file ${path} cannot be read: ${reason._tag}`))
  )
})

const fromCommand = Effect.fnUntraced(function* (
  [program, ...args]: readonly [string, ...ReadonlyArray<string>],
  fill: (template: string) => string
) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const cannotRun = ({ reason }: { readonly reason: { readonly _tag: string } }) =>
    fault(`${program} cannot be run: ${reason._tag}`)
  // Its other output is not shown either: it is not for Muster to know what stands there.
  const command = ChildProcess.make(program, args.map(fill), {
    stdin: "ignore",
    stderr: "ignore",
    forceKillAfter: "1 second"
  })
  const child = yield* Effect.mapError(spawner.spawn(command), cannotRun)
  const printed = yield* Effect.mapError(collect(child.stdout), cannotRun)
  const code = yield* Effect.mapError(child.exitCode, cannotRun)
  if (code !== 0) return yield* fault(`${program} ended with ${code}`)
  return printed
}, Effect.scoped)

const collect = <E>(bytes: Stream.Stream<Uint8Array, E>) =>
  Stream.runFold(
    bytes,
    () => "",
    (text, chunk) => (text.length > mostBytes ? text : text + Buffer.from(chunk).toString("latin1"))
  )

/** Printable ASCII, as everything that travels in tokens is. */
const toToken = (text: string): Effect.Effect<Redacted.Redacted, SchedulerError> => {
  const token = text.trim()
  if (token === "") return Effect.fail(fault("it is empty"))
  return /^[\x21-\x7e]+$/.test(token) && token.length <= mostBytes
    ? Effect.succeed(Redacted.make(token, { label: "token" }))
    : Effect.fail(
        fault(`what was read is no token: not one word of at most ${mostBytes} printable ASCII characters`)
      )
}

const fault = (reason: string) =>
  new SchedulerFault({ message: `no token for the registration: ${reason}`, retryable: true })
