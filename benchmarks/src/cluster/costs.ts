/** What the work so far has cost: processor time as the system counts it, and what PostgreSQL has written. */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import type { Postgres } from "../durable/services.ts"

export interface Costs {
  /** Seconds of processor time, of the user's and the system's. */
  readonly engine: number
  readonly postgres: number
  readonly scheduler: number
  readonly client: number
  /** Bytes. */
  readonly wal: number
  /** Transactions that wrote something. */
  readonly transactions: number
}

const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }))

interface Stat {
  readonly parent: number
  readonly own: number
  /** Of the children that have ended. */
  readonly ended: number
}

const statOf = (pid: number | string): Stat => {
  // The name of a program may have blanks and parentheses in it.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ").map(Number) ?? []
  const at = (index: number) => fields[index] ?? NaN
  return {
    parent: at(1),
    own: (at(11) + at(12)) / ticksPerSecond,
    ended: (at(13) + at(14)) / ticksPerSecond
  }
}

/** Processor seconds of one process. */
export const processorSeconds = (pid: number): number => statOf(pid).own

/** Processor seconds of a process and its children, the ended ones too. */
export const processorSecondsOfAll = (pid: number): number => {
  const { ended, own } = statOf(pid)
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return [statOf(name)]
      } catch {
        // It has ended meanwhile.
        return []
      }
    })
    .filter(({ parent }) => parent === pid)
  return own + ended + children.reduce((sum, child) => sum + child.own, 0)
}

/** What PostgreSQL has written since it was made. */
export const written = async (postgres: Postgres): Promise<Pick<Costs, "transactions" | "wal">> => {
  const [row] = await postgres.query<{ wal: string; transactions: string }>(
    `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text AS wal,
      pg_snapshot_xmax(pg_current_snapshot())::text AS transactions`
  )
  return { wal: Number(row?.wal), transactions: Number(row?.transactions) }
}

export const difference = (after: Costs, before: Costs): Costs => ({
  engine: after.engine - before.engine,
  postgres: after.postgres - before.postgres,
  scheduler: after.scheduler - before.scheduler,
  client: after.client - before.client,
  wal: after.wal - before.wal,
  transactions: after.transactions - before.transactions
})
