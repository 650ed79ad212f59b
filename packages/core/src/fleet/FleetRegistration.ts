/**
 * `WorkerRegistration` over a port that stands between it and the scheduler: it sends the state and generation that
 * are wanted now instead of those that the call began with, and keeps count.
 */
import { Context, Effect, Exit, Layer, Option, Tracer } from "effect"
import { type SchedulerError, SchedulerRejected } from "../SchedulerError.ts"
import { type HeldWorker, SchedulerPort } from "../SchedulerPort.ts"
import { WorkerLookup, WorkerRegistration } from "../WorkerRegistration.ts"
import type { WorkerId } from "../WorkerId.ts"
import { attemptFailure, wasNotSent } from "./CallFailure.ts"
import { inOtherHands } from "./Fence.ts"
import type { Flight } from "./Flight.ts"
import type { CallName } from "./Timeline.ts"
import type { Share } from "./Sharing.ts"
import { isTraced, spanOf } from "../TraceOrigin.ts"

export const makeFleetRegistration = Effect.fnUntraced(function* (
  flights: ReadonlyMap<WorkerId, Flight>,
  share: Share
) {
  const scheduler = yield* SchedulerPort
  const { get } = scheduler
  const port = SchedulerPort.make({
    ...scheduler,
    ...(get === undefined
      ? undefined
      : { get: (workerId: WorkerId) => verify(flights.get(workerId), get(workerId)) }),
    register: (worker) =>
      attempt(share, flights.get(worker.id), "register", (flight, generation) =>
        scheduler.register(flight.record.stored?.worker ?? worker, { generation })
      ),
    unregister: (workerId) =>
      attempt(share, flights.get(workerId), "unregister", (_, generation) =>
        scheduler.unregister(workerId, { generation })
      )
  })
  const lookup = (workerId: WorkerId) =>
    Effect.sync(() => Option.fromUndefinedOr(flights.get(workerId)?.record.stored?.worker))
  // A registration that the application has for itself is another one.
  const layer = Layer.fresh(WorkerRegistration.layer).pipe(
    Layer.provide(Layer.succeed(SchedulerPort, port)),
    Layer.provide(Layer.succeed(WorkerLookup, lookup))
  )
  return Context.get(yield* Layer.build(layer), WorkerRegistration)
})

const desiredBy = { register: "registered", unregister: "unregistered" } as const

const attempt = (
  share: Share,
  flight: Flight | undefined,
  call: "register" | "unregister",
  send: (flight: Flight, generation: number) => Effect.Effect<void, SchedulerError>
): Effect.Effect<void, SchedulerError> =>
  Effect.clockWith((clock) => {
    if (flight === undefined || flight.record.desired !== desiredBy[call]) {
      const held = flight?.record.generation ?? 0
      return Effect.fail(SchedulerRejected.olderGeneration({ given: 0, held }))
    }
    // Nobody may come between this and the call.
    if (!share.mayCall(flight.record.id, flight.epoch)) return Effect.fail(inOtherHands)
    const { attempt, generation } = flight.send()
    return Effect.onExit(
      inTrace(
        flight,
        Effect.suspend(() => send(flight, generation))
      ),
      (exit) => returned(flight, call, generation, clock.currentTimeMillisUnsafe(), exit, { attempt })
    )
  })

/**
 * A call carries the latest change, whose trace may be another than that for which the calls were begun. Where nobody
 * traces here, the scheduler is told the trace of whoever asked.
 */
const inTrace = <A, E>(flight: Flight, call: Effect.Effect<A, E>): Effect.Effect<A, E> => {
  const { trace } = flight.record
  const origin = spanOf(trace)
  if (origin === undefined) return call
  return Effect.withFiber((fiber) => {
    if (!isTraced(fiber)) return Effect.withParentSpan(call, origin)
    const span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
    if (trace !== flight.trace && span?._tag === "Span") span.addLinks([{ span: origin, attributes: {} }])
    return call
  })
}

const verify = (
  flight: Flight | undefined,
  get: Effect.Effect<Option.Option<HeldWorker>, SchedulerError>
): Effect.Effect<Option.Option<HeldWorker>, SchedulerError> =>
  flight === undefined
    ? get
    : Effect.clockWith((clock) =>
        Effect.onExit(inTrace(flight, get), (exit) => {
          const outcome = Exit.isSuccess(exit) ? { held: Option.isSome(exit.value) } : {}
          const { generation } = flight.record
          return returned(flight, "verify", generation, clock.currentTimeMillisUnsafe(), exit, outcome)
        })
      )

const returned = (
  flight: Flight,
  call: CallName,
  generation: number,
  at: number,
  exit: Exit.Exit<unknown, SchedulerError>,
  outcome: { readonly attempt?: number; readonly held?: boolean }
) =>
  Effect.sync(() => {
    if (Exit.isFailure(exit) && wasNotSent(exit.cause)) {
      if (call !== "verify") flight.notSent(generation)
      return
    }
    const error = Exit.isFailure(exit) ? attemptFailure(exit.cause) : undefined
    flight.returned(call, at, generation, { ...outcome, error })
  })
