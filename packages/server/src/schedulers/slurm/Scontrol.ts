/**
 * Slurm's own client, `scontrol`, as a process for each call: never through a shell, a few at a time, and killed when
 * nobody waits for it any more.
 *
 * With the controller down it says so after nine seconds, while `scontrol ping` says so at once. So whoever reads
 * pings first, and a call that takes longer than a second is doubted and asked about in the same way.
 */
import { type SchedulerError, SchedulerFault, SchedulerUnavailable } from "@muster/core"
import { Duration, Effect, Fiber, Semaphore, Stream } from "effect"
import type * as PlatformError from "effect/PlatformError"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { errorOf, kindOf } from "./SlurmErrors.ts"

export interface ScontrolOptions {
  /** Which `scontrol`, as a path or a name to be found in `PATH`. */
  readonly program: string
  /** The slurm.conf of the cluster; absent: as Slurm's clients find it. */
  readonly conf: string | undefined
  /** The most changes at the same time. */
  readonly concurrency: number
  /** How long a call may take. */
  readonly timeout: Duration.Duration
}

export interface Scontrol {
  /** Asks for one thing. Fails where the controller is away; where it refuses, the answer says so. */
  readonly call: (...args: ReadonlyArray<string>) => Effect.Effect<Answer, SchedulerError>
  /**
   * What is printed, line by line as it comes. A refusal without a word on standard error is none: some of what was
   * asked for is not there, and a line says so.
   */
  readonly lines: (...args: ReadonlyArray<string>) => Stream.Stream<string, SchedulerError>
  /** What `scontrol ping` says. */
  readonly ping: Effect.Effect<Controllers, SchedulerError>
}

export interface Answer {
  readonly printed: string
  /** Why it was refused, in Slurm's words; absent: it was not. */
  readonly refusal: string | undefined
}

/** How many controllers there are, of each kind. */
export interface Controllers {
  readonly up: number
  readonly down: number
}

/** What takes longer may be waiting for a controller that is not there. */
const patience = Duration.seconds(1)

/** What a process says is kept up to this length; what it lists is not kept. */
const maxSaid = 2 ** 20

export const makeScontrol = Effect.fnUntraced(function* ({
  concurrency,
  conf,
  program,
  timeout
}: ScontrolOptions): Effect.fn.Return<Scontrol, never, ChildProcessSpawner.ChildProcessSpawner> {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const permits = yield* Semaphore.make(concurrency)
  const cannotRun = ({ message }: PlatformError.PlatformError) =>
    new SchedulerFault({ message: `${program} cannot be run: ${message}`, retryable: true })

  const launch = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
    const command = ChildProcess.make(program, args, {
      stdin: "ignore",
      env: { ...(conf === undefined ? undefined : { SLURM_CONF: conf }), LC_ALL: "C" },
      extendEnv: true,
      // It starts no processes of its own, so it needs no group.
      detached: false,
      killSignal: "SIGKILL"
    })
    const { exitCode, stderr, stdout } = yield* Effect.mapError(spawner.spawn(command), cannotRun)
    const said = yield* Effect.forkScoped(textOf(stderr))
    return {
      stdout: Stream.mapError(stdout, cannotRun),
      ended: Effect.mapError(Effect.all({ code: exitCode, said: Fiber.join(said) }), cannotRun)
    }
  })

  /** Runs to its end, whatever the exit code. */
  const finish = (args: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const { ended, stdout } = yield* launch(args)
      const printed = yield* textOf(stdout)
      return { ...(yield* ended), printed }
    }).pipe(
      Effect.scoped,
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () => {
          const message = `scontrol ${args[0] ?? ""} did not end within ${Duration.format(timeout)}`
          return Effect.fail(new SchedulerUnavailable({ message }))
        }
      })
    )

  const ping = Effect.map(finish(["ping"]), ({ printed }): Controllers => {
    const states = Array.from(printed.matchAll(/ is (UP|DOWN)$/gm), ([, state]) => state)
    const up = states.filter((state) => state === "UP").length
    return { up, down: states.length - up }
  })

  const requireController = Effect.flatMap(ping, ({ down, up }) =>
    up === 0 && down > 0
      ? Effect.fail(new SchedulerUnavailable({ message: "no controller of Slurm answers scontrol ping" }))
      : Effect.void
  )
  const doubt = Effect.andThen(Effect.sleep(patience), Effect.andThen(requireController, Effect.never))

  return {
    ping,
    call: (...args) =>
      finish(args).pipe(
        Effect.flatMap(({ code, printed, said }): Effect.Effect<Answer, SchedulerError> => {
          const refusal = code === 0 ? undefined : `${printed}\n${said}`
          return refusal !== undefined && kindOf(refusal) === "away"
            ? Effect.fail(errorOf(refusal))
            : Effect.succeed({ printed, refusal })
        }),
        Effect.raceFirst(doubt),
        permits.withPermit
      ),
    lines: (...args) =>
      Stream.unwrap(
        Effect.gen(function* () {
          yield* requireController
          const { ended, stdout } = yield* launch(args)
          const refusal = Effect.flatMap(ended, ({ code, said }) =>
            code === 0 || said.trim() === "" ? Effect.void : Effect.fail(errorOf(said))
          )
          return stdout.pipe(
            Stream.decodeText(),
            Stream.splitLines,
            Stream.concat(Stream.fromEffectDrain(refusal))
          )
        })
      )
  }
})

const textOf = <E>(bytes: Stream.Stream<Uint8Array, E>): Effect.Effect<string, E> =>
  bytes.pipe(
    Stream.decodeText(),
    Stream.runFold(
      () => "",
      (text, more) => (text.length < maxSaid ? text + more : text)
    )
  )
