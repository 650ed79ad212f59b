import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type EtcdOptions, resolveOptions } from "./EtcdOptions.ts"

const addresses = ["127.0.0.1:2379"]

describe("the options of etcd", () => {
  it.effect("have defaults", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* resolveOptions({ addresses }), {
        prefix: "/muster",
        lease: undefined,
        tombstones: 3600,
        maxTxnOps: 128,
        maxRequestBytes: 1_572_864
      })
    })
  )

  it.effect("round a lease up to whole seconds, as etcd counts it", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* resolveOptions({ addresses, lease: "5100 millis" })).lease, 6)
    })
  )

  const refused: ReadonlyArray<readonly [Partial<EtcdOptions>, RegExp]> = [
    [{ addresses: [] }, /at least one address/],
    [{ prefix: "" }, /prefix/],
    [{ prefix: "/ci/" }, /prefix/],
    [{ prefix: "p".repeat(501) }, /prefix/],
    [{ lease: "4 seconds" }, /lease of etcd must be from 5 seconds to 365 days/],
    [{ lease: "Infinity" }, /lease of etcd/],
    [{ tombstones: "1 second" }, /tombstones of etcd must be from 1 minute/],
    [{ maxTxnOps: 2 }, /maxTxnOps of etcd must be a whole number, 3 or more/],
    [{ maxRequestBytes: 4096.5 }, /maxRequestBytes/]
  ]
  it.effect.each(refused)("are refused with the rule: %o", ([options, rule]) =>
    Effect.gen(function* () {
      const { message } = yield* Effect.flip(resolveOptions({ addresses, ...options }))
      assert.match(message, rule)
    })
  )
})
