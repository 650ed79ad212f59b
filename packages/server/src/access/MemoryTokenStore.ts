/**
 * Credentials beside the store that forgets everything when the process ends. Each call is one step.
 */
import { Effect } from "effect"
import { isValidAt, type StoredToken } from "./Token.ts"
import type { TokenStore } from "./TokenStore.ts"

export const makeMemoryTokenStore = (): TokenStore["Service"] => {
  const tokens = new Map<string, StoredToken>()

  const change = (id: string, changes: Partial<StoredToken>) => {
    const token = tokens.get(id)
    if (token !== undefined) tokens.set(id, { ...token, ...changes })
  }
  const isLive = (id: string) => tokens.get(id)?.revokedAt === undefined && tokens.has(id)
  const revokeDependents = (id: string, at: number) => {
    for (const { id: dependent, kind, parent, revokedAt } of tokens.values()) {
      if (kind !== "machine" && parent === id && revokedAt === undefined) change(dependent, { revokedAt: at })
    }
  }

  return {
    add: (token) => Effect.sync(() => void tokens.set(token.id, token)),
    find: (id) => Effect.sync(() => tokens.get(id)),
    list: ({ after, kinds, limit }) =>
      Effect.sync(() =>
        Array.from(tokens.values())
          .filter(({ id, kind }) => id > after && kinds.includes(kind))
          .toSorted((left, right) => (left.id < right.id ? -1 : 1))
          .slice(0, limit)
      ),
    revoke: (id, at) =>
      Effect.sync(() => {
        if (!isLive(id)) return false
        change(id, { revokedAt: at })
        revokeDependents(id, at)
        return true
      }),
    rotate: (id, { at, digest, previousUntil }) =>
      Effect.sync(() => {
        const token = tokens.get(id)
        if (token === undefined || !isLive(id)) return false
        change(id, { digest, previous: { digest: token.digest, until: previousUntil } })
        revokeDependents(id, at)
        return true
      }),
    consume: (id, at, machine) =>
      Effect.sync(() => {
        const token = tokens.get(id)
        if (token?.kind !== "join" || !isValidAt(token, at)) return false
        change(id, { usedAt: at })
        tokens.set(machine.id, machine)
        return true
      }),
    giveBack: (id, machine) =>
      Effect.sync(() => {
        change(id, { usedAt: undefined })
        tokens.delete(machine)
      }),
    touch: (uses) =>
      Effect.sync(() => {
        for (const [id, at] of uses) change(id, { lastUsedAt: at })
      }),
    removeBefore: (before, limit) =>
      Effect.sync(() => {
        const old = Array.from(tokens.values())
          .filter(({ expiresAt = Infinity, revokedAt = Infinity }) => Math.min(expiresAt, revokedAt) < before)
          .slice(0, limit)
        for (const { id } of old) tokens.delete(id)
        return old.length
      })
  }
}
