/**
 * A scheduler made worse than it is, to see what Muster does then: slow, failing, refusing, limited. Policies like
 * those of core, a port before a port.
 */
import {
  RateLimit,
  type SchedulerError,
  type SchedulerPort,
  SchedulerRejected,
  SchedulerUnavailable
} from "@muster/core"
import { type Clock, Duration, Effect, Random, Result, Stream } from "effect"

export interface Misbehaviour {
  /** How much longer every call takes. */
  readonly latency?: Duration.Duration | undefined
  /** The share of registrations and unregistrations that fail as if the scheduler were away, 0 to 1. */
  readonly failRate?: number | undefined
  /** The share of registrations that are refused for good, 0 to 1. */
  readonly rejectRate?: number | undefined
  /**
   * The most registrations and unregistrations in any one second, a whole number ≥ 1; a member of a batch is one.
   * Further ones are told when to come again.
   */
  readonly maxRate?: number | undefined
}

type CompletePort = Required<SchedulerPort["Service"]>

/** The scheduler behind these flaws. */
export const misbehave = (
  port: CompletePort,
  { failRate = 0, latency = Duration.zero, maxRate, rejectRate = 0 }: Misbehaviour
): CompletePort => {
  if (failRate === 0 && rejectRate === 0 && maxRate === undefined && Duration.isZero(latency)) return port
  const limit = maxRate === undefined ? undefined : new RateLimit(maxRate)

  const limited = Effect.clockWith((clock: Clock.Clock): Effect.Effect<void, SchedulerError> => {
    const wait = limit?.take(Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000) ?? 0
    return wait === 0 ? Effect.void : Effect.fail(overloaded(maxRate, wait))
  })

  const chance = (share: number, error: () => SchedulerError): Effect.Effect<void, SchedulerError> =>
    share === 0
      ? Effect.void
      : Effect.flatMap(Random.next, (drawn) => (drawn < share ? Effect.fail(error()) : Effect.void))

  const obstacles = Effect.andThen(limited, chance(failRate, unavailable))
  const registering = Effect.andThen(obstacles, chance(rejectRate, rejected))
  const slowly = Duration.isZero(latency)
    ? <A, E>(effect: Effect.Effect<A, E>) => effect
    : <A, E>(effect: Effect.Effect<A, E>) => Effect.delay(effect, latency)

  return {
    ...port,
    register: (worker, options) => slowly(Effect.andThen(registering, port.register(worker, options))),
    unregister: (id, options) => slowly(Effect.andThen(obstacles, port.unregister(id, options))),
    registerBatch: (members) =>
      slowly(
        Effect.gen(function* () {
          const admitted = yield* Effect.forEach(members, (member) =>
            Effect.result(Effect.as(registering, member))
          )
          const results = yield* port.registerBatch(
            admitted.filter(Result.isSuccess).map(({ success }) => success)
          )
          const answers = results.values()
          return admitted.map((member) =>
            Result.isFailure(member) ? Result.fail(member.failure) : (answers.next().value ?? Result.void)
          )
        })
      ),
    get: (id) => slowly(port.get(id)),
    list: Stream.unwrap(slowly(Effect.succeed(port.list))),
    health: slowly(port.health)
  }
}

const unavailable = () => new SchedulerUnavailable({ message: "unavailable, as --fail-rate asks for" })

const rejected = () =>
  new SchedulerRejected({ message: "not a worker for this scheduler, as --reject-rate asks for" })

const overloaded = (maxRate: number | undefined, wait: number) =>
  new SchedulerUnavailable({
    message: `more than ${maxRate} registrations and unregistrations a second`,
    retryAfter: Duration.millis(Math.ceil(wait))
  })
