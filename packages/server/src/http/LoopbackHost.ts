/**
 * Names and addresses that only this machine reaches.
 */
import { BlockList, isIP } from "node:net"

const loopback = new BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

/** A name that is resolved elsewhere may point anywhere, so of names there are only those of RFC 6761. */
export const isLoopbackHost = (host: string): boolean => {
  const bare = host.replace(/^\[(.*)\]$/, "$1").toLowerCase()
  if (isIP(bare) !== 0) return loopback.check(bare, isIP(bare) === 6 ? "ipv6" : "ipv4")
  return bare === "localhost" || bare.endsWith(".localhost")
}
