import { Context } from "effect"

/**
 * The part of a scheduler's limits that is this process's, above 0 and at most 1, where several processes call the same
 * scheduler: {@link Pacing} and {@link RetryBudget} take so much of the rates that they were told, at any moment. Together
 * they exceed them never, if all parts together never exceed 1. Default: all of it.
 */
export const SchedulerShare = Context.Reference<() => number>("@muster/core/SchedulerShare", {
  defaultValue: () => () => 1
})
