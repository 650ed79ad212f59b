/**
 * Credentials in a database with SQL.
 */
import { Effect } from "effect"
import type * as SqlError from "effect/sql/SqlError"
import type { Role, StoredToken, TokenKind } from "../access/Token.ts"
import type { Rotation, TokenStore } from "../access/TokenStore.ts"
import type { Attempt } from "./StoreAttempt.ts"
import type { Columns, Row, StoreDatabase } from "./StoreDatabase.ts"

const columns: Columns = [
  ["id", "text"],
  ["kind", "text"],
  ["name", "text"],
  ["digest", "text"],
  ["previous_digest", "text"],
  ["previous_until", "number"],
  ["role", "text"],
  ["namespaces", "text"],
  ["own_workers", "number"],
  ["worker", "text"],
  ["parent", "text"],
  ["created_at", "number"],
  ["created_by", "text"],
  ["expires_at", "number"],
  ["last_used_at", "number"],
  ["used_at", "number"],
  ["revoked_at", "number"]
]

interface TokenRow {
  readonly id: string
  readonly kind: TokenKind
  readonly name: string
  readonly digest: string
  readonly previous_digest: string | null
  readonly previous_until: number | null
  readonly role: Role
  readonly namespaces: string | null
  readonly own_workers: number
  readonly worker: string | null
  readonly parent: string | null
  readonly created_at: number
  readonly created_by: string
  readonly expires_at: number | null
  readonly last_used_at: number | null
  readonly used_at: number | null
  readonly revoked_at: number | null
}

const toRow = (token: StoredToken): Row => [
  token.id,
  token.kind,
  token.name,
  token.digest,
  token.previous?.digest ?? null,
  token.previous?.until ?? null,
  token.role,
  token.namespaces === undefined ? null : JSON.stringify(token.namespaces),
  token.ownWorkers ? 1 : 0,
  token.worker ?? null,
  token.parent ?? null,
  token.createdAt,
  token.createdBy,
  token.expiresAt ?? null,
  token.lastUsedAt ?? null,
  token.usedAt ?? null,
  token.revokedAt ?? null
]

const namespacesOf = (json: string): ReadonlyArray<string> => JSON.parse(json)

const fromRow = (row: TokenRow): StoredToken => ({
  id: row.id,
  kind: row.kind,
  name: row.name,
  digest: row.digest,
  previous:
    row.previous_digest === null || row.previous_until === null
      ? undefined
      : { digest: row.previous_digest, until: row.previous_until },
  role: row.role,
  namespaces: row.namespaces === null ? undefined : namespacesOf(row.namespaces),
  ownWorkers: row.own_workers === 1,
  worker: row.worker ?? undefined,
  parent: row.parent ?? undefined,
  createdAt: row.created_at,
  createdBy: row.created_by,
  expiresAt: row.expires_at ?? undefined,
  lastUsedAt: row.last_used_at ?? undefined,
  usedAt: row.used_at ?? undefined,
  revokedAt: row.revoked_at ?? undefined
})

export const makeSqlTokenStore = (
  { insert, isOneOf, sql, transaction }: StoreDatabase,
  attempt: Attempt
): TokenStore["Service"] => {
  const insertTokens = insert("muster_token", columns)
  const all = sql.literal(`SELECT ${columns.map(([name]) => name).join(", ")} FROM muster_token`)

  const revokeDependents = (id: string, at: number) => sql`UPDATE muster_token SET revoked_at = ${at}
    WHERE parent = ${id} AND kind <> 'machine' AND revoked_at IS NULL`

  const revoke = Effect.fnUntraced(function* (
    id: string,
    at: number
  ): Effect.fn.Return<boolean, SqlError.SqlError> {
    const revoked = yield* sql`UPDATE muster_token SET revoked_at = ${at}
      WHERE id = ${id} AND revoked_at IS NULL RETURNING id`
    if (revoked.length === 0) return false
    yield* revokeDependents(id, at)
    return true
  })

  const rotate = Effect.fnUntraced(function* (
    id: string,
    { at, digest, previousUntil }: Rotation
  ): Effect.fn.Return<boolean, SqlError.SqlError> {
    const rotated = yield* sql`UPDATE muster_token
      SET previous_digest = digest, previous_until = ${previousUntil}, digest = ${digest}
      WHERE id = ${id} AND revoked_at IS NULL RETURNING id`
    if (rotated.length === 0) return false
    yield* revokeDependents(id, at)
    return true
  })

  const consume = Effect.fnUntraced(function* (
    id: string,
    at: number,
    machine: StoredToken
  ): Effect.fn.Return<boolean, SqlError.SqlError> {
    const used = yield* sql`UPDATE muster_token SET used_at = ${at}
      WHERE id = ${id} AND kind = 'join' AND used_at IS NULL AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > ${at}) RETURNING id`
    if (used.length === 0) return false
    yield* insertTokens([toRow(machine)])
    return true
  })

  const giveBack = Effect.fnUntraced(function* (
    id: string,
    machine: string
  ): Effect.fn.Return<void, SqlError.SqlError> {
    yield* sql`UPDATE muster_token SET used_at = NULL WHERE id = ${id}`
    yield* sql`DELETE FROM muster_token WHERE id = ${machine}`
  })

  return {
    add: (token) => attempt("write", transaction(insertTokens([toRow(token)]))),
    find: (id) =>
      attempt(
        "read",
        Effect.map(sql<TokenRow>`${all} WHERE id = ${id}`, ([row]) =>
          row === undefined ? undefined : fromRow(row)
        )
      ),
    list: ({ after, kinds, limit }) =>
      attempt(
        "read",
        Effect.map(
          sql<TokenRow>`${all} WHERE id > ${after} AND ${isOneOf("kind", kinds)} ORDER BY id LIMIT ${limit}`,
          (rows) => rows.map(fromRow)
        )
      ),
    revoke: (id, at) => attempt("write", transaction(revoke(id, at))),
    rotate: (id, rotation) => attempt("write", transaction(rotate(id, rotation))),
    consume: (id, at, machine) => attempt("write", transaction(consume(id, at, machine))),
    giveBack: (id, machine) => attempt("write", transaction(giveBack(id, machine))),
    touch: (uses) =>
      attempt(
        "write",
        transaction(
          Effect.forEach(
            uses,
            ([id, at]) => sql`UPDATE muster_token SET last_used_at = ${at} WHERE id = ${id}`,
            { discard: true }
          )
        )
      ),
    removeBefore: (before, limit) =>
      attempt(
        "write",
        transaction(
          Effect.map(
            sql`DELETE FROM muster_token WHERE id IN (
              SELECT id FROM muster_token WHERE expires_at < ${before} OR revoked_at < ${before}
                OR (kind = 'machine' AND created_at < ${before}
                  AND NOT EXISTS (SELECT 1 FROM muster_worker w WHERE w.id = worker))
              LIMIT ${limit}
            ) RETURNING 1 AS removed`,
            ({ length }) => length
          )
        )
      )
  }
}
