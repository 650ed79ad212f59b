/**
 * The torture test: the real service as a process over a store, a scheduler that does wrong whatever it can in another,
 * a client that writes down what was acknowledged, and misfortunes. When all is calm again, nothing that was
 * acknowledged may be lost, and nothing that is not wanted may be left.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Clock, Duration, Effect, Fiber, FileSystem, Random, Schedule } from "effect"
import { HttpClient } from "effect/http"
import { runClient } from "./Client.ts"
import type { Findings } from "./Evidence.ts"
import { freePort } from "./FreePort.ts"
import { Ledger } from "./Ledger.ts"
import { makeManagedProcess, nodeProgram } from "./ManagedProcess.ts"
import {
  type MisfortuneCounts,
  noMisfortunes,
  tortureDatabase,
  tortureScheduler,
  tortureService
} from "./Misfortunes.ts"
import { serviceEnvironment } from "./ServiceEnvironment.ts"
import { settle } from "./Settlement.ts"
import { startTortureScheduler } from "./TortureScheduler.ts"
import { openStore, type StoreKind } from "./TortureStore.ts"

export interface TortureSettings {
  readonly seed: string
  /** How often the service is killed. */
  readonly kills: number
  readonly workers: number
  readonly store: StoreKind
  readonly connections: number
  /** The longest pause of a connection after a request, in milliseconds. */
  readonly pause: number
  /** How long it may take, once all is calm, until everything is as it is wanted. */
  readonly settleWithin: Duration.Duration
}

export interface Outcome extends Findings {
  readonly settings: TortureSettings
  readonly misfortunes: MisfortuneCounts
}

const progressInterval = Duration.seconds(10)
/** Runs the whole test; `say` is told how it goes on. The processes live until the scope is closed. */
export const torture = Effect.fnUntraced(function* (
  settings: TortureSettings,
  say: (line: string) => Effect.Effect<void>
) {
  const begunAt = yield* Clock.currentTimeMillis
  const run = yield* startProcesses(settings)
  const { service, scheduler, store, url, listens } = run
  const ledger = new Ledger()
  const misfortunes = noMisfortunes()
  let isOver = false

  const client = yield* Effect.forkChild(
    runClient({ ...settings, url: Effect.succeed(url) }, ledger, () => isOver)
  )
  const others = [
    tortureScheduler(scheduler.process, scheduler.restart, misfortunes),
    ...(store.database === undefined ? [] : [tortureDatabase(store.database, misfortunes)])
  ]
  const background = yield* Effect.forEach(others, (misfortune, index) =>
    Effect.forkChild(Random.withSeed(misfortune, `${settings.seed} misfortune ${index}`))
  )
  const progress = yield* Effect.forkChild(
    Effect.forever(
      Effect.andThen(
        Effect.sleep(progressInterval),
        Effect.suspend(() => say(progressLine(ledger, misfortunes, settings)))
      )
    )
  )
  yield* tortureService(service, listens, settings.kills, misfortunes).pipe(
    Random.withSeed(`${settings.seed} service`)
  )

  yield* Effect.forEach([...background, progress], Fiber.interrupt)
  // What was interrupted in the middle of a misfortune is put right.
  if (store.database !== undefined) yield* store.database.start
  for (const each of [service, scheduler.process]) {
    yield* each.resume
    yield* each.start
  }
  yield* scheduler.restoreAfter(
    Effect.sync(() => {
      isOver = true
      misfortunes.schedulerBackups++
    })
  )
  yield* say("All is calm; waiting until everything is as it is wanted")
  const settledFrom = yield* Clock.currentTimeMillis
  const { deadLetters, faults, trouble } = yield* settle(
    settings.settleWithin,
    [url],
    scheduler,
    ledger,
    client
  )
  const endedAt = yield* Clock.currentTimeMillis
  return {
    settings,
    ledger,
    misfortunes,
    deadLetters,
    faults,
    order: yield* scheduler.judgeCalls(service.lives, Infinity),
    trouble: [
      ...trouble,
      ...ledger.unexpected.map((answer) => `unexpected answer: ${answer}`),
      ...mishaps(run)
    ],
    seconds: (endedAt - begunAt) / 1000,
    settledAfter: (endedAt - settledFrom) / 1000,
    journal: scheduler.journal,
    url
  } satisfies Outcome
})

const startProcesses = Effect.fnUntraced(function* (settings: TortureSettings) {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectoryScoped({ prefix: "muster-torture-" })
  const store = yield* openStore(settings.store, directory)
  const port = yield* freePort
  const url = `http://127.0.0.1:${port}`
  const scheduler = yield* startTortureScheduler(settings.seed, directory)
  const service = yield* makeManagedProcess(
    nodeProgram("serviceProcess.ts", scheduler.serviceArguments, serviceEnvironment(port, store.spec))
  )
  yield* service.start
  const client = yield* HttpClient.HttpClient
  const listens = client
    .get(`${url}/healthz`)
    .pipe(Effect.timeout("1 second"), Effect.retry(Schedule.spaced("10 millis")), Effect.asVoid, Effect.orDie)
  return { service, scheduler, store, url, listens }
})

/** What happened to the processes, and was not done to them. A service may end or complain while its database is away. */
const mishaps = ({ scheduler, service, store }: Run): ReadonlyArray<string> =>
  [
    ...service.ends.map((end) => `the service ${end}`),
    ...service.errors.map((error) => `the service: ${error}`)
  ]
    .filter(
      (line) => store.database === undefined || !/cannot open|The store cannot be written to/.test(line)
    )
    .concat(scheduler.process.ends.map((end) => `the scheduler ${end}`))

type Run = Effect.Success<ReturnType<typeof startProcesses>>

const progressLine = (
  { counts, unexpected }: Ledger,
  misfortunes: MisfortuneCounts,
  { kills }: TortureSettings
) =>
  [
    `${misfortunes.serviceKills} of ${kills} kills`,
    `${counts.acknowledged} changes acknowledged`,
    `${counts.unknown} unknown`,
    ...(unexpected.length > 0 ? [`${unexpected.length} unexpected answers`] : [])
  ].join(", ")

/** Requests of the client, as many at the same time as it likes, over connections that are kept. */
export const clientLayer = NodeHttpClient.layerNodeHttpOptions({ keepAlive: true })
