/**
 * Credentials, of which only digests are kept, and the log of who did what. The log's rows form a chain: where it
 * begins and ends stands in `muster_state`, so that cutting off either end shows.
 */
import { Effect } from "effect"
import * as SqlClient from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const number = sql.literal(sql.onDialectOrElse({ pg: () => "double precision", orElse: () => "INTEGER" }))
  const text = sql.literal(sql.onDialectOrElse({ pg: () => `text COLLATE "C"`, orElse: () => "TEXT" }))

  yield* sql`CREATE TABLE muster_token (
    id ${text} PRIMARY KEY,
    kind ${text} NOT NULL,
    name ${text} NOT NULL,
    digest ${text} NOT NULL,
    previous_digest ${text},
    previous_until ${number},
    role ${text} NOT NULL,
    namespaces ${text},
    own_workers ${number} NOT NULL,
    worker ${text},
    parent ${text},
    created_at ${number} NOT NULL,
    created_by ${text} NOT NULL,
    expires_at ${number},
    last_used_at ${number},
    used_at ${number},
    revoked_at ${number}
  )`
  yield* sql`CREATE INDEX muster_token_parent ON muster_token (parent) WHERE parent IS NOT NULL`
  yield* sql`CREATE INDEX muster_token_worker ON muster_token (worker) WHERE worker IS NOT NULL`
  yield* sql`CREATE INDEX muster_token_expires ON muster_token (expires_at) WHERE expires_at IS NOT NULL`

  yield* sql`CREATE TABLE muster_audit (
    sequence ${number} PRIMARY KEY,
    at ${number} NOT NULL,
    entry ${text} NOT NULL,
    hash ${text} NOT NULL
  )`
  yield* sql`CREATE INDEX muster_audit_at ON muster_audit (at)`

  yield* sql`ALTER TABLE muster_state ADD COLUMN audit_sequence ${number} NOT NULL DEFAULT 0`
  yield* sql`ALTER TABLE muster_state ADD COLUMN audit_hash ${text} NOT NULL DEFAULT ''`
  yield* sql`ALTER TABLE muster_state ADD COLUMN audit_removed ${number} NOT NULL DEFAULT 0`
  yield* sql`ALTER TABLE muster_state ADD COLUMN audit_removed_hash ${text} NOT NULL DEFAULT ''`
})
