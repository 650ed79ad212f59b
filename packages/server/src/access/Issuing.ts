/**
 * How credentials are made, changed and taken back, with what is written down of it.
 */
import { Fleet, type StoreUnavailable } from "@muster/core/fleet"
import type { Redacted } from "effect"
import { Clock, Context, Duration, Effect, Layer } from "effect"
import { Access } from "./Access.ts"
import type { Identity } from "./Identity.ts"
import { newSecret, type Role, type StoredToken, type TokenKind } from "./Token.ts"
import { TokenStore } from "./TokenStore.ts"

/** A credential with its secret, which whoever asked for it is told once. */
export interface Issued {
  readonly token: StoredToken
  readonly secret: Redacted.Redacted
}

export interface TokenInput {
  readonly kind: TokenKind
  readonly name: string
  readonly role: Role
  readonly namespaces?: ReadonlyArray<string> | undefined
  readonly ownWorkers?: boolean | undefined
  readonly worker?: string | undefined
  readonly parent?: string | undefined
  readonly createdBy: string
  /** How long it is good; absent: for ever. */
  readonly life?: Duration.Duration | undefined
}

/** A new credential, which nobody knows of yet. */
export const makeToken = (
  { life, namespaces, ownWorkers = false, parent, worker, ...input }: TokenInput,
  now: number
): Issued => {
  const { digest, id, secret } = newSecret()
  return {
    secret,
    token: {
      ...input,
      id,
      digest,
      namespaces,
      ownWorkers,
      worker,
      parent,
      previous: undefined,
      createdAt: now,
      expiresAt: life === undefined ? undefined : now + Math.ceil(Duration.toMillis(life)),
      lastUsedAt: undefined,
      usedAt: undefined,
      revokedAt: undefined
    }
  }
}

/** How a token is told of in the audit log. */
const described = ({ id, kind, name, namespaces, role, worker }: StoredToken): string =>
  [
    `${kind} ${id} "${name}"`,
    kind === "token" ? role : undefined,
    namespaces === undefined ? undefined : `for ${namespaces.join(", ")}`,
    worker === undefined ? undefined : `for worker ${worker}`
  ]
    .filter((part) => part !== undefined)
    .join(", ")

export class Issuing extends Context.Service<
  Issuing,
  {
    readonly issue: (input: TokenInput) => Effect.Effect<Issued, StoreUnavailable>
    /** `undefined`: there is none of this id, or it was revoked. */
    readonly rotate: (
      id: string,
      grace: Duration.Duration
    ) => Effect.Effect<Issued | undefined, StoreUnavailable>
    /** Whether there was one. */
    readonly revoke: (id: string) => Effect.Effect<boolean, StoreUnavailable>
    /** A session for whoever an identity is, no longer than its credential. */
    readonly openSession: (
      identity: Identity,
      life: Duration.Duration
    ) => Effect.Effect<Issued, StoreUnavailable>
  }
>()("@muster/server/Issuing") {
  static readonly layer: Layer.Layer<Issuing, never, TokenStore | Access | Fleet> = Layer.effect(
    Issuing,
    Effect.gen(function* () {
      const store = yield* TokenStore
      const access = yield* Access
      const fleet = yield* Fleet

      const issue = Effect.fnUntraced(function* (input: TokenInput) {
        const issued = makeToken(input, yield* Clock.currentTimeMillis)
        // Written down first: a credential of which the log says nothing must not exist.
        const action = input.kind === "session" ? "session.begin" : "token.create"
        yield* fleet.audit(action, "done", described(issued.token))
        yield* store.add(issued.token)
        return issued
      })

      const rotate = Effect.fnUntraced(function* (id: string, grace: Duration.Duration) {
        const token = yield* store.find(id)
        if (token === undefined || token.kind !== "token" || token.revokedAt !== undefined) return undefined
        const at = yield* Clock.currentTimeMillis
        const { digest, secret } = newSecret(id)
        yield* fleet.audit("token.rotate", "done", described(token))
        const rotated = yield* store.rotate(id, { digest, at, previousUntil: at + Duration.toMillis(grace) })
        yield* access.forget(id)
        return rotated ? { token, secret } : undefined
      })

      const revoke = Effect.fnUntraced(function* (id: string) {
        const token = yield* store.find(id)
        if (token === undefined) return false
        const action = token.kind === "session" ? "session.end" : "token.revoke"
        yield* fleet.audit(action, "done", described(token))
        const revoked = yield* store.revoke(id, yield* Clock.currentTimeMillis)
        yield* access.forget(id)
        return revoked
      })

      const openSession = Effect.fnUntraced(function* (identity: Identity, life: Duration.Duration) {
        const now = yield* Clock.currentTimeMillis
        const left = identity.expiresAt === undefined ? Infinity : identity.expiresAt - now
        return yield* issue({
          kind: "session",
          name: identity.name,
          role: identity.role,
          namespaces: identity.namespaces,
          ownWorkers: identity.ownWorkers,
          parent: access.parentOf(identity),
          createdBy: identity.id,
          life: Duration.min(life, Duration.millis(left))
        })
      })

      return Issuing.of({
        issue,
        rotate,
        revoke,
        openSession
      })
    })
  )
}
