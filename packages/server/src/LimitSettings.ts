/**
 * What each client may take of the service, and how clients are told apart, from the environment.
 */
import { Context, Effect, Schema } from "effect"
import { type Networks, noNetworks, parseNetworks } from "./http/NetworkAddress.ts"
import { off, orOff, read, variable, wholeNumber } from "./Variables.ts"
import { WrongUsage } from "./WrongUsage.ts"

export interface RateLimit {
  /** Units that come back each second. */
  readonly perSecond: number
  /** Units that a client has at most. */
  readonly burst: number
}

export interface LimitSettings {
  /** The proxies that are trusted to say for whom they ask. */
  readonly trustedProxies: Networks
  /** Requests that are open at the same time. */
  readonly requests: number
  /** Connections, and open requests, of one client at the same time. */
  readonly clientConnections: number
  /** Of each client; `undefined`: none. */
  readonly rate: RateLimit | undefined
}

const noProxies = "none"

const areNetworks = (text: string) => text === noProxies || parseNetworks(text) !== undefined

/**
 * Not under one a second: a stream that is slowed down to less would count as one on which nothing moves, and lose its
 * connection.
 */
const rate = Schema.FiniteFromString.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 }))

/** In the order in which they are shown. */
export const limitVariables = {
  trustedProxies: variable({
    name: "MUSTER_TRUSTED_PROXIES",
    description:
      "the proxies whose `X-Forwarded-For` or `Forwarded` says who the client is; of all others it is the connection that says so",
    schema: Schema.String.check(Schema.makeFilter(areNetworks)),
    rule: "networks such as 10.0.0.0/8 with commas between, or none",
    fallback: noProxies
  }),
  rateLimit: variable({
    name: "MUSTER_RATE_LIMIT",
    description:
      "requests a second of each client, a worker or event in one counting as one; not of clients on this machine",
    schema: orOff(rate),
    rule: "a number from 1 to 1000000, or off",
    fallback: 1000
  }),
  rateLimitBurst: wholeNumber({
    name: "MUSTER_RATE_LIMIT_BURST",
    description: "how many come at once before that holds; not under `MUSTER_RATE_LIMIT`",
    minimum: 1,
    maximum: 100_000_000,
    fallback: 100_000
  }),
  requests: wholeNumber({
    name: "MUSTER_MAX_REQUESTS",
    description: "the most requests that are open at the same time, streams included; beyond: 503",
    minimum: 1,
    maximum: 1_000_000,
    fallback: 10_000
  }),
  clientConnections: wholeNumber({
    name: "MUSTER_MAX_CLIENT_CONNECTIONS",
    description:
      "the most connections, and the most open requests, of one client; beyond: 429; not of clients on this machine",
    minimum: 1,
    maximum: 1_000_000,
    fallback: 1000
  })
}

/** What holds where nothing else was said. */
const defaults: LimitSettings = {
  trustedProxies: noNetworks,
  requests: limitVariables.requests.fallback,
  clientConnections: limitVariables.clientConnections.fallback,
  rate: { perSecond: 1000, burst: limitVariables.rateLimitBurst.fallback }
}

/** What the requests of a service are held to. */
export const Limits = Context.Reference<LimitSettings>("@muster/server/Limits", {
  defaultValue: () => defaults
})

/** The rule that two variables have to keep together. */
export const checkRateLimit = Effect.gen(function* (): Effect.fn.Return<RateLimit | undefined, WrongUsage> {
  const perSecond = yield* read(limitVariables.rateLimit)
  if (perSecond === off) return undefined
  const burst = yield* read(limitVariables.rateLimitBurst)
  if (burst < perSecond) {
    return yield* new WrongUsage({
      message: `${limitVariables.rateLimitBurst.name} must not be under ${limitVariables.rateLimit.name}`
    })
  }
  return { perSecond, burst }
})

export const resolveLimits = Effect.gen(function* (): Effect.fn.Return<LimitSettings, WrongUsage> {
  return {
    trustedProxies: parseNetworks(yield* read(limitVariables.trustedProxies)) ?? noNetworks,
    requests: yield* read(limitVariables.requests),
    clientConnections: yield* read(limitVariables.clientConnections),
    rate: yield* checkRateLimit
  }
})
