/**
 * The soak test: a service under mixed load for a long time, over a scheduler that cannot be relied on. Nothing that was
 * acknowledged may be lost, and the process has to stay as it is: its memory, its open files, its store.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Clock, Duration, Effect, Fiber, FileSystem, Option, Random, Schedule } from "effect"
import { HttpClient } from "effect/http"
import { bin } from "../ServiceProcess.ts"
import { freePort } from "../torture/FreePort.ts"
import { makeManagedProcess } from "../torture/ManagedProcess.ts"
import { observe, retryDeadLetters } from "../torture/Observation.ts"
import { openStore, type StoreKind } from "../torture/TortureStore.ts"
import { Fleet } from "./Fleet.ts"
import { ask } from "./Http.ts"
import { Lane } from "./Lane.ts"
import { runLeases } from "./Leases.ts"
import { runReaders } from "./Readers.ts"
import { makeRoughScheduler, type RoughCounts } from "./RoughScheduler.ts"
import { type Sample, takeSample } from "./Samples.ts"
import { type Difference, differences } from "./Settlement.ts"

export interface SoakSettings {
  readonly seed: string
  /** How long the load lasts. */
  readonly duration: Duration.Duration
  readonly store: Exclude<StoreKind, "memory">
  /** How many workers there are at most, beside those with leases. */
  readonly workers: number
  /** How many clients change them. */
  readonly lanes: number
  /** The longest pause of a client after a request, in milliseconds. */
  readonly pause: number
  /** Seconds between two misfortunes of the scheduler, about. */
  readonly pace: number
  /** How long it may take, once all is calm, until everything is as it was acknowledged. */
  readonly settleWithin: Duration.Duration
}

export interface Outcome {
  readonly settings: SoakSettings
  readonly fleet: Fleet
  readonly samples: ReadonlyArray<Sample>
  readonly scheduler: RoughCounts
  readonly differences: ReadonlyArray<Difference>
  /** What kept the test from coming to its end, or should not have happened; for people. */
  readonly trouble: ReadonlyArray<string>
  readonly settledAfter: number
}

export interface Progress {
  readonly seconds: number
  readonly fleet: Fleet
  readonly sample: Sample | undefined
  readonly scheduler: RoughCounts
  readonly isSettling: boolean
}

/** How the service is set up: what it remembers is forgotten within a minute or two, so that it cannot only grow. */
const serviceEnvironment = (port: number, store: string) => ({
  MUSTER_PORT: String(port),
  MUSTER_STORE: store,
  MUSTER_LOG_LEVEL: "none",
  MUSTER_BASE_BACKOFF: "10 millis",
  MUSTER_MAX_BACKOFF: "100 millis",
  MUSTER_ATTEMPT_TIMEOUT: "5 seconds",
  MUSTER_RETRY_DELAY: "100 millis",
  MUSTER_MAX_RETRY_DELAY: "2 seconds",
  MUSTER_CIRCUIT_MAX_OPEN_FOR: "1 second",
  MUSTER_CHECK_AFTER: "5 seconds",
  MUSTER_DRIFT_INTERVAL: "5 seconds",
  MUSTER_RAMP_FROM: "200",
  MUSTER_MIN_LEASE: "1 second",
  MUSTER_LEASE_GRACE: "2 seconds",
  MUSTER_MAX_TERMINATED: "500",
  MUSTER_TERMINATED_RETENTION: "1 minute",
  MUSTER_TIMELINE_RETENTION: "1 minute",
  MUSTER_REPEAT_RETENTION: "1 minute",
  MUSTER_AUDIT_RETENTION: "1 minute"
})

const lookInterval = Duration.millis(500)
/** In an hour as many as a picture can show. */
const mostSamples = 1800
const patience = Duration.seconds(20)

