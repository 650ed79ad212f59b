/**
 * What each client may take of the service, and how clients are told apart, from the environment.
 */
import { Effect, Schema } from "effect"
import { type Networks, noNetworks, parseNetworks } from "./http/NetworkAddress.ts"
import { read, variable } from "./Variables.ts"
import type { WrongUsage } from "./WrongUsage.ts"

export interface LimitSettings {
  /** The proxies that are trusted to say for whom they ask. */
  readonly trustedProxies: Networks
}

const noProxies = "none"

const areNetworks = (text: string) => text === noProxies || parseNetworks(text) !== undefined

/** In the order in which they are shown. */
export const limitVariables = {
  trustedProxies: variable({
    name: "MUSTER_TRUSTED_PROXIES",
    description:
      "the proxies whose `X-Forwarded-For` or `Forwarded` says who the client is; of all others it is the connection that says so",
    schema: Schema.String.check(Schema.makeFilter(areNetworks)),
    rule: "networks such as 10.0.0.0/8 with commas between, or none",
    fallback: noProxies
  })
}

export const resolveLimits = Effect.gen(function* (): Effect.fn.Return<LimitSettings, WrongUsage> {
  return { trustedProxies: parseNetworks(yield* read(limitVariables.trustedProxies)) ?? noNetworks }
})
