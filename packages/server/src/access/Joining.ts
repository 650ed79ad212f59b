/**
 * How a new machine joins: with a token that is good once, for a namespace and perhaps for one worker, it registers
 * itself and gets a credential of its own, which is good for nothing but its heartbeats and its termination.
 */
import { type Accepted, type Actor, CurrentActor, Fleet, type WantOptions } from "@muster/core/fleet"
import type { Worker } from "@muster/core"
import type { Redacted } from "effect"
import { Clock, Effect } from "effect"
import { makeToken } from "./Issuing.ts"
import { isSecretOf, isValidAt, parseSecret, type StoredToken } from "./Token.ts"
import { TokenStore } from "./TokenStore.ts"

/** A join token that is good now; `undefined`: there is none like this. */
export const findJoinToken = Effect.fnUntraced(function* (credential: string) {
  const parsed = parseSecret(credential)
  if (parsed === undefined) return undefined
  const token = yield* (yield* TokenStore).find(parsed.id)
  const now = yield* Clock.currentTimeMillis
  const isGood =
    token !== undefined &&
    token.kind === "join" &&
    isSecretOf(token, parsed.digest, now) &&
    isValidAt(token, now)
  return isGood ? token : undefined
})

/** Why a join token does not fit what is registered with it, in words; `undefined`: it fits. */
export const misfit = (token: StoredToken, worker: Worker): string | undefined => {
  if (token.worker !== undefined && token.worker !== worker.id) return "The join token is for another worker."
  if (token.namespaces?.includes(worker.metadata.namespace) === false)
    return "The join token is for another namespace."
  return undefined
}

export interface Joined {
  readonly accepted: Accepted
  readonly credential: Redacted.Redacted
}

/**
 * Uses a join token up for a worker that it fits. `undefined`: another machine was faster, and has used it. Where the
 * worker cannot be taken in, the token is good again.
 */
export const join = Effect.fnUntraced(function* (
  token: StoredToken,
  worker: Worker,
  options: WantOptions,
  address: string | undefined
) {
  const store = yield* TokenStore
  const fleet = yield* Fleet
  const now = yield* Clock.currentTimeMillis
  const machine = makeToken(
    {
      kind: "machine",
      name: worker.id.slice(0, 128),
      role: "provisioner",
      namespaces: token.namespaces,
      ownWorkers: true,
      worker: worker.id,
      parent: token.id,
      createdBy: token.id
    },
    now
  )
  if (!(yield* store.consume(token.id, now, machine.token))) return undefined
  const actor: Actor = {
    id: machine.token.id,
    name: `${token.name} (join token ${token.id})`,
    role: "join",
    address,
    mayChange: (known) =>
      known === undefined ||
      known.desired === "unregistered" ||
      // A machine that was installed anew: whoever made the token meant this worker.
      (token.worker === worker.id &&
        token.namespaces?.includes(known.stored?.worker.metadata.namespace ?? "") !== false),
    takesOver: true
  }
  const accepted = yield* fleet.want(worker, options).pipe(
    Effect.provideService(CurrentActor, actor),
    Effect.onError(() => Effect.ignore(store.giveBack(token.id, machine.token.id)))
  )
  const joined: Joined = { accepted, credential: machine.secret }
  return joined
})
