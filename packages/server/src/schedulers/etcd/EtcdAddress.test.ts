import { assert, describe, it } from "@effect/vitest"
import { Duration, Result } from "effect"
import { parseEtcdAddress } from "./EtcdAddress.ts"

const parsed = (rest: string) => Result.getOrThrow(parseEtcdAddress(rest))
const rule = (rest: string) => Result.getOrElse(Result.flip(parseEtcdAddress(rest)), () => "")

describe("what stands behind etcd://", () => {
  it("is the hosts alone, or with a prefix of one or more segments", () => {
    assert.deepStrictEqual(parsed("a:2379"), { hosts: "a:2379" })
    assert.deepStrictEqual(parsed("a:2379/"), { hosts: "a:2379" })
    assert.deepStrictEqual(parsed("a:2379,[::1]:2379/ci/fleet-1"), {
      hosts: "a:2379,[::1]:2379",
      prefix: "/ci/fleet-1"
    })
  })

  it("may have settings after a question mark", () => {
    assert.deepStrictEqual(parsed("a:1?lease=60s&tombstones=2h&max-txn-ops=512&max-request-bytes=10000000"), {
      hosts: "a:1",
      lease: Duration.seconds(60),
      tombstones: Duration.hours(2),
      maxTxnOps: 512,
      maxRequestBytes: 10_000_000
    })
    assert.deepStrictEqual(parsed("a:1/p?lease=5%20minutes"), {
      hosts: "a:1",
      prefix: "/p",
      lease: Duration.minutes(5)
    })
  })

  it.each([
    ["a:1/p/", /prefix of the keys/],
    ["a:1//p", /prefix of the keys/],
    ["a:1/ü", /prefix of the keys/],
    ["a:1?lease=soon", /lease= takes a duration/],
    ["a:1?lease=", /lease= takes a duration/],
    ["a:1?tombstones=-1s", /tombstones= takes a duration/],
    ["a:1?max-txn-ops=many", /max-txn-ops= takes a whole number/],
    ["a:1?max-request-bytes=1.5", /max-request-bytes= takes a whole number/],
    ["a:1?leese=5s", /lease=, tombstones=, max-txn-ops= and max-request-bytes=/]
  ])("is refused with the rule when it is %s", (rest, expected) => {
    assert.match(rule(rest), expected)
  })
})
