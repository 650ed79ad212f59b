/**
 * The torture test: the real service as a process over a store, a scheduler that does wrong whatever it can in another,
 * a client that writes down what was acknowledged, and misfortunes. When all is calm again, nothing that was
 * acknowledged may be lost, and nothing that is not wanted may be left.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Clock, Duration, Effect, Fiber, FileSystem, Layer, Option, Random, Schedule } from "effect"
import { HttpClient } from "effect/http"
import { RpcClient } from "effect/rpc"
import { runClient } from "./Client.ts"
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
import { type Observation, observe, retryDeadLetters } from "./Observation.ts"
import { protocol } from "./RemoteScheduler.ts"
import { SchedulerControls } from "./SchedulerProtocol.ts"
import { openStore, type StoreKind } from "./TortureStore.ts"
import { type Fault, judge } from "./Verdict.ts"

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

export interface Outcome {
  readonly settings: TortureSettings
  readonly ledger: Ledger
  readonly misfortunes: MisfortuneCounts
  readonly deadLetters: number
  readonly faults: ReadonlyArray<Fault>
  /** What kept the test from coming to its end, or should not have happened beside it; for people. */
  readonly trouble: ReadonlyArray<string>
  readonly seconds: number
  readonly settledAfter: number
  /** Where the journal of the scheduler lies, and the service answers, until the scope is closed. */
  readonly journal: string
  readonly url: string
}

/**
 * How the service is set up: thousands of workers converge in seconds. Few calls at a time and a time-out that is far
 * above what one takes, so that on a machine that is busy otherwise those that are meant to go well still do.
 */
const serviceEnvironment = (port: number, store: string) => ({
  MUSTER_PORT: String(port),
  MUSTER_STORE: store,
  MUSTER_LOG_LEVEL: "none",
  MUSTER_MAX_RETRIES: "1",
  MUSTER_BASE_BACKOFF: "10 millis",
  MUSTER_MAX_BACKOFF: "50 millis",
  MUSTER_ATTEMPT_TIMEOUT: "400 millis",
  MUSTER_CONCURRENCY: "24",
  MUSTER_RETRY_DELAY: "50 millis",
  MUSTER_MAX_RETRY_DELAY: "1 second",
  MUSTER_CHECK_AFTER: "2 seconds",
  MUSTER_DRIFT_INTERVAL: "2 seconds",
  // Less than there are workers, so that the service refuses some.
  MUSTER_MAX_UNFINISHED: "1000"
})

const progressInterval = Duration.seconds(10)
/** The scheduler has an old copy of its memory then, whenever it was started last. */
const timeForCopies = Duration.seconds(5)
const lookInterval = Duration.millis(250)
/** How long somebody may take to say how things are. */
const patience = Duration.seconds(10)

