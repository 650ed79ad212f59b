/** How many versions of rows that nobody sees any more PostgreSQL carries along while a cluster is under load. */
import { setTimeout as sleep } from "node:timers/promises"
import { formatRate } from "../durable/lanes.ts"
import type { Postgres } from "../durable/services.ts"
import { printTable } from "../table.ts"
import type { Contender } from "./engine.ts"
import { startScheduler } from "./scheduler.ts"

interface TableRow {
  readonly table: string
  readonly live: number
  readonly dead: number
  readonly updates: number
  /** Updates that changed no index: the new version is in the same page. */
  readonly hot: number
  readonly vacuums: number
}

/**
 * Looks at the tables every second while so many workers are handed over, and then until autovacuum has been there again, for
 * at most `patience` milliseconds: PostgreSQL looks at each database once a minute, the first time after two.
 */
export const measureRowVersions = async (
  { name, start }: Contender,
  postgres: Postgres,
  { count, patience }: { readonly count: number; readonly patience: number }
): Promise<void> => {
  const database = "row_versions"
  const { address, scheduler } = await startScheduler()
  await using _ = scheduler
  await using engine = await start({ store: await postgres.database(database), scheduler: address })
  const most = new Map<string, number>()
  const look = async () => {
    const rows = await statistics(postgres, database)
    for (const { dead, table } of rows) most.set(table, Math.max(dead, most.get(table) ?? 0))
    return rows
  }
  const watch = async (isEnough: (rows: ReadonlyArray<TableRow>) => boolean) => {
    for (;;) {
      const rows = await look()
      if (isEnough(rows)) return rows
      await sleep(1000)
    }
  }
  let isOver = false
  const load = async () => {
    try {
      await engine.accept(count)
      await engine.done()
    } finally {
      isOver = true
    }
  }
  const [loaded] = await Promise.all([watch(() => isOver), load()])
  const deadline = performance.now() + patience
  const rows = await watch((rows) => vacuumsOf(rows) > vacuumsOf(loaded) || performance.now() > deadline)
  console.log()
  printTable(
    [
      "rows",
      "updates",
      "HOT",
      "most dead",
      "dead at last",
      "vacuumed",
      `${name}, ${formatRate(count)} workers`
    ],
    rows.map(({ dead, hot, live, table, updates, vacuums }) => [
      formatRate(live),
      formatRate(updates),
      `${((100 * hot) / updates).toFixed(0)} %`,
      formatRate(most.get(table) ?? 0),
      formatRate(dead),
      String(vacuums),
      table
    ])
  )
}

/** Of the table that was changed most. */
const vacuumsOf = ([first]: ReadonlyArray<TableRow>): number => first?.vacuums ?? 0

const statistics = (postgres: Postgres, database: string) =>
  postgres.query<TableRow>(
    `SELECT relname AS table, n_live_tup::int AS live, n_dead_tup::int AS dead, n_tup_upd::int AS updates,
      n_tup_hot_upd::int AS hot, autovacuum_count::int AS vacuums
      FROM pg_stat_user_tables WHERE n_tup_upd > 0 ORDER BY n_tup_upd DESC LIMIT 5`,
    database
  )
