/**
 * What several servers need to share a fleet, which only those over PostgreSQL can: the partition of each worker, who
 * looks after each partition, the servers, and numbers of which everybody keeps a share. And for all, which versions of
 * Muster the tables are for.
 */
import type { WorkerId } from "@muster/core"
import { partitionOf, partitions } from "@muster/core/fleet"
import { Effect } from "effect"
import * as SqlClient from "effect/sql/SqlClient"

/** How many workers get their partition in one statement. */
const atOnce = 5000

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const number = sql.literal(sql.onDialectOrElse({ pg: () => "double precision", orElse: () => "INTEGER" }))
  // From here on a later version can say that this one may still work on its tables.
  yield* sql`ALTER TABLE muster_state ADD COLUMN compatible_from ${number} NOT NULL DEFAULT 4`
  yield* sql.onDialectOrElse({ pg: () => forCluster(sql), orElse: () => Effect.void })
})

const forCluster = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`CREATE SEQUENCE muster_ordinal AS bigint`
  yield* sql`SELECT setval('muster_ordinal', greatest(ordinal::bigint, 1), ordinal > 0) FROM muster_state`
  yield* sql`ALTER TABLE muster_state ADD COLUMN sequence_base double precision NOT NULL DEFAULT 0`
  yield* sql`UPDATE muster_state SET sequence_base = sequence`

  yield* sql`ALTER TABLE muster_worker ADD COLUMN partition double precision NOT NULL DEFAULT -1`
  yield* setPartitions(sql)
  yield* sql`DROP INDEX muster_worker_due`
  yield* sql`CREATE INDEX muster_worker_due ON muster_worker (lane, due_at, partition) WHERE due_at IS NOT NULL`
  yield* sql`DROP INDEX muster_worker_lease`
  yield* sql`CREATE INDEX muster_worker_lease ON muster_worker (lease_expires_at, ordinal, partition)
    WHERE lease_expires_at IS NOT NULL`

  yield* sql`CREATE TABLE muster_partition (
    partition double precision PRIMARY KEY,
    epoch double precision NOT NULL,
    server text,
    since double precision
  )`
  yield* sql`INSERT INTO muster_partition (partition, epoch)
    SELECT partition, 0 FROM generate_series(0, ${partitions - 1}) AS partition`
  yield* sql`CREATE TABLE muster_server (
    id text PRIMARY KEY,
    address text,
    url text NOT NULL,
    version text NOT NULL,
    started_at double precision NOT NULL,
    seen_at double precision NOT NULL,
    is_failing boolean NOT NULL DEFAULT false,
    is_stopping boolean NOT NULL DEFAULT false
  )`

  yield* sql`ALTER TABLE muster_count ADD COLUMN stripe double precision NOT NULL DEFAULT 0`
  yield* sql`ALTER TABLE muster_count DROP CONSTRAINT muster_count_pkey`
  yield* sql`ALTER TABLE muster_count ADD PRIMARY KEY (phase, namespace, worker_type, priority, stripe)`

  // Rows that change all the time: room beside each for its next versions, and old ones removed before they are many.
  yield* sql`ALTER TABLE muster_count SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000)`
  yield* sql`ALTER TABLE muster_worker SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)`
})

const setPartitions = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  let after = 0
  while (true) {
    const page: ReadonlyArray<{ readonly ordinal: number; readonly id: WorkerId }> = yield* sql<{
      ordinal: number
      id: WorkerId
    }>`SELECT ordinal, id FROM muster_worker WHERE ordinal > ${after} ORDER BY ordinal LIMIT ${atOnce}`
    const last = page.at(-1)
    if (last === undefined) return
    const pairs = JSON.stringify(page.map(({ id, ordinal }) => [ordinal, partitionOf(id)]))
    yield* sql`UPDATE muster_worker SET partition = (pair ->> 1)::double precision
      FROM jsonb_array_elements(${pairs}::text::jsonb) AS pair
      WHERE ordinal = (pair ->> 0)::double precision`
    after = last.ordinal
  }
})
