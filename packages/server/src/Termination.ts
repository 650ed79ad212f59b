/**
 * What SIGINT and SIGTERM do. By default they interrupt the command, which then ends with 130 or 143; a command
 * that has its own way of ending awaits {@link Termination} instead. A second signal always ends the process at
 * once.
 */
import { Context, Effect, type Fiber, Layer } from "effect"
import { constants } from "node:os"

export type Signal = "SIGINT" | "SIGTERM"

const signals: ReadonlyArray<Signal> = ["SIGINT", "SIGTERM"]

export class Termination extends Context.Service<
  Termination,
  {
    /** Waits for a signal. From the moment this begins, the first signal no longer interrupts the command. */
    readonly requested: Effect.Effect<Signal>
  }
>()("@muster/server/Termination") {}

/** The signals of this process. */
export class ProcessSignals {
  private received: Signal | undefined
  private awaiting: ((signal: Signal) => void) | undefined
  private main: Fiber.Fiber<unknown, unknown> | undefined

  constructor() {
    for (const signal of signals) process.on(signal, () => this.receive(signal))
  }

  /** The fiber that a signal interrupts, unless it awaits one. */
  attach(main: Fiber.Fiber<unknown, unknown>): void {
    this.main = main
  }

  readonly layer = Layer.succeed(Termination, {
    requested: Effect.callback<Signal>((resume) => {
      this.awaiting = (signal) => resume(Effect.succeed(signal))
      if (this.received !== undefined) this.awaiting(this.received)
    })
  })

  /** The exit code of a command that was interrupted. */
  get exitCode(): number {
    return 128 + constants.signals[this.received ?? "SIGINT"]
  }

  private receive(signal: Signal): void {
    const isFirst = this.received === undefined
    this.received ??= signal
    if (!isFirst) process.exit(this.exitCode)
    if (this.awaiting !== undefined) this.awaiting(signal)
    else this.main?.interruptUnsafe()
  }
}
