import { assert, describe, it } from "@effect/vitest"
import { canonicalAddress, clientNetwork, isLoopback, parseNetworks } from "./NetworkAddress.ts"

describe("canonicalAddress", () => {
  it.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["::FFFF:c000:207", "192.0.2.7"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["fe80::1%eth0", "fe80::1"]
  ])("%s is %s", (text, expected) => assert.strictEqual(canonicalAddress(text), expected))

  it.each(["", "localhost", "192.0.2", "192.0.2.07", "1.2.3.4:80", "[::1]", "::1::", "unknown"])(
    "%j is no address",
    (text) => assert.isUndefined(canonicalAddress(text))
  )
})

describe("clientNetwork", () => {
  it.each([
    ["192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["::1", "0:0:0:0::/64"],
    ["1::5:6:7:8:9:a", "1:0:5:6::/64"]
  ])("%s belongs to %s", (address, expected) => assert.strictEqual(clientNetwork(address), expected))
})

describe("isLoopback", () => {
  it.each(["127.0.0.1", "127.9.9.9", "::1"])("%s is", (address) => assert.isTrue(isLoopback(address)))
  it.each(["128.0.0.1", "::", "10.127.0.1"])("%s is not", (address) => assert.isFalse(isLoopback(address)))
})

describe("parseNetworks", () => {
  it("has what is in one of its networks", () => {
    const networks = parseNetworks("10.0.0.0/8, 192.0.2.7,2001:db8::/32")
    for (const address of ["10.0.0.1", "10.255.255.255", "192.0.2.7", "2001:db8:ffff::1"])
      assert.isTrue(networks?.has(address))
    for (const address of ["11.0.0.1", "192.0.2.8", "2001:db9::", "unknown", ""])
      assert.isFalse(networks?.has(address))
  })

  it.each([
    "",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "::/129",
    "::ffff:10.0.0.0/104",
    "proxy",
    "10.0.0.1,"
  ])("does not take %j", (text) => assert.isUndefined(parseNetworks(text)))
})
