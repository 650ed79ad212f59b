/**
 * Who makes a request, and from where.
 */
import type { Worker } from "@muster/core"
import type { Actor, WorkerRecord } from "@muster/core/fleet"
import { Context } from "effect"
import { type Identity, isRestricted } from "./Identity.ts"
import type { StoredToken } from "./Token.ts"

export interface Caller extends Identity {
  /** The client's address; absent where the transport has none. */
  readonly address: string | undefined
}

/** Everybody, where authentication is off. */
export const anonymous: Identity = {
  id: "anonymous",
  name: "anonymous",
  kind: "anonymous",
  role: "operator",
  namespaces: undefined,
  ownWorkers: false,
  worker: undefined,
  expiresAt: undefined
}

/** The caller of the request that a fiber answers. */
export const Caller = Context.Reference<Caller>("@muster/server/Caller", {
  defaultValue: () => ({ ...anonymous, address: undefined })
})

/** A session's deeds are those of whoever signed in. */
export const identityOf = (token: StoredToken): Identity => ({
  id: token.kind === "session" ? token.createdBy : token.id,
  name: token.name,
  kind: token.kind,
  role: token.role,
  namespaces: token.namespaces,
  ownWorkers: token.ownWorkers,
  worker: token.worker,
  expiresAt: token.expiresAt
})

/** Whether a worker lies in the namespaces that an identity is for. */
export const coversNamespace = ({ namespaces }: Identity, namespace: string | undefined): boolean =>
  namespaces === undefined || (namespace !== undefined && namespaces.includes(namespace))

/**
 * Whether it may change a worker. The id of one that is gone is free: who provisions it anew needs to be allowed only
 * what is wanted.
 */
const mayChange = (
  identity: Identity,
  known: WorkerRecord | undefined,
  wanted: Worker | undefined
): boolean => {
  if (!isRestricted(identity)) return true
  if (wanted !== undefined && !coversNamespace(identity, wanted.metadata.namespace)) return false
  if (known === undefined || (wanted !== undefined && known.desired === "unregistered")) {
    // Of a worker that nobody knows, nobody knows the namespace either.
    return wanted !== undefined && identity.worker === undefined
  }
  return covers(identity, known)
}

/** Whether a worker that is known is one of those that it is for. */
export const covers = (identity: Identity, known: WorkerRecord): boolean =>
  coversNamespace(identity, known.stored?.worker.metadata.namespace) &&
  (!(identity.ownWorkers || identity.worker !== undefined) || known.owner === identity.id)

export const toActor = (caller: Caller): Actor => ({
  id: caller.id,
  name: caller.name,
  role: caller.kind === "machine" || caller.kind === "anonymous" ? caller.kind : caller.role,
  address: caller.address,
  mayChange: (known, wanted) => mayChange(caller, known, wanted),
  takesOver: false
})

/** Who has shown no good credential. */
export const nobody: Actor = {
  id: "unknown",
  name: "unknown",
  role: "none",
  address: undefined,
  mayChange: () => false,
  takesOver: false
}

/** Keys of requests are told apart by this: nobody with a narrower credential can take those of others. */
export const keySpace = (caller: Caller): ReadonlyArray<string> => (isRestricted(caller) ? [caller.id] : [])