/** Runs the whole test; `show` is told of each sample. */
export const soak = Effect.fnUntraced(function* (
  settings: SoakSettings,
  show: (progress: Progress) => Effect.Effect<void>
) {
  const run = yield* startProcesses(settings)
  const { scheduler, service, url } = run
  const fleet = new Fleet()
  const samples: Array<Sample> = []
  const trouble: Array<string> = []
  const begunAt = yield* Clock.currentTimeMillis
  const duration = Duration.toMillis(settings.duration)
  let isOver = false
  let isSettling = false

  const client = yield* HttpClient.HttpClient
  const changes = yield* Effect.forkChild(
    Effect.forEach(
      Array.from({ length: settings.lanes }, (_, index) => index),
      (index) => {
        const options = {
          url,
          name: String(index),
          workers: Math.ceil(settings.workers / settings.lanes),
          pause: settings.pause
        }
        return new Lane(client, options, fleet)
          .run(() => isOver)
          .pipe(Random.withSeed(`${settings.seed} lane ${index}`))
      },
      { concurrency: "unbounded", discard: true }
    )
  )
  const leases = yield* Effect.forkChild(runLeases(url, fleet, () => isOver))
  const readers = yield* Effect.forkChild(runReaders(url, fleet, () => isOver))
  const mischief = yield* Effect.forkChild(Random.withSeed(scheduler.misbehave, `${settings.seed} scheduler`))

  const sampleInterval = Math.max(1000, duration / mostSamples)
  const sample = Effect.gen(function* () {
    const seconds = ((yield* Clock.currentTimeMillis) - begunAt) / 1000
    const pid = service.pid()
    if (pid !== undefined && !isSettling) {
      samples.push(
        yield* takeSample({ url, pid, store: run.file, at: seconds, isSchedulerAway: scheduler.isAway() })
      )
    }
    yield* show({ seconds, fleet, sample: samples.at(-1), scheduler: scheduler.counts, isSettling })
  })
  const sampling = yield* Effect.forkChild(
    Effect.forever(
      Effect.andThen(
        Effect.catch(sample, (error) => Effect.sync(() => fleet.fault(`a sample: ${error.message}`))),
        Effect.sleep(sampleInterval)
      )
    )
  )

  yield* Effect.sleep(duration)
  isOver = true
  isSettling = true
  yield* Fiber.interrupt(mischief)
  yield* scheduler.calm
  const settledFrom = yield* Clock.currentTimeMillis
  for (const [name, fiber] of [
    ["changes", changes],
    ["readers", readers]
  ] as const) {
    if (Option.isNone(yield* Effect.timeoutOption(Fiber.join(fiber), settings.settleWithin))) {
      trouble.push(`${name} did not come to their end`)
    }
  }
  const { left, observed } = yield* settle(settings, fleet, run)
  if (!observed) trouble.push("the service could not be looked at")
  const settledAfter = ((yield* Clock.currentTimeMillis) - settledFrom) / 1000
  yield* Fiber.interrupt(leases)
  yield* Fiber.interrupt(sampling)
  trouble.push(...service.ends.map((end) => `the service ${end}`))
  trouble.push(...scheduler.ends().map((end) => `the scheduler ${end}`))
  return {
    settings,
    fleet,
    samples,
    scheduler: scheduler.counts,
    differences: left,
    trouble,
    settledAfter
  } satisfies Outcome
})

const startProcesses = Effect.fnUntraced(function* (settings: SoakSettings) {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectoryScoped({ prefix: "muster-soak-" })
  const store = yield* openStore(settings.store, directory)
  const [servicePort, schedulerPort] = [yield* freePort, yield* freePort]
  const url = `http://127.0.0.1:${servicePort}`
  const scheduler = yield* makeRoughScheduler(schedulerPort, `${directory}/scheduler.ndjson`, settings.pace)
  const service = yield* makeManagedProcess({
    command: process.execPath,
    args: [bin, "serve", "--scheduler", `grpc://127.0.0.1:${schedulerPort}`],
    env: serviceEnvironment(servicePort, store.spec)
  })
  yield* service.start
  yield* ask(`${url}/readyz`).pipe(
    Effect.filterOrFail(({ status }) => status === 200),
    Effect.retry(Schedule.spaced("50 millis")),
    Effect.timeout("2 minutes"),
    Effect.mapError(() => new Error(["The service did not get ready.", ...service.ends].join("\n"))),
    Effect.orDie
  )
  return { scheduler, service, url, file: settings.store === "sqlite" ? store.spec : undefined }
})

/** Looks again and again until everything is as it is wanted, twice in a row, or the time is over. */
const settle = Effect.fnUntraced(function* (
  { settleWithin }: SoakSettings,
  fleet: Fleet,
  { scheduler, url }: Effect.Success<ReturnType<typeof startProcesses>>
) {
  let left: ReadonlyArray<Difference> = []
  let observed = false
  let calm = 0
  const look = Effect.gen(function* () {
    const observation = yield* Effect.timeout(observe(url, scheduler.held), patience)
    left = differences(fleet, observation)
    observed = true
    calm = left.length === 0 ? calm + 1 : 0
    fleet.counts.retried += yield* retryDeadLetters(url)
  })
  yield* Effect.andThen(Effect.ignore(look), Effect.sleep(lookInterval)).pipe(
    Effect.repeat({ until: () => calm >= 2 }),
    Effect.timeoutOption(settleWithin)
  )
  return { left, observed }
})

/** Requests of the clients, over connections that are kept. */
export const clientLayer = NodeHttpClient.layerNodeHttpOptions({ keepAlive: true })
