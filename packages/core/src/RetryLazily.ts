/**
 * Retries that cost nothing where none is needed.
 */
import { Effect, type Schedule } from "effect"

/**
 * `Effect.retry` that is set up by the first failure. Nearly every first attempt succeeds, and setting up a schedule
 * that is then never asked took a fifth of the whole registration.
 */
export const retryLazily = <A, E, Output, E2>(
  attempt: Effect.Effect<A, E>,
  schedule: Schedule.Schedule<Output, E, E2>
): Effect.Effect<A, E | E2> =>
  Effect.catch(attempt, (failure) => {
    let next: Effect.Effect<A, E> = Effect.fail(failure)
    const failureThenAttempts = Effect.suspend(() => {
      const current = next
      next = attempt
      return current
    })
    return Effect.retry(failureThenAttempts, schedule)
  })
