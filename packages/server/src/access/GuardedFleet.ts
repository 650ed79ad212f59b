/**
 * The fleet as requests have it: nothing is changed in nobody's name. A change without an actor is the application's own,
 * and may do everything; of a request it would be one that nobody has allowed, and that nobody would find in the log.
 */
import { CurrentActor, Fleet } from "@muster/core/fleet"
import { Effect, Layer } from "effect"

const inSomebodysName = <A, E, R>(change: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(CurrentActor, (actor) =>
    actor === undefined ? Effect.die(new Error("a request changes the fleet in nobody's name")) : change
  )

export const guardedFleet: Layer.Layer<Fleet, never, Fleet> = Layer.effect(
  Fleet,
  Effect.map(Fleet, (fleet) =>
    Fleet.of({
      ...fleet,
      want: (worker, options) => inSomebodysName(fleet.want(worker, options)),
      wantAll: (wanted) => inSomebodysName(fleet.wantAll(wanted)),
      terminate: (workerId, options) => inSomebodysName(fleet.terminate(workerId, options)),
      drop: (workerId, options) => inSomebodysName(fleet.drop(workerId, options)),
      ready: (workerId, options) => inSomebodysName(fleet.ready(workerId, options)),
      check: (workerId) => inSomebodysName(fleet.check(workerId)),
      hasten: (workerId) => inSomebodysName(fleet.hasten(workerId)),
      heartbeat: (workerId) => inSomebodysName(fleet.heartbeat(workerId)),
      retry: (workerId) => inSomebodysName(fleet.retry(workerId)),
      retryAll: (filter) => inSomebodysName(fleet.retryAll(filter)),
      giveUp: (workerId) => inSomebodysName(fleet.giveUp(workerId)),
      giveUpAll: (filter) => inSomebodysName(fleet.giveUpAll(filter)),
      restoreAll: (workers) => inSomebodysName(fleet.restoreAll(workers)),
      raiseForgotten: (generation) => inSomebodysName(fleet.raiseForgotten(generation)),
      audit: (action, outcome, detail) => inSomebodysName(fleet.audit(action, outcome, detail))
    })
  )
)
