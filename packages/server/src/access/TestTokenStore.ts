/**
 * What every store of credentials does, as tests.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { makeToken, type TokenInput } from "./Issuing.ts"
import { isSecretOf, isValidAt } from "./Token.ts"
import type { TokenStore } from "./TokenStore.ts"

type Store = TokenStore["Service"]

const token = (input: Partial<TokenInput> = {}) =>
  makeToken({ kind: "token", name: "test", role: "provisioner", createdBy: "operator", ...input }, 1000).token

/** `open` gives an empty store every time. */
export const testTokenStore = (name: string, open: Effect.Effect<Store, never, Scope.Scope>): void => {
  const test = (behaviour: string, body: (store: Store) => Effect.Effect<void, unknown>) =>
    it.live(behaviour, () => Effect.scoped(Effect.flatMap(open, body)))

  describe(`credentials ${name}`, () => {
    test("are found as they were added, with everything", (store) =>
      Effect.gen(function* () {
        const full = {
          ...token({ namespaces: ["ci", "o'gpu"], ownWorkers: true, worker: "w", parent: "p" }),
          previous: { digest: "d", until: 5 },
          expiresAt: 1,
          lastUsedAt: 2,
          usedAt: 3,
          revokedAt: 4
        }
        const bare = token()
        yield* store.add(full)
        yield* store.add(bare)
        assert.deepStrictEqual(yield* store.find(full.id), full)
        assert.deepStrictEqual(yield* store.find(bare.id), bare)
        assert.isUndefined(yield* store.find("' OR 1=1 --"))
      }))

    test("are listed by id, of the kinds that are asked for, page by page", (store) =>
      Effect.gen(function* () {
        const tokens = Array.from({ length: 5 }, () => token())
        for (const one of [...tokens, token({ kind: "session" })]) yield* store.add(one)
        const ids = tokens.map(({ id }) => id).toSorted()
        const first = yield* store.list({ kinds: ["token", "join"], after: "", limit: 3 })
        const rest = yield* store.list({ kinds: ["token", "join"], after: first.at(-1)?.id ?? "", limit: 3 })
        assert.deepStrictEqual(
          [...first, ...rest].map(({ id }) => id),
          ids
        )
        assert.strictEqual((yield* store.list({ kinds: ["session"], after: "", limit: 9 })).length, 1)
      }))

    test("are revoked once, with the sessions and join tokens that were made with them", (store) =>
      Effect.gen(function* () {
        const parent = token()
        const session = token({ kind: "session", parent: parent.id })
        const join = token({ kind: "join", parent: parent.id })
        const machine = token({ kind: "machine", parent: parent.id })
        for (const one of [parent, session, join, machine]) yield* store.add(one)
        assert.isTrue(yield* store.revoke(parent.id, 2000))
        assert.isFalse(yield* store.revoke(parent.id, 3000))
        assert.isFalse(yield* store.revoke("nobody", 3000))
        assert.strictEqual((yield* store.find(parent.id))?.revokedAt, 2000)
        assert.strictEqual((yield* store.find(session.id))?.revokedAt, 2000)
        assert.strictEqual((yield* store.find(join.id))?.revokedAt, 2000)
        assert.isUndefined((yield* store.find(machine.id))?.revokedAt)
      }))

    test("have another secret after a rotation, beside the one before for a while, and no sessions", (store) =>
      Effect.gen(function* () {
        const one = token()
        const session = token({ kind: "session", parent: one.id })
        for (const each of [one, session]) yield* store.add(each)
        assert.isTrue(yield* store.rotate(one.id, { digest: "new", at: 2000, previousUntil: 3000 }))
        const rotated = yield* store.find(one.id)
        if (rotated === undefined) throw new Error("it is gone")
        assert.isTrue(isSecretOf(rotated, "new", 9000))
        assert.isTrue(isSecretOf(rotated, one.digest, 2999))
        assert.isFalse(isSecretOf(rotated, one.digest, 3000))
        assert.strictEqual((yield* store.find(session.id))?.revokedAt, 2000)
        yield* store.revoke(one.id, 4000)
        assert.isFalse(yield* store.rotate(one.id, { digest: "newer", at: 5000, previousUntil: 5000 }))
      }))

    test("of machines come of a join token once, whoever is fastest", (store) =>
      Effect.gen(function* () {
        const join = token({ kind: "join" })
        yield* store.add(join)
        const machines = Array.from({ length: 10 }, () => token({ kind: "machine", parent: join.id }))
        const won = yield* Effect.forEach(machines, (machine) => store.consume(join.id, 2000, machine), {
          concurrency: "unbounded"
        })
        assert.strictEqual(won.filter(Boolean).length, 1)
        const kept = yield* store.list({ kinds: ["machine"], after: "", limit: 99 })
        assert.deepStrictEqual(
          kept.map(({ id }) => id),
          machines.filter((_, index) => won[index]).map(({ id }) => id)
        )
        const used = yield* store.find(join.id)
        assert.isFalse(used === undefined || isValidAt(used, 2000))

        yield* store.giveBack(join.id, kept[0]?.id ?? "")
        assert.deepStrictEqual(yield* store.list({ kinds: ["machine"], after: "", limit: 99 }), [])
        assert.isTrue(yield* store.consume(join.id, 3000, token({ kind: "machine" })))
      }))

    test("of machines come of no token that is over, revoked, or no join token", (store) =>
      Effect.gen(function* () {
        const over = { ...token({ kind: "join" }), expiresAt: 2000 }
        const revoked = { ...token({ kind: "join" }), revokedAt: 1500 }
        for (const one of [over, revoked, token()]) {
          yield* store.add(one)
          assert.isFalse(yield* store.consume(one.id, 2000, token({ kind: "machine" })))
        }
        assert.deepStrictEqual(yield* store.list({ kinds: ["machine"], after: "", limit: 99 }), [])
      }))

    test("know when they were last used, and are removed some time after their end", (store) =>
      Effect.gen(function* () {
        const [over, revoked, good] = [{ ...token(), expiresAt: 10 }, { ...token(), revokedAt: 10 }, token()]
        for (const one of [over, revoked, good]) yield* store.add(one)
        yield* store.touch([[good.id, 1234]])
        assert.strictEqual((yield* store.find(good.id))?.lastUsedAt, 1234)
        assert.strictEqual(yield* store.removeBefore(10, 100), 0)
        assert.strictEqual(yield* store.removeBefore(11, 1), 1)
        assert.strictEqual(yield* store.removeBefore(11, 100), 1)
        assert.isDefined(yield* store.find(good.id))
      }))
  })
}
