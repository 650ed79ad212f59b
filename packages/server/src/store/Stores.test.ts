import { assert, describe, it } from "@effect/vitest"
import { FleetStore } from "@muster/core/fleet"
import { Effect } from "effect"
import { inspect } from "node:util"
import { shownStore, storeLayer } from "./Stores.ts"

const refusal = (spec: string) => Effect.flip(Effect.provide(Effect.asVoid(FleetStore), storeLayer(spec)))

describe("storeLayer", () => {
  it.effect("has a store in memory", () =>
    Effect.gen(function* () {
      const { sequence } = yield* Effect.flatMap(FleetStore, ({ overview }) => overview)
      assert.strictEqual(sequence, 0)
    }).pipe(Effect.provide(storeLayer("memory")))
  )

  it.effect("knows what it does not have", () =>
    Effect.gen(function* () {
      for (const [spec, complaint] of [
        ["", "is empty"],
        [" ", "is empty"],
        ["mysql://user:secret@localhost/fleet", "mysql://… is not supported"]
      ] as const) {
        const error = yield* refusal(spec)
        assert.strictEqual(error._tag, "WrongUsage")
        assert.strictEqual(
          error.message,
          `--store (MUSTER_STORE) ${complaint}: ` +
            `it is "memory", the path of a file, or postgres://user:password@host:5432/database`
        )
      }
    })
  )

  it.live("says what is wrong with PostgreSQL, and never a password", () =>
    Effect.gen(function* () {
      const password = "secret/word"
      const encoded = encodeURIComponent(password)
      for (const [spec, complaint] of [
        [
          `postgres://muster:${encoded}@127.0.0.1:1/fleet`,
          "cannot open the store postgres://muster@127.0.0.1:1/fleet: PostgreSQL cannot be reached " +
            "(connect ECONNREFUSED 127.0.0.1:1)"
        ],
        [
          `postgresql://muster@127.0.0.1:1/fleet?password=${encoded}&sslmode=${encoded}`,
          "cannot open the store postgres://muster@127.0.0.1:1/fleet:"
        ],
        [`postgres://muster:${password}@127.0.0.1:1/fleet`, "cannot open the store: its URL is none."],
        [`postgres://muster:${encoded}@127.0.0.1:99999/fleet`, "cannot open the store: its URL is none."]
      ] as const) {
        const error = yield* refusal(spec)
        assert.strictEqual(error._tag, "CannotOpenStore")
        assert.include(error.message, complaint)
        for (const text of [error.message, inspect(error, { depth: 20, showHidden: true })]) {
          assert.notInclude(text, password)
          assert.notInclude(text, encoded)
        }
      }
    })
  )
})

describe("shownStore", () => {
  it.effect("is what was said, without a password", () =>
    Effect.gen(function* () {
      for (const [spec, shown] of [
        ["memory", "memory"],
        ["/var/lib/muster/fleet.db", "/var/lib/muster/fleet.db"],
        ["postgres://muster:s3cret@db:5432/fleet", "postgres://muster:***@db:5432/fleet"],
        ["postgres://muster@db/fleet?password=s%2Fcret", "postgres://muster@db/fleet?password=***"]
      ] as const) {
        assert.strictEqual(yield* shownStore(spec), shown)
      }
    })
  )
})
