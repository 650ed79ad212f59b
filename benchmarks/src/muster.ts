/** Muster with everything on: `registerBatch`, and `register` for each worker. */
import { Effect, Layer, ManagedRuntime, References, Result } from "effect"
import {
  AdaptiveConcurrency,
  CircuitBreaker,
  MicroBatching,
  Pacing,
  RegistrationConfig,
  RetryBudget,
  SchedulerPort,
  WorkerRegistration
} from "@muster/core"
import type { SchedulerImplementation, Worker } from "@muster/core"
import { type Contestant, type ContestantOptions, policy } from "./contestant.ts"

type Register = SchedulerImplementation["register"]

/** A scheduler that has answered before the call returns, as one in the same process can. */
export const answersSynchronously = (): Register => () => Effect.void

/** A scheduler behind one real promise, as every one of the peers has. */
export const answersByPromise =
  ({ callScheduler }: ContestantOptions): Register =>
  (worker) =>
    Effect.promise(() => callScheduler(worker))

type RegisterAll = (
  registration: WorkerRegistration["Service"],
  workers: ReadonlyArray<Worker>,
  concurrency: number
) => Effect.Effect<number>

export const inOneBatch: RegisterAll = (registration, workers) =>
  Effect.map(registration.registerBatch(workers), (results) => results.filter(Result.isSuccess).length)

export const oneByOne: RegisterAll = (registration, workers, concurrency) =>
  Effect.forEach(workers, (worker) => Effect.isSuccess(registration.register(worker)), { concurrency }).pipe(
    Effect.map((succeeded) => succeeded.filter(Boolean).length)
  )

/** The policies as the service has them, the innermost first. */
const policies: ReadonlyArray<Layer.Layer<SchedulerPort, never, SchedulerPort>> = [
  CircuitBreaker.layer,
  AdaptiveConcurrency.layerWith({ ceiling: 25, initial: 25 }),
  MicroBatching.layerWith({ concurrency: 25 }),
  Pacing.layer,
  RetryBudget.layer
]

/** A scheduler behind so many of them. A batch is one call of it. */
const schedulerLayer = (register: Register, count: number): Layer.Layer<SchedulerPort> =>
  policies.slice(0, count).reduce(
    (below: Layer.Layer<SchedulerPort>, policy) => Layer.provide(policy, below),
    Layer.succeed(
      SchedulerPort,
      SchedulerPort.make({
        register,
        unregister: () => Effect.void,
        registerBatch: (members) => {
          const [first] = members
          const results = members.map(() => Result.void)
          return first === undefined
            ? Effect.succeed(results)
            : Effect.as(register(first.worker, first), results)
        }
      })
    )
  )

export const allPolicies = policies.length

export const make = (
  registerAll: RegisterAll,
  register: Register,
  { concurrency }: ContestantOptions,
  policyCount = 0
): Contestant => {
  const runtime = ManagedRuntime.make(
    WorkerRegistration.layer.pipe(
      Layer.provide(schedulerLayer(register, policyCount)),
      Layer.provide(
        RegistrationConfig.layer({
          maxRetries: policy.maxRetries,
          baseBackoff: policy.baseBackoffMillis,
          maxBackoff: policy.maxBackoffMillis,
          attemptTimeout: policy.attemptTimeoutMillis,
          batchConcurrency: concurrency
        })
      ),
      // The peers do not log either.
      Layer.merge(Layer.succeed(References.MinimumLogLevel, "None"))
    )
  )
  return {
    registerAll: (workers) =>
      runtime.runPromise(
        Effect.flatMap(WorkerRegistration, (registration) => registerAll(registration, workers, concurrency))
      )
  }
}
