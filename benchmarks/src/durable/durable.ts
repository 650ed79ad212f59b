/**
 * The durable service next to what else takes work in over a network or a database: accepted per second, in bulk, end
 * to end, and with a million workers. docs/benchmarks.md says what is compared.
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { measureAccepts } from "./accepts.ts"
import { measureBatches } from "./batches.ts"
import { measureEndToEnd } from "./endToEnd.ts"
import { reportGoals } from "./goals.ts"
import { Lanes } from "./lanes.ts"
import { measureMillion } from "./million.ts"
import { isInstalled } from "./processes.ts"
import { Scratch } from "./scratch.ts"
import { Postgres, startEtcd, startRedis } from "./services.ts"
import { makeStores, type Store } from "./stores.ts"

export const durable = async (): Promise<void> => {
  using scratch = new Scratch()
  describe(scratch)
  await using postgres = await Postgres.start(scratch.path)
  const stores = makeStores(scratch.path, postgres)
  const { accepts, batches } = await intake(stores, scratch, postgres)
  const endToEnd = await work(stores, postgres)
  const million = await measureMillion(stores)
  reportGoals({ accepts, batches, endToEnd, million })
}

const intake = async (stores: ReadonlyArray<Store>, scratch: Scratch, postgres: Postgres) => {
  const { path } = scratch
  await using stack = new AsyncDisposableStack()
  const lanes = new Lanes(stack)
  const etcd = await startEtcd(path)
  const redis = await startRedis(path)
  for (const service of [etcd, redis]) if (service !== undefined) stack.use(service.program)
  const musters = []
  for (const store of stores) musters.push(await lanes.muster(store), await lanes.accepting(store))
  const pgBoss = await lanes.peer("(b) pg-boss", "b", "pgBoss", await postgres.database("pgboss"))
  const graphile = await lanes.peer(
    "(b) graphile-worker",
    "b",
    "graphileWorker",
    await postgres.database("graphile")
  )
  const bullmq = redis === undefined ? [] : [await lanes.peer("(d) BullMQ", "d", "bullmq", redis.port)]
  const accepts = await measureAccepts(scratch, [
    ...musters,
    await lanes.bareRoute(),
    await lanes.fastify(),
    await lanes.fastifySqlite(path),
    pgBoss,
    graphile,
    ...(etcd === undefined ? [] : [await lanes.peer("(c) etcd", "c", "etcd", etcd.port)]),
    ...bullmq
  ])
  const batches = await measureBatches([...musters, pgBoss, graphile, ...bullmq])
  return { accepts, batches }
}

const work = async (stores: ReadonlyArray<Store>, postgres: Postgres) => {
  await using stack = new AsyncDisposableStack()
  const lanes = new Lanes(stack)
  const musters = []
  for (const store of stores) musters.push(await lanes.muster(store))
  return await measureEndToEnd([
    ...musters,
    await lanes.peer("(b1) pg-boss, batches of 1,000", "b", "pgBoss", await postgres.database("pgboss_work")),
    await lanes.peer(
      "(b2) graphile-worker, one by one",
      "b",
      "graphileWorker",
      await postgres.database("graphile_work")
    ),
    await lanes.peer(
      "(b3) graphile-worker, local queue",
      "b",
      "graphileWorkerLocalQueue",
      await postgres.database("graphile_queue")
    )
  ])
}

const describe = (scratch: Scratch): void => {
  const { devDependencies }: { readonly devDependencies: Record<string, string> } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8")
  )
  const packages = Object.entries(devDependencies).map(([name, version]) => `${name} ${version}`)
  console.log(
    `\nThe durable service next to peers: ${[...packages, ...programs()].join(", ")}\n` +
      `Everything is stored in ${scratch.path}` +
      (scratch.isInMemory ? ", which is MEMORY: set TMPDIR to a folder on a disk." : "")
  )
}

/** The programs of the machine's own and their versions. */
const programs = (): ReadonlyArray<string> =>
  ["etcd", "redis-server"].map((name) => {
    if (!isInstalled(name)) return `${name}: SKIPPED, it is not in PATH`
    const version = /\d+\.\d+\.\d+/.exec(execFileSync(name, ["--version"], { encoding: "utf8" }))?.[0]
    return `${name} ${version}`
  })
