/**
 * Counts and times the calls that go out to a scheduler. Use it closest to the scheduler, behind all other policies:
 * then what it shows is the scheduler's doing and the network's, and nobody else's. A policy takes a
 * {@link SchedulerPort} and gives one.
 */
import { Clock, Effect, Exit, Layer, Option, Result } from "effect"
import type { SchedulerError } from "../SchedulerError.ts"
import { SchedulerPort } from "../SchedulerPort.ts"
import type { BatchResults } from "./intercept.ts"
import { callDurations, type CallLabel, type CallResult, calls } from "./SchedulerMetrics.ts"

/**
 * The policy.
 *
 * @example
 * ```ts
 * import { EmbeddedScheduler, MeasuredCalls, RetryBudget, WorkerRegistration } from "@muster/core"
 * import { Layer } from "effect"
 *
 * const registration = WorkerRegistration.layer.pipe(
 *   Layer.provide(RetryBudget.layer),
 *   Layer.provide(MeasuredCalls.layer),
 *   Layer.provide(EmbeddedScheduler.layer)
 * )
 * ```
 */
export const MeasuredCalls = {
  /** The policy before the scheduler that is provided to it. */
  layer: Layer.effect(
    SchedulerPort,
    Effect.suspend(() => make)
  )
}

const make = Effect.gen(function* () {
  const port = yield* SchedulerPort
  const { registerBatch } = port
  const clock = yield* Clock.Clock
  const context = yield* Effect.context()

  const measured = <A>(
    { duration, results }: CallSeries,
    call: Effect.Effect<A, SchedulerError>,
    resultOf: (answer: A) => CallResult
  ): Effect.Effect<A, SchedulerError> =>
    Effect.suspend(() => {
      const startedAt = clock.monotonicTimeNanosUnsafe()
      return Effect.onExit(call, (exit) =>
        Effect.sync(() => {
          const result = Exit.isSuccess(exit) ? resultOf(exit.value) : failureOf(exit)
          results[result].updateUnsafe(1, context)
          duration.updateUnsafe(Number(clock.monotonicTimeNanosUnsafe() - startedAt) / 1e9, context)
        })
      )
    })

  return SchedulerPort.of({
    ...port,
    register: (worker, options) => measured(series.register, port.register(worker, options), taken),
    unregister: (workerId, options) => measured(series.unregister, port.unregister(workerId, options), taken),
    ...(registerBatch === undefined
      ? {}
      : { registerBatch: (members) => measured(series.register_batch, registerBatch(members), best) }),
    get capabilities() {
      return port.capabilities
    }
  })
})

const seriesOf = (call: CallLabel) => ({
  duration: callDurations.at({ call }),
  results: {
    success: calls.at({ call, result: "success" }),
    rejected: calls.at({ call, result: "rejected" }),
    unavailable: calls.at({ call, result: "unavailable" }),
    fault: calls.at({ call, result: "fault" }),
    no_answer: calls.at({ call, result: "no_answer" })
  } satisfies { readonly [Result in CallResult]: unknown }
})

type CallSeries = ReturnType<typeof seriesOf>

const series = {
  register: seriesOf("register"),
  unregister: seriesOf("unregister"),
  register_batch: seriesOf("register_batch")
} satisfies { readonly [Call in CallLabel]: CallSeries }

const taken = (): CallResult => "success"

const failureResults = {
  SchedulerRejected: "rejected",
  SchedulerUnavailable: "unavailable",
  SchedulerFault: "fault"
} as const satisfies { readonly [Tag in SchedulerError["_tag"]]: CallResult }

const failureOf = (exit: Exit.Exit<unknown, SchedulerError>): CallResult => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  if (error !== undefined) return failureResults[error._tag]
  return Exit.hasInterrupts(exit) ? "no_answer" : "fault"
}

const fromBest = ["success", "rejected", "unavailable"] as const

/** A scheduler that took one member of a batch, or said what is wrong with it, has answered. */
const best = (results: BatchResults): CallResult => {
  const found = new Set(
    results.map((result) => (Result.isFailure(result) ? failureResults[result.failure._tag] : "success"))
  )
  return results.length === 0 ? "success" : (fromBest.find((result) => found.has(result)) ?? "fault")
}
