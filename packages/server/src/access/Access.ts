/**
 * From credentials to those for whom they stand.
 */
import type { StoreUnavailable } from "@muster/core/fleet"
import { Cache, Clock, Context, Duration, Effect, Layer, Redacted } from "effect"
import { anonymous, identityOf } from "./Caller.ts"
import { digestOf, isSameDigest, isSecretOf, isValidAt, parseSecret, type StoredToken } from "./Token.ts"
import type { Identity } from "./Identity.ts"
import { TokenStore } from "./TokenStore.ts"
import type { Verifier } from "./Oidc.ts"

export interface AccessOptions {
  /** Otherwise everybody is an operator. */
  readonly isOn: boolean
  /** The operator's token of the configuration, if there is one. */
  readonly operatorToken: Redacted.Redacted | undefined
  /** What checks the tokens of an identity provider, if one is configured. */
  readonly oidc?: Verifier | undefined
}

/** How long something that was looked up is believed: so long after it a revocation elsewhere holds here. */
const believed = Duration.seconds(5)

/** How often it is written down when tokens were last used. */
const notedEvery = Duration.minutes(1)

/** The session's parent where somebody signed in with the configured token: another token ends it. */
const configuredParent = (digest: string) => `configured:${digest}`

const configured: Identity = { ...anonymous, id: "operator", name: "operator", kind: "configured" }

export class Access extends Context.Service<
  Access,
  {
    readonly isOn: boolean
    /** Whom a credential stands for; `undefined`: nobody. */
    readonly identify: (credential: string) => Effect.Effect<Identity | undefined, StoreUnavailable>
    /** Waits until a credential that was good stands for nobody any more; within seconds. */
    readonly lost: (credential: string) => Effect.Effect<void>
    /** What a session that begins with a credential has as its parent. */
    readonly parentOf: (identity: Identity) => string | undefined
    /** A token was changed here: it is looked up again. */
    readonly forget: (id: string) => Effect.Effect<void>
  }
>()("@muster/server/Access") {
  static readonly layer = (options: AccessOptions): Layer.Layer<Access, never, TokenStore> =>
    Layer.effect(Access, make(options))
}

const make = Effect.fnUntraced(function* ({ isOn, oidc, operatorToken }: AccessOptions) {
  const store = yield* TokenStore
  const found = yield* Cache.make({
    capacity: 50_000,
    timeToLive: believed,
    lookup: (id: string) => store.find(id)
  })
  const operatorDigest = operatorToken === undefined ? undefined : digestOf(Redacted.value(operatorToken))
  let uses = new Map<string, number>()

  const noteUses = Effect.suspend(() => {
    const noted = uses
    uses = new Map()
    return noted.size === 0 ? Effect.void : Effect.ignore(store.touch(Array.from(noted)))
  })
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(notedEvery), noteUses)))
  yield* Effect.addFinalizer(() => noteUses)

  /** A session lives no longer than what it began with. */
  const isParentGood = Effect.fnUntraced(function* ({ kind, parent }: StoredToken, now: number) {
    if (kind !== "session" || parent === undefined) return true
    if (parent.startsWith("configured:")) {
      return operatorDigest !== undefined && isSameDigest(parent, configuredParent(operatorDigest))
    }
    const token = yield* Cache.get(found, parent)
    return token !== undefined && isValidAt(token, now)
  })

  const identify = Effect.fnUntraced(function* (
    credential: string
  ): Effect.fn.Return<Identity | undefined, StoreUnavailable> {
    if (operatorDigest !== undefined && isSameDigest(digestOf(credential), operatorDigest)) return configured
    const parsed = parseSecret(credential)
    if (parsed === undefined) return yield* oidc?.(credential) ?? Effect.undefined
    const token = yield* Cache.get(found, parsed.id)
    const now = yield* Clock.currentTimeMillis
    if (token === undefined || token.kind === "join") return undefined
    if (!isSecretOf(token, parsed.digest, now) || !isValidAt(token, now)) return undefined
    if (!(yield* isParentGood(token, now))) return undefined
    uses.set(token.id, now)
    return identityOf(token)
  })

  return Access.of({
    isOn,
    identify,
    lost: (credential) =>
      Effect.sleep(believed).pipe(
        // A store that does not answer takes nothing from anybody.
        Effect.andThen(
          Effect.catchTag(identify(credential), "StoreUnavailable", () => Effect.succeed(configured))
        ),
        Effect.repeat({ until: (identity) => identity === undefined }),
        Effect.asVoid
      ),
    parentOf: ({ id, kind }) => {
      if (kind === "configured") return operatorDigest === undefined ? id : configuredParent(operatorDigest)
      return kind === "token" ? id : undefined
    },
    forget: (id) => Cache.invalidate(found, id)
  })
})
