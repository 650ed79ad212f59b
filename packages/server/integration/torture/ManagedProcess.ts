/**
 * A process that can be killed and paused at any moment, and that is started again when it ends by itself, as a
 * service manager would.
 */
import { Duration, Effect, Exit, Fiber, Option, Scope, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { fileURLToPath } from "node:url"

/** From a start of the process to its end. Times are milliseconds since 1970. */
export interface Life {
  readonly pid: number
  /** Before it was killed. */
  killedAt: number | undefined
  /** From before it was stopped until before it could go on, or was killed. */
  readonly stops: Array<{ readonly from: number; to: number }>
}

export interface ManagedProcess {
  readonly start: Effect.Effect<void>
  /** SIGTERM; returns when it has ended. One that does not within this time is killed, and one of the {@link ends}. */
  readonly terminate: (within: Duration.Duration) => Effect.Effect<void>
  /** `kill -9`; returns when it has ended. */
  readonly kill: Effect.Effect<void>
  /** Of the one that runs now. */
  readonly pid: () => number | undefined
  /** Every one there was, the newest last. */
  readonly lives: ReadonlyArray<Life>
  /** SIGSTOP and SIGCONT. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /** How often it ended although nobody killed it, and what it had to say then. */
  readonly ends: ReadonlyArray<string>
  /** Lines that it printed and that begin with {@link errorMark}. */
  readonly errors: ReadonlyArray<string>
}

/** What a process prints before something that should not happen to it, whatever is done to it. */
export const errorMark = "ERROR"

interface Incarnation {
  readonly handle: ChildProcessSpawner.ChildProcessHandle
  readonly scope: Scope.Closeable
  readonly life: Life
  isKilled: boolean
  isAskedToEnd: boolean
  watcher: Fiber.Fiber<void> | undefined
}

const linesKept = 100
const restartDelay = "200 millis"

export interface ProcessOptions {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** Is told each of the {@link ManagedProcess.ends} and the errors when it happens. */
  readonly tell?: (line: string) => void
}

/** A program of this folder, run by the Node that runs this. */
export const nodeProgram = (file: string, args: ReadonlyArray<string>, env: Record<string, string> = {}) => ({
  command: process.execPath,
  args: [fileURLToPath(new URL(file, import.meta.url)), ...args],
  env
})

export const makeManagedProcess = Effect.fnUntraced(function* ({
  args,
  command,
  env = {},
  tell = () => {}
}: ProcessOptions): Effect.fn.Return<
  ManagedProcess,
  never,
  ChildProcessSpawner.ChildProcessSpawner | Scope.Scope
> {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const outer = yield* Scope.Scope
  const output: Array<string> = []
  const ends: Array<string> = []
  const errors: Array<string> = []
  const lives: Array<Life> = []
  let current: Incarnation | undefined

  const tellOf = (list: Array<string>, line: string) => {
    list.push(line)
    tell(line)
  }

  const start: Effect.Effect<void> = Effect.uninterruptible(
    Effect.gen(function* () {
      if (current !== undefined) return
      const scope = yield* Scope.fork(outer)
      const handle = yield* spawner
        .spawn(
          ChildProcess.make(command, args, {
            env: { PATH: process.env["PATH"], TZ: "UTC", ...env },
            killSignal: "SIGKILL",
            // A signal meets this process alone, and not those that it has started.
            detached: false
          })
        )
        .pipe(Scope.provide(scope), Effect.orDie)
      const life: Life = { pid: handle.pid, killedAt: undefined, stops: [] }
      const incarnation: Incarnation = {
        handle,
        scope,
        life,
        isKilled: false,
        isAskedToEnd: false,
        watcher: undefined
      }
      lives.push(life)
      current = incarnation
      incarnation.watcher = yield* Effect.forkIn(watch(incarnation), outer)
    })
  )

  const watch = Effect.fnUntraced(function* (incarnation: Incarnation) {
    const { handle, scope } = incarnation
    const reader = yield* handle.all.pipe(
      Stream.decodeText,
      Stream.splitLines,
      Stream.runForEach((line) =>
        Effect.sync(() => {
          output.push(line)
          if (line.startsWith(errorMark)) tellOf(errors, line)
          if (output.length > linesKept * 2) output.splice(0, linesKept)
        })
      ),
      Effect.ignore,
      Effect.forkChild
    )
    const exit = yield* Effect.exit(handle.exitCode)
    if (incarnation.isKilled) return
    yield* Fiber.join(reader)
    const how = Exit.isSuccess(exit) ? `with ${exit.value}` : "by a signal"
    const isAsItWasAsked = incarnation.isAskedToEnd && how === "with 0"
    if (!isAsItWasAsked) tellOf(ends, [`ended ${how}`, ...output.slice(-5)].join("\n  "))
    yield* Scope.close(scope, Exit.void)
    if (current !== incarnation) return
    current = undefined
    if (incarnation.isAskedToEnd) return
    yield* Effect.sleep(restartDelay)
    yield* start
  })

  const kill = Effect.uninterruptible(
    Effect.suspend(() => {
      if (current === undefined) return Effect.void
      const { life, scope } = current
      current.isKilled = true
      current = undefined
      life.killedAt = Date.now()
      endStop(life)
      return Scope.close(scope, Exit.void)
    })
  )

  const signal = (name: NodeJS.Signals) => {
    try {
      if (current !== undefined) process.kill(current.handle.pid, name)
    } catch {
      // It has just ended.
    }
  }

  const terminate = Effect.fnUntraced(function* (within: Duration.Duration) {
    if (current?.watcher === undefined) return
    const { watcher } = current
    current.isAskedToEnd = true
    signal("SIGTERM")
    if (Option.isSome(yield* Effect.timeoutOption(Fiber.join(watcher), within))) return
    tellOf(
      ends,
      [`did not end within ${Duration.format(within)} of SIGTERM`, ...output.slice(-5)].join("\n  ")
    )
    yield* kill
  })

  return {
    start,
    kill,
    terminate,
    pid: () => current?.handle.pid,
    lives,
    pause: Effect.sync(() => {
      current?.life.stops.push({ from: Date.now(), to: Infinity })
      signal("SIGSTOP")
    }),
    resume: Effect.sync(() => {
      if (current !== undefined) endStop(current.life)
      signal("SIGCONT")
    }),
    ends,
    errors
  }
})

const endStop = ({ stops }: Life): void => {
  const last = stops.at(-1)
  if (last?.to === Infinity) last.to = Date.now()
}
