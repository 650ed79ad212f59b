/**
 * Whether the store can be written to. It is so until a transaction fails, and again when one succeeds: of those that
 * callers bring, or of a probe that is made from time to time while it cannot.
 */
import { Cause, Effect, Exit, Latch, Option } from "effect"
import type { StoreUnavailable } from "./FleetStore.ts"

export class StoreTrouble {
  current: Option.Option<StoreUnavailable> = Option.none()
  private readonly begun = Latch.makeUnsafe(false)

  /** A transaction has ended so. */
  note(exit: Exit.Exit<void, StoreUnavailable>): void {
    if (Exit.isSuccess(exit)) {
      this.current = Option.none()
      this.begun.closeUnsafe()
      return
    }
    const error = exit.cause.reasons.find(Cause.isFailReason)?.error
    if (error === undefined) return
    this.current = Option.some(error)
    this.begun.openUnsafe()
  }

  /** Looks once a second whether it is over; says so when it begins and when it ends. */
  watch(probe: Effect.Effect<void, StoreUnavailable>): Effect.Effect<never> {
    const look = Effect.andThen(
      Effect.sleep("1 second"),
      Effect.flatMap(Effect.exit(probe), (exit) => Effect.sync(() => this.note(exit)))
    )
    return this.begun.await.pipe(
      Effect.andThen(
        Effect.suspend(() =>
          Effect.logError(
            "The store cannot be written to; no changes are accepted",
            Option.getOrUndefined(this.current)?.message
          )
        )
      ),
      Effect.andThen(Effect.repeat(look, { while: () => Option.isSome(this.current) })),
      Effect.andThen(Effect.logInfo("The store can be written to again")),
      Effect.forever
    )
  }
}
