/**
 * The fleet's tables. Never to be changed after its release: what is to be different comes in a next migration.
 *
 * Columns are what is asked for; the rest of a record is JSON in `rest`. The worker itself, which may be large and
 * seldom changes, lies in a table of its own. Numbers are what JavaScript has: SQLite keeps an integer or a double as
 * it comes, PostgreSQL a double.
 */
import { Effect } from "effect"
import * as SqlClient from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const number = sql.literal(sql.onDialectOrElse({ pg: () => "double precision", orElse: () => "INTEGER" }))
  // By code units and nothing else, so that ids are in the same order everywhere.
  const text = sql.literal(sql.onDialectOrElse({ pg: () => `text COLLATE "C"`, orElse: () => "TEXT" }))

  // One row: the latest place of a worker, the latest place of a segment, the largest generation that was forgotten.
  yield* sql`CREATE TABLE muster_state (
    id ${number} PRIMARY KEY,
    ordinal ${number} NOT NULL,
    sequence ${number} NOT NULL,
    forgotten_generation ${number} NOT NULL,
    probes ${number} NOT NULL
  )`
  yield* sql`INSERT INTO muster_state (id, ordinal, sequence, forgotten_generation, probes) VALUES (1, 0, 0, 0, 0)`

  yield* sql`CREATE TABLE muster_worker (
    ordinal ${number} PRIMARY KEY,
    id ${text} NOT NULL UNIQUE,
    phase ${text} NOT NULL,
    desired ${text} NOT NULL,
    priority ${text} NOT NULL,
    generation ${number} NOT NULL,
    task ${text},
    lane ${number},
    due_at ${number},
    lease_expires_at ${number},
    registered_at ${number},
    updated_at ${number} NOT NULL,
    rest ${text} NOT NULL,
    namespace ${text},
    worker_type ${text},
    size ${number} NOT NULL
  )`
  yield* sql`CREATE INDEX muster_worker_phase ON muster_worker (phase, ordinal)`
  yield* sql`CREATE INDEX muster_worker_namespace ON muster_worker (namespace, ordinal)`
  yield* sql`CREATE INDEX muster_worker_type ON muster_worker (worker_type, ordinal)`
  yield* sql`CREATE INDEX muster_worker_due ON muster_worker (lane, due_at) WHERE due_at IS NOT NULL`
  yield* sql`CREATE INDEX muster_worker_lease ON muster_worker (lease_expires_at, ordinal)
    WHERE lease_expires_at IS NOT NULL`
  yield* sql`CREATE INDEX muster_worker_terminated ON muster_worker (updated_at, ordinal)
    WHERE phase = 'terminated'`

  yield* sql`CREATE TABLE muster_content (ordinal ${number} PRIMARY KEY, json ${text})`

  // How many workers there are of each kind, kept with every change: counting a million rows takes too long.
  yield* sql`CREATE TABLE muster_count (
    phase ${text} NOT NULL,
    namespace ${text} NOT NULL,
    worker_type ${text} NOT NULL,
    workers ${number} NOT NULL,
    unfinished ${number} NOT NULL,
    leased ${number} NOT NULL,
    PRIMARY KEY (phase, namespace, worker_type)
  )`

  yield* sql`CREATE TABLE muster_segment (
    sequence ${number} PRIMARY KEY,
    worker ${number} NOT NULL,
    last ${number} NOT NULL,
    at ${number} NOT NULL,
    items ${text} NOT NULL
  )`
  yield* sql`CREATE INDEX muster_segment_worker ON muster_segment (worker, last)`
  yield* sql`CREATE INDEX muster_segment_at ON muster_segment (at)`

  yield* sql`CREATE TABLE muster_note (
    key ${text} PRIMARY KEY,
    value ${text} NOT NULL,
    at ${number} NOT NULL
  )`
  yield* sql`CREATE INDEX muster_note_at ON muster_note (at)`
})
