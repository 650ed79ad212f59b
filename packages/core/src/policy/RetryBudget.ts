/**
 * A retry budget: however many workers wait, retries are at most a part of all calls, so that a scheduler which fails
 * is not given several times the work of one that does not. Beyond the budget retries wait; first attempts never do. A
 * policy takes a {@link SchedulerPort} and gives one.
 *
 * In any ten seconds there may be as many retries as `ratio` of the first attempts, and `minPerSecond` for each second:
 * the figures of Finagle's `RetryBudget` (20 %, 10 a second, 10 seconds). gRPC's throttling (its proposal A6) and the
 * SRE book ("Handling Overload") bound retries for the same reason.
 *
 * A call is a retry when the last one for the same worker and generation failed in a way that can pass. So it does not
 * matter who tries again, and how much later. A batch is as many retries as it has members that were tried before.
 */
import { Clock, Effect, Exit, Layer, Option, Result } from "effect"
import { observe } from "../MetricFamily.ts"
import { isAboutScheduler, isRetryable, type SchedulerError } from "../SchedulerError.ts"
import { type CallOptions, SchedulerPort } from "../SchedulerPort.ts"
import type { WorkerId } from "../WorkerId.ts"
import { intercept } from "./intercept.ts"
import { makeLine } from "./Line.ts"
import { RecentCount } from "./RecentCount.ts"
import { retryBudget } from "./SchedulerMetrics.ts"
import { SchedulerShare } from "./SchedulerShare.ts"

export interface RetryBudgetOptions {
  /** Retries for each first attempt, 0 or more. Default 0.2. */
  readonly ratio?: number | undefined
  /** Retries a second that there may be in any case, 0 or more; of both at least one is above 0. Default 10. */
  readonly minPerSecond?: number | undefined
}

/** The period over which the budget is balanced, in seconds. */
const period = 10
/** So many failed calls are remembered; of more, the oldest count as new. Some 20 MB at most. */
const remembered = 100_000
/** How often those that wait are looked at, in milliseconds. */
const beat = 20

const layerWith = (options: RetryBudgetOptions): Layer.Layer<SchedulerPort, never, SchedulerPort> =>
  Layer.effect(
    SchedulerPort,
    Effect.suspend(() => make(options))
  )

/**
 * The policy. Options that make no sense are a defect.
 *
 * @example
 * ```ts
 * import { EmbeddedScheduler, RetryBudget, WorkerRegistration } from "@muster/core"
 * import { Layer } from "effect"
 *
 * const registration = WorkerRegistration.layer.pipe(
 *   Layer.provide(RetryBudget.layerWith({ ratio: 0.1 })),
 *   Layer.provide(EmbeddedScheduler.layer)
 * )
 * ```
 */
export const RetryBudget = {
  /** The policy before the scheduler that is provided to it. */
  layerWith,
  /** {@link RetryBudget.layerWith} the defaults. */
  layer: layerWith({})
}

class Budget {
  private readonly first = new RecentCount(period, 1000)
  private readonly retries = new RecentCount(period, 1000)
  private readonly ratio: number
  private readonly reserve: number
  private readonly share: () => number

  constructor({ minPerSecond = 10, ratio = 0.2 }: RetryBudgetOptions, share: () => number) {
    if (!(ratio >= 0) || !(minPerSecond >= 0) || ratio + minPerSecond === 0) {
      throw new RangeError("ratio and minPerSecond of RetryBudget must be 0 or more, and one of them above 0")
    }
    this.ratio = ratio
    this.reserve = minPerSecond * period
    this.share = share
  }

  noteFirst(count: number, now: number): void {
    this.first.add(count, now)
  }

  /** How many retries there may be now; below 0 after a batch that was larger, or when first attempts became fewer. */
  left(now: number): number {
    return this.reserve * this.share() + this.first.count(now) * this.ratio - this.retries.count(now)
  }

  /** A batch with more retries than the whole budget goes when it is full. */
  mayRetry(count: number, now: number): boolean {
    const left = this.left(now)
    if (left < count && this.retries.count(now) > 0) return false
    if (left <= 0) return false
    this.retries.add(count, now)
    return true
  }
}

const keyOf = (workerId: WorkerId, { generation }: CallOptions) => `${generation} ${workerId}`

/** The latest calls that failed and may be made again. */
class FailedCalls {
  private readonly keys = new Set<string>()

  has(key: string): boolean {
    return this.keys.size > 0 && this.keys.has(key)
  }

  note(key: string, error: SchedulerError | undefined): void {
    if (error === undefined || !isRetryable(error)) {
      if (this.keys.size > 0) this.keys.delete(key)
      return
    }
    // What was not sent, or has to wait for the worker's sake, asked nothing of the scheduler.
    if (!isAboutScheduler(error)) return
    this.keys.add(key)
    if (this.keys.size <= remembered) return
    for (const oldest of this.keys) {
      this.keys.delete(oldest)
      break
    }
  }
}

const make = Effect.fnUntraced(function* (options: RetryBudgetOptions) {
  const port = yield* SchedulerPort
  const clock = yield* Clock.Clock
  const budget = new Budget(options, yield* SchedulerShare)
  yield* observe(retryBudget.at({}), () =>
    Math.max(0, Math.floor(budget.left(clock.currentTimeMillisUnsafe())))
  )
  const failedCalls = new FailedCalls()
  const line = yield* makeLine({ mayGo: (retries, now) => budget.mayRetry(retries, now), wait: () => beat })

  /** The first attempts of a batch count when it goes, which its retries may hold up. */
  const afford = (calls: number, retries: number): Effect.Effect<void> => {
    const noteFirst = () => budget.noteFirst(calls - retries, clock.currentTimeMillisUnsafe())
    if (retries > 0) return Effect.andThen(line.turn(retries), Effect.sync(noteFirst))
    noteFirst()
    return Effect.void
  }

  return intercept(port, {
    one: (call, workerId, options) =>
      Effect.suspend(() => {
        const key = keyOf(workerId, options)
        const noted = Effect.onExit(call, (exit) => {
          if (Exit.isSuccess(exit)) failedCalls.note(key, undefined)
          else {
            const error = Option.getOrUndefined(Exit.findErrorOption(exit))
            if (error !== undefined) failedCalls.note(key, error)
          }
          return Effect.void
        })
        return Effect.andThen(afford(1, failedCalls.has(key) ? 1 : 0), noted)
      }),
    many: (call, members) =>
      Effect.suspend(() => {
        const keys = members.map((member) => keyOf(member.worker.id, member))
        const retries = keys.filter((key) => failedCalls.has(key)).length
        const noted = Effect.tapError(call, (error) =>
          Effect.sync(() => keys.forEach((key) => failedCalls.note(key, error)))
        ).pipe(
          Effect.tap((results) =>
            Effect.sync(() =>
              results.forEach((result, index) =>
                failedCalls.note(keys[index] ?? "", Result.isFailure(result) ? result.failure : undefined)
              )
            )
          )
        )
        return Effect.andThen(afford(keys.length, retries), noted)
      })
  })
})
