/**
 * All that has to do with access, over the stores and the fleet.
 */
import type { Fleet } from "@muster/core/fleet"
import { Clock, Duration, Effect, Layer } from "effect"
import { Access } from "./Access.ts"
import type { AccessSettings } from "./AccessSettings.ts"
import { AuditLog } from "./AuditLog.ts"
import { Issuing } from "./Issuing.ts"
import { makeVerifier } from "./Oidc.ts"
import { TokenStore } from "./TokenStore.ts"

type Settings = Omit<AccessSettings, "auditRetention">

/** Nobody is asked who they are. */
export const openAccess: Settings = { isOn: false, operatorToken: undefined, oidc: undefined }

/** Without what keeps the tables small. */
export const accessLayer = ({
  isOn,
  oidc,
  operatorToken
}: Settings): Layer.Layer<Access | Issuing, never, TokenStore | Fleet> =>
  Issuing.layer.pipe(
    Layer.provideMerge(
      Layer.unwrap(
        Effect.map(
          oidc === undefined ? Effect.undefined : makeVerifier(oidc),
          (verifier): Layer.Layer<Access, never, TokenStore> =>
            Access.layer({ isOn, operatorToken, oidc: verifier })
        )
      )
    )
  )

/** How long after its end a token is still listed. */
const tokensKept = Duration.days(30)
const removedAtOnce = 1000

/** Removes, once in a while, what is older than it is kept. */
export const accessUpkeep = (
  auditRetention: Duration.Duration
): Layer.Layer<never, never, AuditLog | TokenStore> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const auditLog = yield* AuditLog
      const tokens = yield* TokenStore
      const all = <E>(remove: Effect.Effect<number, E>) =>
        Effect.ignore(Effect.repeat(remove, { while: (removed) => removed >= removedAtOnce }))
      const once = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        yield* all(tokens.removeBefore(now - Duration.toMillis(tokensKept), removedAtOnce))
        if (!Duration.isFinite(auditRetention)) return
        yield* all(auditLog.removeBefore(now - Duration.toMillis(auditRetention), removedAtOnce))
      })
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(once, Effect.sleep("1 minute"))))
    })
  )
