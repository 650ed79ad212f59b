/**
 * IP addresses as they are compared and counted by: one text for one address, the network of somebody who has many of
 * them, and lists of networks.
 */
import { BlockList, isIP, isIPv4, isIPv6, SocketAddress } from "node:net"

/** The one text of an address, without a zone; IPv4 inside IPv6 as IPv4. `undefined` where it is no address. */
export const canonicalAddress = (text: string): string | undefined => {
  if (isIPv4(text)) return text
  if (!isIPv6(text)) return undefined
  const { address } = new SocketAddress({ address: text.split("%", 1)[0] ?? text, family: "ipv6" })
  const inside = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1]
  return inside ?? address
}

/**
 * What stands for whoever has a canonical address: of IPv6 the /64, since a host is given all of one and may come from
 * any address in it.
 */
export const clientNetwork = (address: string): string => {
  if (!isIPv6(address)) return address
  const [head = "", tail] = address.split("::")
  const before = head === "" ? [] : head.split(":")
  const after = tail === undefined || tail === "" ? [] : tail.split(":")
  const between =
    tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => "0")
  return `${[...before, ...between, ...after].slice(0, 4).join(":")}::/64`
}

/** Whether a canonical address is of this machine itself. */
export const isLoopback = (address: string): boolean => address === "::1" || address.startsWith("127.")

/**
 * Whether limits for one client hold for an address. Not for this machine's own: whoever is on it can do worse, and a
 * proxy on it that nobody has named would count as one client. Nor where the connection is gone, so that it is unknown.
 */
export const isOneClient = (address: string): boolean => address !== "unknown" && !isLoopback(address)

/** Networks that an address can be in. */
export interface Networks {
  /** Whether a canonical address is in one of them. */
  readonly has: (address: string) => boolean
}

export const noNetworks: Networks = { has: () => false }

/** Addresses and networks, such as `10.0.0.0/8`, with commas between. `undefined` where one of them is neither. */
export const parseNetworks = (text: string): Networks | undefined => {
  const list = new BlockList()
  for (const part of text.split(",")) {
    const [given = "", length, ...more] = part.trim().split("/")
    const address = canonicalAddress(given)
    if (address === undefined || more.length > 0) return undefined
    const family = familyOf(address)
    const bits = family === "ipv4" ? 32 : 128
    if (length === undefined) list.addAddress(address, family)
    else {
      if (familyOf(given) !== family || !/^\d{1,3}$/.test(length) || Number(length) > bits) return undefined
      list.addSubnet(address, Number(length), family)
    }
  }
  return { has: (address) => isIP(address) !== 0 && list.check(address, familyOf(address)) }
}

const familyOf = (address: string) => (isIPv4(address) ? "ipv4" : "ipv6")
