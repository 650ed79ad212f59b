/** One round: an engine of its own over a database of its own, which takes workers in and carries them out. */
import type { Postgres } from "../durable/services.ts"
import { type Costs, difference, processorSeconds, processorSecondsOfAll, written } from "./costs.ts"
import type { Contender, Engine } from "./engine.ts"
import { Relay } from "./relay.ts"
import { startScheduler } from "./scheduler.ts"

export interface Size {
  /** For each process of the engine, whose code has to be compiled first. */
  readonly warmUp: number
  readonly count: number
}

export interface Round {
  readonly count: number
  /** Until the last was accepted, and until the last was carried out, both from the first request on. */
  readonly acceptSeconds: number
  readonly doneSeconds: number
  readonly costs: Costs
}

let made = 0

export const measureRound = async (
  { start }: Contender,
  postgres: Postgres,
  { count, warmUp }: Size
): Promise<Round> => {
  await using stack = new AsyncDisposableStack()
  const { address, scheduler } = await startScheduler()
  stack.use(scheduler)
  const store = await postgres.database(`round_${made++}`)
  const engine = stack.use(await start({ store, scheduler: address }))
  const warmed = warmUp * engine.pids.length
  await pass(engine, warmed)
  // Each page that is changed after a checkpoint is written to the log as a whole once; so it is for everybody.
  await postgres.query("CHECKPOINT")
  const costsOf = async (): Promise<Costs> => ({
    engine: engine.pids.reduce((sum, pid) => sum + processorSeconds(pid), 0),
    postgres: processorSecondsOfAll(postgres.pid),
    scheduler: processorSeconds(scheduler.pid),
    client: engine.clientSeconds(),
    ...(await written(postgres))
  })
  const before = await costsOf()
  const { acceptSeconds, doneSeconds } = await pass(engine, count)
  const costs = difference(await costsOf(), before)
  await scheduler.until(() => scheduler.seconds.at(-1)?.workers === warmed + count)
  return { count, acceptSeconds, doneSeconds, costs }
}

/** Round trips to PostgreSQL for each worker: in a round of their own, for counting them takes time. */
export const countRoundTrips = async (
  { start }: Contender,
  postgres: Postgres,
  { count, warmUp }: Size
): Promise<number> => {
  await using stack = new AsyncDisposableStack()
  const { address, scheduler } = await startScheduler()
  stack.use(scheduler)
  const relay = stack.use(await Relay.open(postgres.port))
  const store = relay.through(await postgres.database(`round_${made++}`))
  const engine = stack.use(await start({ store, scheduler: address }))
  await pass(engine, warmUp * engine.pids.length)
  const before = relay.roundTrips
  await pass(engine, count)
  return (relay.roundTrips - before) / count
}

const pass = async (engine: Engine, count: number) => {
  const startedAt = performance.now()
  await engine.accept(count)
  const acceptSeconds = (performance.now() - startedAt) / 1000
  await engine.done()
  return { acceptSeconds, doneSeconds: (performance.now() - startedAt) / 1000 }
}
