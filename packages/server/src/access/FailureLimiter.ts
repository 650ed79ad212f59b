/**
 * How often somebody may fail to sign in. After so many failures in a minute nothing of a network is looked at any more
 * until some of them are long enough ago: guessing then costs the service next to nothing.
 */
import { Context, Duration, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { boundedBuckets } from "../http/BoundedBuckets.ts"
import { HttpLimits } from "../http/HttpLimits.ts"
import { clientNetwork, isOneClient } from "../http/NetworkAddress.ts"
import { TooManyRequests } from "../http/Problems.ts"

const failures = HttpLimits.failuresPerMinute
const window = Duration.minutes(1)
const secondsForOne = 60 / failures

/**
 * Addresses are canonical. Those of IPv6 count by their /64, which one host may have all of; this machine's own do not
 * count, as for every limit of one client.
 */
export class FailureLimiter extends Context.Service<
  FailureLimiter,
  {
    /** Asked before a credential is looked at: fails after too many failures. */
    readonly check: (address: string) => Effect.Effect<void, TooManyRequests>
    /** A credential was wrong. */
    readonly failed: (address: string) => Effect.Effect<void>
  }
>()("@muster/server/FailureLimiter") {
  static readonly layer: Layer.Layer<FailureLimiter> = Layer.effect(
    this,
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.RateLimiter
      const take = (address: string, tokens: number) =>
        limiter.consume({
          algorithm: "token-bucket",
          onExceeded: "fail",
          window,
          limit: failures,
          key: clientNetwork(address),
          tokens
        })
      return FailureLimiter.of({
        // A look, which takes nothing.
        check: (address) => {
          if (!isOneClient(address)) return Effect.void
          return Effect.flatMap(Effect.orDie(take(address, 0)), ({ remaining, resetAfter }) => {
            if (remaining >= 1) return Effect.void
            const untilOne = Duration.toSeconds(resetAfter) - (failures - 1 - remaining) * secondsForOne
            return Effect.fail(
              new TooManyRequests({
                retryAfter: Math.max(1, Math.ceil(untilOne)),
                detail: "Too many credentials from this address were wrong."
              })
            )
          })
        },
        // What was under way when they were used up adds nothing: it would keep others of the network out for longer.
        failed: (address) =>
          !isOneClient(address)
            ? Effect.void
            : take(address, 1).pipe(
                Effect.catchIf(
                  ({ reason }) => reason._tag === "RateLimitExceeded",
                  () => Effect.void
                ),
                Effect.orDie,
                Effect.asVoid
              )
      })
    })
  ).pipe(Layer.provide(RateLimiter.layer), Layer.provide(boundedBuckets(HttpLimits.clients)))
}
