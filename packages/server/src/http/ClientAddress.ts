/**
 * Whom a request comes from. It is whoever has opened the connection, unless that is a proxy which is trusted to say
 * for whom it asks: what others write into these headers is their own invention.
 */
import { Context, Option } from "effect"
import type { HttpServerRequest } from "effect/http"
import { canonicalAddress, type Networks, noNetworks } from "./NetworkAddress.ts"

/** The proxies whose word is taken. */
export const TrustedProxies = Context.Reference<Networks>("@muster/server/TrustedProxies", {
  defaultValue: () => noNetworks
})

/** The canonical address of whoever makes the request that a fiber answers; "unknown" where that is not known. */
export const ClientAddress = Context.Reference<string>("@muster/server/ClientAddress", {
  defaultValue: () => "unknown"
})

/** Proxies that one request is followed through. */
const mostProxies = 32

/**
 * The canonical address of the client; "unknown" where the connection is gone already.
 *
 * Each proxy adds at the end whom it was asked by. So the last address that is no trusted proxy's is the client's, and
 * what stands before it was sent by the client. Where an entry is no address, or the two headers contradict each other
 * because the proxy writes one and lets the other through, it is the last proxy that is known to be one.
 */
export const clientAddress = (
  { headers, remoteAddress }: Pick<HttpServerRequest.HttpServerRequest, "headers" | "remoteAddress">,
  proxies: Networks
): string => {
  const peer = canonicalAddress(Option.getOrElse(remoteAddress, () => "")) ?? "unknown"
  if (!proxies.has(peer)) return peer
  const named = headers["x-forwarded-for"]
  const described = headers["forwarded"]
  const fromNamed = named === undefined ? undefined : follow(peer, named, ofName, proxies)
  const fromDescribed = described === undefined ? undefined : follow(peer, described, ofDescription, proxies)
  if (fromNamed !== undefined && fromDescribed !== undefined && fromNamed !== fromDescribed) return peer
  return fromNamed ?? fromDescribed ?? peer
}

const follow = (
  peer: string,
  header: string,
  read: (entry: string) => string | undefined,
  proxies: Networks
): string => {
  let client = peer
  for (const entry of header.split(",").slice(-mostProxies).toReversed()) {
    const address = read(entry.trim())
    if (address === undefined) return client
    client = address
    if (!proxies.has(address)) return client
  }
  return client
}

/** An entry of `X-Forwarded-For`: an address, and perhaps a port. */
const ofName = (entry: string): string | undefined => {
  const bare = canonicalAddress(entry)
  if (bare !== undefined) return bare
  const [, inBrackets, beforePort] = /^(?:\[([^\]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/.exec(entry) ?? []
  return canonicalAddress(inBrackets ?? beforePort ?? "")
}

/** An entry of `Forwarded` (RFC 7239): `for=` an address, in quotes where it has colons. */
const ofDescription = (entry: string): string | undefined => {
  const node = entry
    .split(";")
    .flatMap((pair) => /^\s*for\s*=\s*(?:"([^"]*)"|([^"]*?))\s*$/i.exec(pair)?.slice(1) ?? [])
  const given = node.filter((text) => text !== undefined)
  return given.length === 1 ? ofName(given[0] ?? "") : undefined
}
