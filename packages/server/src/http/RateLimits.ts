/**
 * How much each client may ask for: a bucket of units for each, of which a request takes one, and every worker, event or
 * line in it one more. They come back at a steady rate. What is there as a whole is refused when they are used up; a
 * stream is slowed down.
 */
import { Context, Duration, Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { Limits, type RateLimit } from "../LimitSettings.ts"
import { boundedBuckets } from "./BoundedBuckets.ts"
import { ClientAddress } from "./ClientAddress.ts"
import { HttpLimits } from "./HttpLimits.ts"
import { clientNetwork, isOneClient } from "./NetworkAddress.ts"
import { problemResponse } from "./ProblemResponse.ts"
import { TooManyRequests } from "./Problems.ts"
import { isWatching } from "./RequestPath.ts"

/** What is left to the client of a request. */
export interface Quota {
  /** So many more units now, or none: for what has arrived as a whole. */
  readonly take: (units: number) => Effect.Effect<void, TooManyRequests>
  /** So many more units, waiting until they are there: for what can be made to come more slowly. */
  readonly pace: (units: number) => Effect.Effect<void>
  /** The rest is counted for a credential, the request itself too, be it used from one address or from many. */
  readonly countFor: (credential: string) => Effect.Effect<void, TooManyRequests>
}

/** Of the request that is being answered. */
export const Quota = Context.Reference<Quota>("@muster/server/Quota", {
  defaultValue: () => ({ take: () => Effect.void, pace: () => Effect.void, countFor: () => Effect.void })
})

/** Counts every request, except those of whoever watches the service and of clients on this machine. */
export const RateLimits = HttpRouter.middleware(
  Effect.gen(function* () {
    const { rate } = yield* Limits
    const limiter = yield* RateLimiter.RateLimiter
    return (handler) => {
      if (rate === undefined) return handler
      const counted = (address: string, { url }: HttpServerRequest.HttpServerRequest) => {
        if (!isOneClient(address) || isWatching(url)) return handler
        const account = new Account(limiter, rate, clientNetwork(address))
        return account.take(1).pipe(
          Effect.andThen(Effect.provideService(handler, Quota, account)),
          Effect.catchIf(
            (error) => error instanceof TooManyRequests,
            (problem) => problemResponse(problem)
          ),
          Effect.map((response) => HttpServerResponse.setHeaders(response, account.headers()))
        )
      }
      return Effect.flatMap(ClientAddress, (address) =>
        Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => counted(address, request))
      )
    }
  }),
  { global: true }
)

/** The clients whose buckets are kept. */
export const RateLimiterLive = RateLimiter.layer.pipe(Layer.provide(boundedBuckets(HttpLimits.clients)))

class Account implements Quota {
  private left = 0
  private nextIn = 0
  private readonly limiter: RateLimiter.RateLimiter
  private readonly rate: RateLimit
  private key: string
  private readonly window: Duration.Duration

  constructor(limiter: RateLimiter.RateLimiter, rate: RateLimit, key: string) {
    this.limiter = limiter
    this.rate = rate
    this.key = key
    this.window = Duration.millis((rate.burst / rate.perSecond) * 1000)
  }

  /** More than the bucket holds is taken from a full one, and the rest is owed: it could not be sent at all else. */
  take(units: number): Effect.Effect<void, TooManyRequests> {
    const now = Math.min(units, this.rate.burst)
    const taken = this.consume(now, "fail")
    return units > now
      ? Effect.andThen(taken, Effect.orDie(this.consume(units - now, "delay")))
      : Effect.asVoid(taken)
  }

  pace(units: number): Effect.Effect<void> {
    return Effect.flatMap(Effect.orDie(this.consume(units, "delay")), (delay) =>
      Duration.isZero(delay) ? Effect.void : Effect.sleep(delay)
    )
  }

  countFor(credential: string): Effect.Effect<void, TooManyRequests> {
    return Effect.suspend(() => {
      // An address is no id of a credential.
      this.key = `credential ${credential}`
      return this.take(1)
    })
  }

  /** As in draft-ietf-httpapi-ratelimit-headers-11: the bucket is a quota for the time in which it fills. */
  headers(): Readonly<Record<string, string>> {
    const { burst, perSecond } = this.rate
    return {
      "ratelimit-policy": `"client";q=${burst};w=${Math.ceil(burst / perSecond)}`,
      ratelimit: `"client";r=${Math.max(0, Math.floor(this.left))};t=${this.nextIn}`
    }
  }

  /** Gives how long to wait. */
  private consume(
    tokens: number,
    onExceeded: "fail" | "delay"
  ): Effect.Effect<Duration.Duration, TooManyRequests> {
    return this.limiter
      .consume({
        algorithm: "token-bucket",
        onExceeded,
        window: this.window,
        limit: this.rate.burst,
        key: this.key,
        tokens
      })
      .pipe(
        Effect.map(({ delay, remaining }) => {
          this.note(remaining, delay)
          return delay
        }),
        Effect.catch(({ reason }) => {
          if (reason._tag === "RateLimitStoreError") return Effect.die(reason)
          this.note(0, reason.retryAfter)
          return Effect.fail(
            new TooManyRequests({
              retryAfter: this.nextIn,
              detail: `${this.rate.perSecond} a second are allowed, a worker or event counting as one.`
            })
          )
        })
      )
  }

  private note(left: number, wait: Duration.Duration): void {
    this.left = left
    this.nextIn = Math.max(1, Math.ceil(Duration.toSeconds(wait)))
  }
}
