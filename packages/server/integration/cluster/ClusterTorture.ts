/**
 * The torture test of the cluster: three servers as processes over one PostgreSQL, a scheduler that does wrong whatever
 * it can, a client that spreads its requests over all of them and writes down what was acknowledged, and misfortunes of
 * every kind. When all is calm again, nothing that was acknowledged may be lost, nothing that is not wanted may be left,
 * and all along each worker was looked after by one server alone.
 */
import { Duration, Effect, Fiber, FileSystem, Option, Random, Schedule, Semaphore } from "effect"
import { HttpClient } from "effect/http"
import { runClient } from "../torture/Client.ts"
import type { Findings } from "../torture/Evidence.ts"
import { Ledger } from "../torture/Ledger.ts"
import { type MisfortuneCounts, noMisfortunes, tortureScheduler } from "../torture/Misfortunes.ts"
import { settle } from "../torture/Settlement.ts"
import { startTortureScheduler } from "../torture/TortureScheduler.ts"
import { startDatabase } from "../torture/TortureStore.ts"
import { type MisfortuneName, misfortunes } from "./ClusterMisfortunes.ts"
import { heal, makeServers, type TorturedServer } from "./TorturedServer.ts"
import { Watch } from "./Watch.ts"
import { awaitWhole, chance, type Company, MisfortuneRecord, sometime, type World } from "./World.ts"

export interface ClusterTortureSettings {
  readonly seed: string
  /** Which misfortunes there are. */
  readonly misfortunes: ReadonlyArray<MisfortuneName>
  /** Whether it has gone on for long enough, after so many rounds and milliseconds. */
  readonly isEnough: (rounds: number, millis: number) => boolean
  readonly workers: number
  readonly connections: number
  /** The longest pause of a connection after a request, in milliseconds. */
  readonly pause: number
  readonly lockExpiration: Duration.Duration
  /** Within which time after each misfortune every partition has to be looked after by one server. */
  readonly takeOverWithin: Duration.Duration
  /** How long it may take, once all is calm, until everything is as it is wanted. */
  readonly settleWithin: Duration.Duration
}

export interface ClusterOutcome extends Findings {
  readonly settings: ClusterTortureSettings
  readonly rounds: number
  readonly record: MisfortuneRecord
  readonly schedulerMisfortunes: MisfortuneCounts
  readonly watch: Watch
}

const serverNames = ["a", "b", "c"]
const progressInterval = Duration.seconds(10)
/** A server that is not there by then will not be. */
const startWithin = Duration.seconds(60)
/** How often a request goes to a server of which a load balancer would know that it is in trouble. */
const anyServerChance = 0.03

/** Runs the whole test; `say` is told how it goes on. The processes live until the scope is closed. */
export const tortureCluster = Effect.fnUntraced(function* (
  settings: ClusterTortureSettings,
  say: (line: string) => Effect.Effect<void>
) {
  const begunAt = Date.now()
  const { scheduler, world } = yield* startProcesses(settings)
  const { record, servers, watch } = world
  const ledger = new Ledger()
  const schedulerMisfortunes = noMisfortunes()
  let isOver = false
  let rounds = 0

  yield* Effect.forkChild(watch.run)
  const client = yield* Effect.forkChild(
    runClient({ ...settings, url: drawUrl(servers) }, ledger, () => isOver)
  )
  const background = yield* Effect.forkChild(
    tortureScheduler(scheduler.process, scheduler.restart, schedulerMisfortunes).pipe(
      Random.withSeed(`${settings.seed} scheduler`)
    )
  )
  const progress = yield* Effect.forkChild(
    Effect.forever(
      Effect.andThen(
        Effect.sleep(progressInterval),
        Effect.suspend(() => say(progressLine(ledger, world, rounds)))
      )
    )
  )
  yield* awaitWhole(world, "after the start", begunAt)
  yield* Effect.repeat(makeRound(world, settings.misfortunes), {
    until: () => settings.isEnough(++rounds, Date.now() - begunAt)
  }).pipe(Random.withSeed(`${settings.seed} cluster`))

  yield* Effect.forEach([background, progress], Fiber.interrupt)
  // What was interrupted in the middle of a misfortune is put right.
  yield* world.database.start
  yield* Effect.forEach(servers, heal)
  yield* scheduler.process.resume
  yield* scheduler.process.start
  yield* scheduler.restoreAfter(
    Effect.sync(() => {
      isOver = true
      schedulerMisfortunes.schedulerBackups++
    })
  )
  yield* say("All is calm; waiting until everything is as it is wanted")
  const settledFrom = Date.now()
  yield* awaitWhole(world, "after everything", settledFrom)
  const isSpread = yield* Effect.timeoutOption(watch.spread, settings.takeOverWithin)
  const { deadLetters, faults, trouble } = yield* settle(
    settings.settleWithin,
    servers.map(({ url }) => url),
    scheduler,
    ledger,
    client
  )
  const endedAt = Date.now()
  return {
    settings,
    ledger,
    rounds,
    record,
    schedulerMisfortunes,
    watch,
    deadLetters,
    faults,
    order: yield* scheduler.judgeCalls(
      servers.flatMap(({ process }) => process.lives),
      Duration.toMillis(settings.lockExpiration) / 2
    ),
    trouble: [
      ...trouble,
      ...watch.faults,
      ...record.faults,
      ...(Option.isSome(isSpread) ? [] : [`a server is left without partitions: ${watch.lastSeen}`]),
      ...ledger.unexpected.map((answer) => `unexpected answer: ${answer}`),
      ...record.complaints,
      ...scheduler.process.ends.map((end) => `the scheduler ${end}`)
    ],
    seconds: (endedAt - begunAt) / 1000,
    settledAfter: (endedAt - settledFrom) / 1000,
    journal: scheduler.journal,
    url: servers[0]?.url ?? ""
  } satisfies ClusterOutcome
})

