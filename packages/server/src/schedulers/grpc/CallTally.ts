/**
 * How many registrations and unregistrations a scheduler was asked for, and what came of them.
 */
import type { SchedulerError, SchedulerPort } from "@muster/core"
import { Effect, Exit, Option, Result } from "effect"

type CompletePort = Required<SchedulerPort["Service"]>

export class CallTally {
  private accepted = 0
  private refused = 0
  private failed = 0

  /** The scheduler, counted. */
  around(port: CompletePort): CompletePort {
    const counted = (call: Effect.Effect<void, SchedulerError>) =>
      Effect.onExit(call, (exit) =>
        Effect.sync(() =>
          this.count(Exit.isSuccess(exit) ? undefined : Option.getOrUndefined(Exit.findErrorOption(exit)))
        )
      )
    return {
      ...port,
      register: (worker, options) => counted(port.register(worker, options)),
      unregister: (workerId, options) => counted(port.unregister(workerId, options)),
      registerBatch: (members) =>
        Effect.tap(port.registerBatch(members), (results) =>
          Effect.sync(() => {
            for (const result of results) this.count(Result.isFailure(result) ? result.failure : undefined)
          })
        )
    }
  }

  /** The counts since the last time. `refused`: overloaded, or for good; `failed`: as if the scheduler were away. */
  take(): { readonly accepted: number; readonly refused: number; readonly failed: number } {
    const { accepted, failed, refused } = this
    this.accepted = this.refused = this.failed = 0
    return { accepted, failed, refused }
  }

  private count(error: SchedulerError | undefined): void {
    if (error === undefined) this.accepted++
    else if (error._tag === "SchedulerUnavailable" && error.retryAfter === undefined) this.failed++
    else this.refused++
  }
}
