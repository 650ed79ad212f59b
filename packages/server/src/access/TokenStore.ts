/**
 * Where credentials are kept.
 */
import type { StoreUnavailable } from "@muster/core/fleet"
import { Context, type Effect } from "effect"
import type { StoredToken, TokenKind } from "./Token.ts"

export interface TokenFilter {
  readonly kinds: ReadonlyArray<TokenKind>
  /** Those with a greater id, by id. */
  readonly after: string
  readonly limit: number
}

export interface Rotation {
  readonly digest: string
  readonly at: number
  /** `at`: the secret before is no good any more. */
  readonly previousUntil: number
}

export class TokenStore extends Context.Service<
  TokenStore,
  {
    readonly add: (token: StoredToken) => Effect.Effect<void, StoreUnavailable>
    readonly find: (id: string) => Effect.Effect<StoredToken | undefined, StoreUnavailable>
    readonly list: (filter: TokenFilter) => Effect.Effect<ReadonlyArray<StoredToken>, StoreUnavailable>
    /**
     * Revokes a token that is not revoked, with the sessions and join tokens that were made with it; not the machines that
     * have joined. Whether there was one.
     */
    readonly revoke: (id: string, at: number) => Effect.Effect<boolean, StoreUnavailable>
    /**
     * Gives a token that is not revoked another secret; the one before stays good until `previousUntil`. Sessions and join
     * tokens that were made with it end. Whether there was one.
     */
    readonly rotate: (id: string, rotation: Rotation) => Effect.Effect<boolean, StoreUnavailable>
    /**
     * Uses a join token up and adds the machine's credential, in one step. `false`: it was used, revoked or over, and
     * nothing was added. Of any number that try, one succeeds.
     */
    readonly consume: (
      id: string,
      at: number,
      machine: StoredToken
    ) => Effect.Effect<boolean, StoreUnavailable>
    /** Undoes {@link consume}: the worker could not be taken in. */
    readonly giveBack: (id: string, machine: string) => Effect.Effect<void, StoreUnavailable>
    /** Notes when tokens were last used. */
    readonly touch: (
      uses: ReadonlyArray<readonly [id: string, at: number]>
    ) => Effect.Effect<void, StoreUnavailable>
    /**
     * Removes at most `limit` tokens that were over or revoked before then, or are a machine's of which nothing is known
     * any more; how many.
     */
    readonly removeBefore: (before: number, limit: number) => Effect.Effect<number, StoreUnavailable>
  }
>()("@muster/server/TokenStore") {}
