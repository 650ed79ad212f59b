/**
 * Names and addresses that only this machine reaches.
 */
import { canonicalAddress, isLoopback } from "./NetworkAddress.ts"

/** A name that is resolved elsewhere may point anywhere, so of names there are only those of RFC 6761. */
export const isLoopbackHost = (host: string): boolean => {
  const bare = host.replace(/^\[(.*)\]$/, "$1").toLowerCase()
  const address = canonicalAddress(bare)
  return address === undefined ? bare === "localhost" || bare.endsWith(".localhost") : isLoopback(address)
}
