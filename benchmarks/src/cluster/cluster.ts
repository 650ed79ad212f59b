/**
 * `pnpm bench cluster`: several servers of Muster's over one PostgreSQL, which flushes to disk, next to one server and
 * to two queues that do the same work. docs/benchmarks.md says what is compared, and what two cores cannot show.
 */
import { availableParallelism, loadavg } from "node:os"
import { formatRange, formatRate } from "../durable/lanes.ts"
import { progress } from "../durable/progress.ts"
import { Scratch } from "../durable/scratch.ts"
import { Postgres } from "../durable/services.ts"
import { summarize, type Summary } from "../statistics.ts"
import { printTable } from "../table.ts"
import type { Costs } from "./costs.ts"
import type { Contender } from "./engine.ts"
import { measureHandover } from "./handover.ts"
import { queue } from "./queues.ts"
import { measureRowVersions } from "./rowVersions.ts"
import { countRoundTrips, measureRound, type Round } from "./rounds.ts"
import { startScheduler } from "./scheduler.ts"
import { alone, batch, clusterOf, connections } from "./servers.ts"

const long = {
  rounds: 3,
  handovers: 3,
  size: { warmUp: 1500, count: 6000 },
  load: { count: 60_000, patience: 180_000 }
}
const quick = {
  rounds: 1,
  handovers: 1,
  size: { warmUp: 1000, count: 3000 },
  load: { count: 6000, patience: 1000 }
}

interface Measured {
  readonly contender: Contender
  readonly rounds: Array<Round>
  roundTrips: number
}

export const cluster = async (flags: ReadonlySet<string>): Promise<void> => {
  const { handovers, load, rounds, size } = flags.has("--quick") ? quick : long
  using scratch = new Scratch()
  await using postgres = await Postgres.start(scratch.path)
  await describe(scratch, postgres)
  const contenders = [
    alone,
    ...[1, 2, 4].map(clusterOf),
    queue("pg-boss", "pgBoss", postgres),
    queue("graphile-worker", "graphileWorker", postgres)
  ]
  const measured = contenders.map((contender): Measured => ({ contender, rounds: [], roundTrips: NaN }))
  for (let round = 1; round <= rounds; round++) {
    const flush = scratch.flushMillis().toFixed(2)
    progress(
      `round ${round} of ${rounds}; load ${loadavg()[0]?.toFixed(1)}; the disk flushes a block in ${flush} ms`
    )
    for (const { contender, rounds } of measured) {
      progress(contender.name)
      rounds.push(await measureRound(contender, postgres, size))
    }
  }
  for (const one of measured) {
    progress(`round trips are counted: ${one.contender.name}`)
    one.roundTrips = await countRoundTrips(one.contender, postgres, quick.size)
  }
  reportRates(measured, size.count)
  reportCosts(measured)
  const { address, scheduler } = await startScheduler()
  await using _ = scheduler
  await measureHandover({ store: await postgres.database("handover"), scheduler: address }, handovers)
  progress("the tables are looked at under load")
  await measureRowVersions(clusterOf(2), postgres, load)
}

const describe = async (scratch: Scratch, postgres: Postgres): Promise<void> => {
  const [settings] = await postgres.query<Record<string, string>>(
    `SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
      current_setting('synchronous_commit') AS synchronous_commit`
  )
  console.log(
    `\nPostgreSQL ${settings?.["version"]}, fsync=${settings?.["fsync"]}, ` +
      `synchronous_commit=${settings?.["synchronous_commit"]}, in ${scratch.path}` +
      (scratch.isInMemory ? ", which is MEMORY: set TMPDIR to a folder on a disk." : "") +
      `\nMuster: requests of ${batch} workers over ${connections} connections to all servers.` +
      `\nServers, PostgreSQL, scheduler and client share ${availableParallelism()} cores: more servers have no more ` +
      "processors than one. What shows is what sharing costs, not what more machines would bring."
  )
}

const median = (values: ReadonlyArray<number>): number => summarize(values).median

const acceptedOf = ({ rounds }: Measured): Summary =>
  summarize(rounds.map(({ acceptSeconds, count }) => count / acceptSeconds))

const doneOf = ({ rounds }: Measured): Summary =>
  summarize(rounds.map(({ count, doneSeconds }) => count / doneSeconds))

const reportRates = (measured: ReadonlyArray<Measured>, count: number): void => {
  const ofContender = (contender: Measured | undefined) =>
    contender === undefined ? NaN : doneOf(contender).median
  const queues = measured.slice(-2)
  console.log()
  printTable(
    [
      "to 1 server",
      ...queues.map(({ contender }) => `to ${contender.name}`),
      "done/s",
      "min–max",
      "accepted/s",
      "min–max",
      `${formatRate(count)} workers or jobs`
    ],
    measured.map((one) => {
      const done = doneOf(one)
      const accepted = acceptedOf(one)
      return [
        ...[measured[0], ...queues].map((other) => (done.median / ofContender(other)).toFixed(2)),
        formatRate(done.median),
        formatRange(done),
        formatRate(accepted.median),
        formatRange(accepted),
        one.contender.name
      ]
    })
  )
}

const reportCosts = (measured: ReadonlyArray<Measured>): void => {
  const each = ({ rounds }: Measured, of: (costs: Costs) => number): number =>
    median(rounds.map(({ costs, count }) => of(costs) / count))
  const total = (one: Measured) => each(one, ({ client, engine, postgres }) => client + engine + postgres)
  const [first] = measured
  const unit = first === undefined ? NaN : total(first)
  console.log()
  printTable(
    [
      "to 1 server",
      "engine µs",
      "PostgreSQL µs",
      "scheduler µs",
      "client µs",
      "WAL bytes",
      "transactions",
      "round trips",
      "for each worker or job, medians"
    ],
    measured.map((one) => [
      (total(one) / unit).toFixed(2),
      ...(["engine", "postgres", "scheduler", "client"] as const).map((part) =>
        (each(one, (costs) => costs[part]) * 1e6).toFixed(0)
      ),
      formatRate(each(one, ({ wal }) => wal)),
      each(one, ({ transactions }) => transactions).toFixed(3),
      one.roundTrips.toFixed(3),
      one.contender.name
    ])
  )
}
