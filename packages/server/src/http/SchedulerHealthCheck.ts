/**
 * How the scheduler says that it is; an answer in any case, and soon.
 */
import type { SchedulerError, SchedulerHealth } from "@muster/core"
import { Cause, Duration, Effect } from "effect"

const healthTimeout = Duration.seconds(5)

export const healthOf = (
  health: Effect.Effect<SchedulerHealth, SchedulerError>
): Effect.Effect<SchedulerHealth> =>
  health.pipe(
    Effect.catchDefect((defect) =>
      Effect.andThen(
        Effect.logError("The scheduler's adapter died when it was asked for its health", Cause.die(defect)),
        Effect.fail({ message: "the scheduler's adapter died" })
      )
    ),
    Effect.catch((error) => Effect.succeed({ status: "unavailable" as const, message: error.message })),
    Effect.timeoutOrElse({
      duration: healthTimeout,
      orElse: () =>
        Effect.succeed({
          status: "unavailable" as const,
          message: `no answer within ${Duration.format(healthTimeout)}`
        })
    })
  )
