import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { Headers } from "effect/http"
import { clientAddress } from "./ClientAddress.ts"
import { noNetworks, parseNetworks } from "./NetworkAddress.ts"

const proxies = parseNetworks("10.0.0.0/8,2001:db8:ffff::/48") ?? noNetworks

const from = (peer: string | undefined, headers: Record<string, string> = {}, trusted = proxies) =>
  clientAddress({ remoteAddress: Option.fromUndefinedOr(peer), headers: Headers.fromInput(headers) }, trusted)

const named = (entries: string) => ({ "x-forwarded-for": entries })
const described = (entries: string) => ({ forwarded: entries })

describe("the address of a client", () => {
  it("is the connection's where no proxy is trusted, whatever the headers say", () => {
    const headers = { ...named("192.0.2.1"), ...described("for=192.0.2.1") }
    assert.strictEqual(from("198.51.100.7", headers), "198.51.100.7")
    assert.strictEqual(from("10.0.0.1", headers, noNetworks), "10.0.0.1")
    assert.strictEqual(from("::ffff:198.51.100.7"), "198.51.100.7")
    assert.strictEqual(from(undefined, headers), "unknown")
  })

  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["203.0.113.9, 192.0.2.1", "192.0.2.1"],
    ["203.0.113.9, 192.0.2.1, 10.0.0.2,10.0.0.3", "192.0.2.1"],
    ["192.0.2.1:4711", "192.0.2.1"],
    ["2001:DB8::1", "2001:db8::1"],
    ["[2001:db8::1]:4711", "2001:db8::1"],
    ["192.0.2.1, 2001:db8:ffff::2", "192.0.2.1"],
    ["10.0.0.8, 10.0.0.9", "10.0.0.8"]
  ])("behind a proxy is the last in %s that is no proxy's", (entries, expected) =>
    assert.strictEqual(from("10.0.0.1", named(entries)), expected)
  )

  it.each([
    ["for=192.0.2.1", "192.0.2.1"],
    [`proto=https;For="[2001:db8::1]:4711";by=10.0.0.1`, "2001:db8::1"],
    [`for="x, for=203.0.113.9, for=192.0.2.1;proto=http, for=10.0.0.2`, "192.0.2.1"]
  ])("is read from Forwarded: %s", (entries, expected) =>
    assert.strictEqual(from("10.0.0.1", described(entries)), expected)
  )

  it.each([
    ["nothing", {}],
    ["nothing in the header", named("")],
    ["a name", named("192.0.2.1, unknown")],
    ["an entry that is none", described("for=192.0.2.1, for=_hidden")],
    ["two in one", described("for=192.0.2.1;for=192.0.2.2")],
    ["none in one", described("proto=http")],
    ["two headers that contradict each other", { ...named("192.0.2.1"), ...described("for=192.0.2.2") }]
  ])("is the proxy's where it says %s", (_, headers) =>
    assert.strictEqual(from("10.0.0.1", headers), "10.0.0.1")
  )

  it("is the same in both headers, or taken from neither", () => {
    const headers = { ...named("192.0.2.1"), ...described("for=192.0.2.1") }
    assert.strictEqual(from("10.0.0.1", headers), "192.0.2.1")
  })

  it("is looked for behind so many proxies, and no further", () => {
    const long = named(`192.0.2.1, ${"10.0.0.7, ".repeat(5000)}10.0.0.8`)
    assert.strictEqual(from("10.0.0.1", long), "10.0.0.7")
  })
})