/** Runs the whole test; `say` is told how it goes on. The processes live until the scope is closed. */
export const torture = Effect.fnUntraced(function* (
  settings: TortureSettings,
  say: (line: string) => Effect.Effect<void>
) {
  const begunAt = yield* Clock.currentTimeMillis
  const run = yield* startProcesses(settings)
  const { service, scheduler, store, url, controls, listens } = run
  const ledger = new Ledger()
  const misfortunes = noMisfortunes()
  let isOver = false

  const client = yield* Effect.forkChild(runClient({ ...settings, url }, ledger, () => isOver))
  const others = [
    tortureScheduler(scheduler, (memory) => Effect.ignore(controls.restart({ memory })), misfortunes),
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
  for (const each of [service, scheduler]) {
    yield* each.resume
    yield* each.start
  }
  // The last misfortune, always: workers that are gone since the scheduler's copy was made become ghosts, and nobody
  // goes on with them.
  yield* Effect.sleep(timeForCopies)
  isOver = true
  misfortunes.schedulerBackups++
  const restore = Effect.timeout(controls.restart({ memory: "backup" }), patience)
  yield* Effect.ignore(Effect.retry(restore, { times: 10, schedule: Schedule.spaced(lookInterval) }))
  yield* say("All is calm; waiting until everything is as it is wanted")
  const settledFrom = yield* Clock.currentTimeMillis
  const { deadLetters, faults, trouble } = yield* settle(settings, run, ledger, client)
  const endedAt = yield* Clock.currentTimeMillis
  return {
    settings,
    ledger,
    misfortunes,
    deadLetters,
    faults,
    trouble: [
      ...trouble,
      ...ledger.unexpected.map((answer) => `unexpected answer: ${answer}`),
      ...mishaps(run)
    ],
    seconds: (endedAt - begunAt) / 1000,
    settledAfter: (endedAt - settledFrom) / 1000,
    journal: run.journal,
    url
  } satisfies Outcome
})

const startProcesses = Effect.fnUntraced(function* (settings: TortureSettings) {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectoryScoped({ prefix: "muster-torture-" })
  const journal = `${directory}/journal.ndjson`
  const store = yield* openStore(settings.store, directory)
  const [servicePort, schedulerPort] = [yield* freePort, yield* freePort]
  const url = `http://127.0.0.1:${servicePort}`
  const schedulerUrl = `http://127.0.0.1:${schedulerPort}`
  const scheduler = yield* makeManagedProcess(
    nodeProgram("schedulerProcess.ts", [String(schedulerPort), settings.seed, journal])
  )
  const service = yield* makeManagedProcess(
    nodeProgram("serviceProcess.ts", [schedulerUrl], serviceEnvironment(servicePort, store.spec))
  )
  yield* scheduler.start
  yield* service.start
  const connection = yield* Layer.build(protocol(schedulerUrl, 4))
  const controls = yield* RpcClient.make(SchedulerControls).pipe(Effect.provideContext(connection))
  const client = yield* HttpClient.HttpClient
  const listens = client
    .get(`${url}/healthz`)
    .pipe(Effect.timeout("1 second"), Effect.retry(Schedule.spaced("10 millis")), Effect.asVoid, Effect.orDie)
  return { service, scheduler, store, url, controls, listens, journal }
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
    .concat(scheduler.ends.map((end) => `the scheduler ${end}`))

type Run = Effect.Success<ReturnType<typeof startProcesses>>

/** Looks again and again until everything is as it is wanted, twice in a row, or the time is over. */
const settle = Effect.fnUntraced(function* (
  { settleWithin }: TortureSettings,
  { controls, url }: Run,
  ledger: Ledger,
  client: Fiber.Fiber<void>
) {
  const trouble = new Set<string>()
  let faults: ReadonlyArray<Fault> = []
  let deadLetters = 0
  let isSettled = false
  const look = Effect.gen(function* () {
    const wasFine = faults.length === 0
    const late = yield* Effect.timeout(controls.lateCalls(), patience)
    const observation = yield* Effect.timeout(observe(url, controls.held()), patience)
    faults = judge(ledger, observation)
    for (const line of superseded(observation)) trouble.add(line)
    deadLetters += yield* retryDeadLetters(url)
    isSettled = wasFine && faults.length === 0 && late === 0
  })
  const looks = Effect.retry(Effect.timeout(controls.calm(), patience), Schedule.spaced(lookInterval)).pipe(
    Effect.andThen(Fiber.join(client)),
    // Until everything has been looked at once, nothing is known to be fine.
    Effect.andThen(Effect.retry(look, Schedule.spaced(lookInterval))),
    Effect.andThen(
      Effect.repeat(Effect.andThen(Effect.sleep(lookInterval), Effect.ignore(look)), {
        until: () => isSettled
      })
    )
  )
  if (Option.isNone(yield* Effect.timeoutOption(looks, settleWithin))) {
    if (client.pollUnsafe() === undefined) trouble.add("requests of the client were not answered")
    trouble.add(`not settled within ${Duration.format(settleWithin)}`)
  }
  return { faults, deadLetters, trouble }
})

/** One service alone changes what is wanted: none of its calls can be older than what the scheduler has. */
const superseded = ({ records }: Observation): ReadonlyArray<string> =>
  Array.from(records.values()).flatMap(({ id, lastError, phase }) =>
    phase === "failed" && lastError?.type === "superseded" ? [`${id}: ${lastError.message}`] : []
  )

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
