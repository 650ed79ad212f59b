/**
 * The servers of a cluster as the store knows them: each says every second that it lives, and holds partitions as long
 * as it does. All times are those of the database, in milliseconds since 1970.
 */
import { Duration, Effect } from "effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"

/** What a server says of itself. */
export interface Introduction {
  /** Another one with each start. */
  readonly id: string
  /** Where the other servers reach it, host:port. */
  readonly address: string
  /** Where its HTTP API listens. */
  readonly url: string
  readonly version: string
}

export interface KnownServer extends Introduction {
  readonly startedAt: number
  readonly seenAt: number
  readonly isStopping: boolean
  readonly partitions: ReadonlyArray<number>
}

export interface KnownServers {
  readonly now: number
  readonly servers: ReadonlyArray<KnownServer>
  /** The partitions that no server holds. */
  readonly unheld: ReadonlyArray<number>
}

/** What a server is told when it says that it lives. */
export interface Confirmation {
  /** The partitions that it holds, each with its epoch. */
  readonly held: ReadonlyMap<number, number>
  /** The ids of all that live. */
  readonly alive: ReadonlyArray<string>
  /** For how many of the others the scheduler fails. */
  readonly failing: number
}

/** For how long a server is shown of which nothing is heard any more. */
const shownFor = Duration.toMillis("10 minutes")

interface ServerRow {
  readonly id: string
  readonly address: string
  readonly url: string
  readonly version: string
  readonly started_at: number
  readonly seen_at: number
  readonly is_stopping: boolean
}

export class Membership {
  private readonly sql: SqlClient.SqlClient
  private readonly expiration: number

  /** `expiration`: after so long without a word of it, a server's partitions can be claimed by others. */
  constructor(sql: SqlClient.SqlClient, expiration: Duration.Duration) {
    this.sql = sql
    this.expiration = Duration.toMillis(expiration)
  }

  /** Says that a server lives, and is told what it holds. */
  beat(
    { address, id, url, version }: Introduction,
    isFailing: boolean
  ): Effect.Effect<Confirmation, SqlError.SqlError> {
    const { now, sql } = this
    return Effect.gen({ self: this }, function* () {
      yield* sql`INSERT INTO muster_server (id, address, url, version, started_at, seen_at, is_failing)
        VALUES (${id}, ${address}, ${url}, ${version}, ${now}, ${now}, ${isFailing})
        ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, is_failing = excluded.is_failing`
      const held = yield* sql<{ partition: number; epoch: number }>`
        SELECT partition, epoch FROM muster_partition WHERE server = ${id}`
      const alive = yield* sql<{ id: string; is_failing: boolean }>`
        SELECT id, is_failing FROM muster_server WHERE seen_at > ${now} - ${this.expiration}::double precision`
      return {
        held: new Map(held.map(({ epoch, partition }) => [partition, epoch])),
        alive: alive.map(({ id }) => id),
        failing: alive.filter((server) => server.id !== id && server.is_failing).length
      }
    })
  }

  /** Whether a server lives that is reached there. */
  isAlive(address: string): Effect.Effect<boolean, SqlError.SqlError> {
    return Effect.map(
      this.sql`SELECT 1 FROM muster_server WHERE address = ${address}
        AND seen_at > ${this.now} - ${this.expiration}::double precision`,
      ({ length }) => length > 0
    )
  }

  /**
   * Makes a partition a server's, unless it is that of another one that may still believe so; its new epoch. It is the
   * last of this server's beats that counts, so one that has not beaten for long gets none.
   */
  claim(id: string, partition: number): Effect.Effect<number | undefined, SqlError.SqlError> {
    const { now, sql } = this
    return Effect.map(
      sql<{ epoch: number }>`UPDATE muster_partition SET epoch = epoch + 1, server = ${id}, since = ${now}
        WHERE partition = ${partition}
          AND EXISTS (SELECT 1 FROM muster_server
            WHERE id = ${id} AND seen_at > ${now} - ${this.expiration}::double precision)
          AND NOT EXISTS (SELECT 1 FROM muster_server holder
            WHERE holder.id = muster_partition.server AND holder.id <> ${id}
              AND holder.seen_at > ${now} - ${this.expiration}::double precision)
        RETURNING epoch`,
      ([row]) => row?.epoch
    )
  }

  /** Gives a partition back that a server holds in this epoch. */
  release(id: string, partition: number, epoch: number): Effect.Effect<void, SqlError.SqlError> {
    return Effect.asVoid(this.sql`UPDATE muster_partition SET server = NULL, since = NULL
      WHERE partition = ${partition} AND server = ${id} AND epoch = ${epoch}`)
  }

  stopping(id: string): Effect.Effect<void, SqlError.SqlError> {
    return Effect.asVoid(this.sql`UPDATE muster_server SET is_stopping = TRUE WHERE id = ${id}`)
  }

  /** A server ends; it holds nothing any more. */
  leave(id: string): Effect.Effect<void, SqlError.SqlError> {
    const { sql } = this
    return Effect.andThen(
      sql`UPDATE muster_partition SET server = NULL, since = NULL WHERE server = ${id}`,
      Effect.asVoid(sql`DELETE FROM muster_server WHERE id = ${id}`)
    )
  }

  /** Forgets the servers that have been silent for long. */
  get tidy(): Effect.Effect<void, SqlError.SqlError> {
    return Effect.asVoid(
      this.sql`DELETE FROM muster_server WHERE seen_at < ${this.now} - ${shownFor}::double precision`
    )
  }

  /** All servers that were heard of lately, the oldest first. */
  get servers(): Effect.Effect<KnownServers, SqlError.SqlError> {
    const { now, sql } = this
    return Effect.gen({ self: this }, function* () {
      const [clock] = yield* sql<{ now: number }>`SELECT ${now} AS now`
      const rows = yield* sql<ServerRow>`SELECT id, address, url, version, started_at, seen_at, is_stopping
        FROM muster_server ORDER BY started_at, id`
      const held = yield* sql<{ partition: number; server: string | null }>`
        SELECT partition, server FROM muster_partition ORDER BY partition`
      const ids = new Set(rows.map(({ id }) => id))
      return {
        now: clock?.now ?? 0,
        servers: rows.map((row) => ({
          id: row.id,
          address: row.address,
          url: row.url,
          version: row.version,
          startedAt: row.started_at,
          seenAt: row.seen_at,
          isStopping: row.is_stopping,
          partitions: held.flatMap(({ partition, server }) => (server === row.id ? [partition] : []))
        })),
        unheld: held.flatMap(({ partition, server }) =>
          server === null || !ids.has(server) ? [partition] : []
        )
      }
    })
  }

  private get now() {
    return this.sql.literal("(extract(epoch FROM clock_timestamp()) * 1000)::double precision")
  }
}
