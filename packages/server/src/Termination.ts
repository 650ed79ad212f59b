/**
 * What SIGINT and SIGTERM do. By default they interrupt the command, which then ends with 130 or 143; a command
 * that has its own way of ending awaits {@link Termination} instead. A signal that comes later than
 * {@link togetherMillis} after the first ends the process at once.
 */
import { Context, Effect, type Fiber, Layer } from "effect"
import { constants } from "node:os"

export type Signal = "SIGINT" | "SIGTERM"

// At Ctrl-C a terminal tells every process of its foreground group, and npx and pnpm pass on what they are told
// besides: the service gets one request to stop as up to three signals.
const togetherMillis = 1000

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
  private receivedAt = 0
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
    if (this.received !== undefined) {
      if (performance.now() - this.receivedAt > togetherMillis) process.exit(this.exitCode)
      return
    }
    this.received = signal
    this.receivedAt = performance.now()
    if (this.awaiting !== undefined) this.awaiting(signal)
    else this.main?.interruptUnsafe()
  }
}