const startProcesses = Effect.fnUntraced(function* (settings: ClusterTortureSettings) {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectoryScoped({ prefix: "muster-torture-" })
  const { database, spec } = yield* startDatabase
  const scheduler = yield* startTortureScheduler(settings.seed, directory)
  const record = new MisfortuneRecord()
  const servers = yield* makeServers({
    names: serverNames,
    lockExpiration: settings.lockExpiration,
    store: spec,
    databasePort: database.port,
    serviceArguments: scheduler.serviceArguments,
    complain: (name, line) => record.complain(name, line)
  })
  yield* Effect.forEach(servers, ({ process }) => process.start)
  const client = yield* HttpClient.HttpClient
  yield* Effect.forEach(servers, ({ process, url }) =>
    client.get(`${url}/healthz`).pipe(
      Effect.timeout("1 second"),
      Effect.retry(Schedule.spaced("20 millis")),
      Effect.timeout(startWithin),
      Effect.mapError(() => new Error(["A server did not get ready.", ...process.ends].join("\n"))),
      Effect.orDie
    )
  )
  const world: World = {
    servers,
    database,
    databaseTurn: yield* Semaphore.make(1),
    watch: new Watch(servers),
    lockExpiration: settings.lockExpiration,
    takeOverWithin: settings.takeOverWithin,
    record
  }
  return { scheduler, world }
})

/** As a load balancer does: mostly to those that are well, as far as one knows. */
const drawUrl = (servers: ReadonlyArray<TorturedServer>) =>
  Effect.gen(function* () {
    const well = servers.filter(({ trouble }) => trouble === undefined)
    const isAny = well.length === 0 || (yield* chance(anyServerChance))
    const from = isAny ? servers : well
    return from[yield* Random.nextIntBetween(0, from.length - 1)]?.url ?? ""
  })

/** What takes longer than this stands still. */
const roundWithin = Duration.minutes(3)
/** How often two or three come at the same time. */
const companyChance = 0.3

/**
 * A round deals one misfortune or a few at a time; each of `names` comes once before any comes again. After them,
 * everything must be looked after again soon.
 */
const makeRound = (world: World, names: ReadonlyArray<MisfortuneName>) => {
  let deck: ReadonlyArray<MisfortuneName> = []
  const suffer = Effect.fnUntraced(function* (company: Company) {
    if (deck.length === 0) deck = yield* Random.shuffle(names)
    const [name, ...rest] = deck
    deck = rest
    if (name === undefined) return
    const { counts } = world.record
    counts.set(name, (counts.get(name) ?? 0) + 1)
    yield* misfortunes[name](world, name, company)
  })
  const some = Effect.gen(function* () {
    const count = yield* Random.nextIntBetween(2, 3)
    yield* Effect.forEach(
      Array.from({ length: count }),
      () => Effect.andThen(sometime(0, 1500), suffer("with others")),
      { concurrency: "unbounded", discard: true }
    )
  })
  return Effect.gen(function* () {
    const done = yield* Effect.timeoutOption(
      (yield* chance(companyChance)) ? some : suffer("alone"),
      roundWithin
    )
    if (Option.isNone(done)) {
      world.record.faults.push(`a round did not end within ${Duration.format(roundWithin)}`)
      yield* world.database.start
      yield* Effect.forEach(world.servers, heal)
    }
    const millis = yield* awaitWhole(world, "after all was well again", Date.now())
    if (millis !== undefined) world.record.recoveries.push(millis)
    yield* sometime(0, 1500)
  })
}

const progressLine = ({ counts, unexpected }: Ledger, { record, watch }: World, rounds: number) => {
  const done = Array.from(record.counts.values()).reduce((sum, count) => sum + count, 0)
  const wrong = watch.faults.length + record.faults.length + record.complaints.length + unexpected.length
  return [
    `${rounds} rounds, ${done} misfortunes`,
    `${counts.acknowledged} changes acknowledged`,
    `${counts.unknown} unknown`,
    ...(wrong > 0 ? [`${wrong} things wrong`] : [])
  ].join(", ")
}
