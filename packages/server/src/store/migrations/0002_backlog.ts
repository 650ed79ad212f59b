/**
 * Since when each change is unfinished, so that the oldest of each priority is the beginning of an index, and how many
 * there are of each.
 */
import { Effect } from "effect"
import * as SqlClient from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const number = sql.literal(sql.onDialectOrElse({ pg: () => "double precision", orElse: () => "INTEGER" }))
  const text = sql.literal(sql.onDialectOrElse({ pg: () => `text COLLATE "C"`, orElse: () => "TEXT" }))

  yield* sql`ALTER TABLE muster_worker ADD COLUMN unfinished_since ${number}`
  // What is known best of those that are under way: when they last changed.
  yield* sql`UPDATE muster_worker SET unfinished_since = updated_at WHERE task IN ('call', 'verify')`
  yield* sql`CREATE INDEX muster_worker_unfinished ON muster_worker (priority, unfinished_since)
    WHERE unfinished_since IS NOT NULL`

  yield* sql`DROP TABLE muster_count`
  yield* sql`CREATE TABLE muster_count (
    phase ${text} NOT NULL,
    namespace ${text} NOT NULL,
    worker_type ${text} NOT NULL,
    priority ${text} NOT NULL,
    workers ${number} NOT NULL,
    unfinished ${number} NOT NULL,
    leased ${number} NOT NULL,
    PRIMARY KEY (phase, namespace, worker_type, priority)
  )`
  yield* sql`INSERT INTO muster_count (phase, namespace, worker_type, priority, workers, unfinished, leased)
    SELECT phase, coalesce(namespace, ''), coalesce(worker_type, ''), priority, count(*),
      sum(CASE WHEN task IN ('call', 'verify') THEN 1 ELSE 0 END),
      sum(CASE WHEN lease_expires_at IS NULL THEN 0 ELSE 1 END)
    FROM muster_worker GROUP BY phase, coalesce(namespace, ''), coalesce(worker_type, ''), priority`
})
