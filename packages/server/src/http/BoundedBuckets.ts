/**
 * A store for Effect's `RateLimiter` that keeps the token buckets of so many clients and no more. Effect's own in memory
 * keeps one for each client that ever was there.
 */
import { Duration, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"

interface Bucket {
  tokens: number
  /** When the interval began in which the next token comes, in milliseconds. */
  since: number
}

/**
 * Of more than `maximum` clients those that have been away for the longest are forgotten, and have a full bucket when
 * they come again. Whoever has enough addresses for that gains nothing: each of them has a full one anyway.
 */
export const boundedBuckets = (maximum: number): Layer.Layer<RateLimiter.RateLimiterStore> =>
  Layer.effect(
    RateLimiter.RateLimiterStore,
    Effect.gen(function* () {
      // By when they were used last: what is used is put at the end again.
      const buckets = new Map<string, Bucket>()
      const take = (key: string, limit: number, now: number): Bucket => {
        const known = buckets.get(key)
        if (known !== undefined) buckets.delete(key)
        else if (buckets.size >= maximum) {
          for (const oldest of buckets.keys()) {
            buckets.delete(oldest)
            break
          }
        }
        const bucket = known ?? { tokens: limit, since: now }
        buckets.set(key, bucket)
        return bucket
      }
      return RateLimiter.RateLimiterStore.of({
        ...(yield* RateLimiter.RateLimiterStore),
        tokenBucket: ({ allowOverflow, key, limit, refillRate, tokens }) =>
          Effect.clockWith((clock) =>
            Effect.sync(() => {
              const now = clock.currentTimeMillisUnsafe()
              const interval = Duration.toMillis(refillRate)
              const bucket = take(key, limit, now)
              const back = Math.max(0, Math.floor((now - bucket.since) / interval))
              bucket.tokens = Math.min(limit, bucket.tokens + back)
              bucket.since = bucket.tokens >= limit ? now : bucket.since + back * interval
              const left = bucket.tokens - tokens
              if (allowOverflow || left >= 0) bucket.tokens = left
              return [left, Math.max(0, now - bucket.since)] as const
            })
          )
      })
    })
  ).pipe(Layer.provide(RateLimiter.layerStoreMemory))
