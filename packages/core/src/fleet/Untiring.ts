/**
 * Work that goes on for as long as the fleet does. A defect, in a store or in here, is a mistake that has to be told;
 * that nobody is called for any more, and nobody knows it, would be worse.
 */
import { Cause, Effect } from "effect"

/** Does the work again and again; after a defect it says so and waits for a second. */
export const untiring = <R>(
  work: string,
  effect: Effect.Effect<unknown, never, R>
): Effect.Effect<never, never, R> =>
  effect.pipe(
    Effect.catchDefect((defect) =>
      Effect.andThen(
        Effect.logError(`A mistake has interrupted the fleet's work: ${work}`, Cause.die(defect)),
        pause
      )
    ),
    Effect.forever
  )

const pause = Effect.sleep("1 second")
