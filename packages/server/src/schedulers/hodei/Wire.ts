/**
 * The calls of Hodei's worker agents, as far as they differ between the versions of its protocol.
 */
import type { Worker, WorkerId } from "@muster/core"
import { Effect } from "effect"
import type { GrpcStatus } from "../grpc/GrpcStatus.ts"

/** What the scheduler says to a call: yes or no. */
export interface Answer {
  readonly success: boolean
  readonly message: string
}

export interface Registered extends Answer {
  /** Empty where the scheduler says none. */
  readonly workerId: string
  readonly sessionId: string
}

/** With what a registration is let in. Each may be empty. */
export interface Proof {
  readonly token: string
  readonly sessionId: string
}

export interface Listed {
  readonly ids: ReadonlyArray<string>
  /** How many there are, as the scheduler says. */
  readonly total: number
}

export interface Wire {
  readonly register: (worker: Worker, proof: Proof) => Effect.Effect<Registered, GrpcStatus>
  readonly unregister: (workerId: WorkerId, reason: string) => Effect.Effect<Answer, GrpcStatus>
  readonly list: Effect.Effect<Listed, GrpcStatus>
}

/** The version that the server speaks: the first, until it says that it does not have it and it has the second. */
export const eitherWire = (first: Wire, second: Wire): Wire => {
  let [spoken, other] = [first, second]
  const either = <A>(call: (wire: Wire) => Effect.Effect<A, GrpcStatus>) =>
    Effect.suspend(() => {
      const [asked, instead] = [spoken, other]
      return Effect.catch(call(asked), (status) =>
        status.code === "UNIMPLEMENTED"
          ? Effect.tap(call(instead), () =>
              Effect.sync(() => {
                spoken = instead
                other = asked
              })
            )
          : Effect.fail(status)
      )
    })
  return {
    register: (worker, proof) => either((wire) => wire.register(worker, proof)),
    unregister: (workerId, reason) => either((wire) => wire.unregister(workerId, reason)),
    list: either((wire) => wire.list)
  }
}
