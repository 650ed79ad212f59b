/**
 * The `muster` command line: its commands, and how each of them ends. Exit codes: 0 success, 1 something that was
 * asked for failed, 2 wrong usage, 130 and 143 interrupted by SIGINT and SIGTERM.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Layer, Runtime } from "effect"
import { CliError, Command } from "effect/cli"
import { logLevelLayer } from "./LogLevel.ts"
import { ProcessSignals } from "./Termination.ts"
import { printable } from "./TerminalText.ts"
import { version } from "./version.ts"

const root = Command.make("muster").pipe(
  Command.withDescription(
    "Registers every provisioned worker with its scheduler, and unregisters every worker that is gone."
  )
)

/** Each command by its name, loaded only when it is asked for: a command starts without what the others need. */
const commands = {
  serve: async () => (await import("./commands/serve.ts")).serve,
  register: async () => (await import("./commands/register.ts")).register,
  unregister: async () => (await import("./commands/unregister.ts")).unregister,
  workers: async () => (await import("./commands/workers.ts")).workers,
  why: async () => (await import("./commands/why.ts")).why,
  "dead-letters": async () => (await import("./commands/deadLetters.ts")).deadLetters,
  scheduler: async () => (await import("./commands/scheduler.ts")).scheduler,
  cluster: async () => (await import("./commands/cluster.ts")).cluster,
  config: async () => (await import("./commands/config.ts")).config,
  doctor: async () => (await import("./commands/doctor.ts")).doctor,
  tokens: async () => (await import("./commands/tokens.ts")).tokens,
  join: async () => (await import("./commands/join.ts")).join,
  audit: async () => (await import("./commands/audit.ts")).audit,
  export: async () => (await import("./commands/export.ts")).exportCommand,
  import: async () => (await import("./commands/import.ts")).importCommand
}

const isCommand = (name: string | undefined): name is keyof typeof commands =>
  name !== undefined && Object.hasOwn(commands, name)

/** Whatever else it begins with (`--help`, `--completions`, a mistake) needs all of them. */
const loadersFor = (name: string | undefined) => {
  if (isCommand(name)) return [commands[name]]
  return name === "--version" ? [] : Object.values(commands)
}

const runCommand = (args: ReadonlyArray<string>) => {
  const loaders = loadersFor(args[0])
  return Effect.promise(() => Promise.all(loaders.map((load) => load()))).pipe(
    Effect.flatMap((loaded) => Command.runWith(Command.withSubcommands(root, loaded), { version })(args))
  )
}

/** The commands that look for what is wrong with the configuration do not fail for it before they have begun. */
const logLevel = ([name]: ReadonlyArray<string>) =>
  name === "config" || name === "doctor" ? Layer.catch(logLevelLayer, () => Layer.empty) : logLevelLayer

/** Tells, on standard error, what kept a command from succeeding. Wrong usage of flags has been told already. */
const explain = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const error = Cause.squash(cause)
  if (CliError.isCliError(error)) return Effect.void
  const isExpected = cause.reasons.some(Cause.isFailReason) && error instanceof Error
  return Console.error(isExpected ? error.message.split("\n").map(printable).join("\n") : Cause.pretty(cause))
}

/** What `muster` does with these arguments: all of it but ending the process. */
export const muster = (args: ReadonlyArray<string>) =>
  runCommand(args).pipe(Effect.provide(logLevel(args)), Effect.tapCause(explain))

/** `interrupted`: where it was. */
export const exitCode = (exit: Exit.Exit<unknown, unknown>, interrupted: number): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.hasInterruptsOnly(exit.cause)) return interrupted
  const error = Cause.squash(exit.cause)
  if (CliError.isCliError(error)) return error._tag === "ShowHelp" && error.errors.length === 0 ? 0 : 2
  return Runtime.getErrorExitCode(error)
}

/**
 * Whoever reads what is printed may go away first: `| head -1`, a log collector that is restarted. What is written
 * after that is lost; the work goes on, and a service with it.
 */
const outliveReaders = (): void => {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error
    })
  }
}

/** Runs `muster` with these arguments, and ends the process. */
export const main = (args: ReadonlyArray<string>): void => {
  outliveReaders()
  const signals = new ProcessSignals()
  const run = Runtime.makeRunMain(({ fiber, teardown }) => {
    signals.attach(fiber)
    fiber.addObserver((exit) => teardown(exit, (code) => process.exit(code)))
  })
  muster(args).pipe(
    Effect.provide(Layer.mergeAll(NodeServices.layer, signals.layer)),
    run({
      disableErrorReporting: true,
      teardown: (exit, onExit) => onExit(exitCode(exit, signals.exitCode))
    })
  )
}
