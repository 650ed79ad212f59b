/**
 * What happens to the processes of the torture test, at random moments: they are killed, paused and started again,
 * and the scheduler loses its memory.
 */
import { Effect, Random } from "effect"
import type { ManagedProcess } from "./ManagedProcess.ts"
import type { Memory } from "./SchedulerProtocol.ts"
import type { Database } from "./TortureStore.ts"

export interface MisfortuneCounts {
  /** `kill -9` of the service, those of them while it started or was paused, and its pauses. */
  serviceKills: number
  killsWhileStarting: number
  killsWhilePaused: number
  servicePauses: number
  schedulerKills: number
  schedulerPauses: number
  schedulerForgets: number
  schedulerBackups: number
  databaseKills: number
}

export const noMisfortunes = (): MisfortuneCounts => ({
  serviceKills: 0,
  killsWhileStarting: 0,
  killsWhilePaused: 0,
  servicePauses: 0,
  schedulerKills: 0,
  schedulerPauses: 0,
  schedulerForgets: 0,
  schedulerBackups: 0,
  databaseKills: 0
})

/** A moment somewhere between two others, in milliseconds. */
const sometime = (minimum: number, maximum: number) =>
  Effect.flatMap(Random.nextBetween(minimum, maximum), (millis) => Effect.sleep(millis))

const draw = <A>(cases: ReadonlyArray<readonly [chance: number, A]>, otherwise: A): Effect.Effect<A> =>
  Effect.map(Random.next, (value) => {
    let left = value
    return cases.find(([chance]) => (left -= chance) < 0)?.[1] ?? otherwise
  })

/** Kills the service so many times; `listens` waits until it answers. */
export const tortureService = (
  service: ManagedProcess,
  listens: Effect.Effect<void>,
  kills: number,
  counts: MisfortuneCounts
): Effect.Effect<void> => {
  const pause = Effect.gen(function* () {
    counts.servicePauses++
    yield* service.pause
    yield* sometime(100, 2000)
  })
  const round = Effect.gen(function* () {
    const when = yield* draw(
      [
        [0.15, "while it starts"],
        [0.1, "while it is paused"],
        [0.1, "after a pause"]
      ],
      "while it works"
    )
    if (when === "while it starts") {
      counts.killsWhileStarting++
      yield* sometime(0, 1000)
    } else {
      yield* listens
      yield* sometime(0, 1200)
    }
    if (when === "after a pause" || when === "while it is paused") yield* pause
    if (when === "while it is paused") counts.killsWhilePaused++
    if (when === "after a pause") {
      yield* service.resume
      yield* sometime(0, 1000)
    }
    yield* service.kill
    counts.serviceKills++
    yield* sometime(0, 200)
    yield* service.start
  })
  return Effect.repeat(round, { while: () => counts.serviceKills < kills })
}

/** Goes on until it is interrupted. */
export const tortureScheduler = (
  scheduler: ManagedProcess,
  restart: (memory: Memory) => Effect.Effect<void>,
  counts: MisfortuneCounts
): Effect.Effect<never> => {
  const round = Effect.gen(function* () {
    yield* sometime(500, 6000)
    const what = yield* draw(
      [
        [0.25, "kill"],
        [0.25, "pause"],
        [0.25, "backup"]
      ],
      "forget"
    )
    switch (what) {
      case "kill":
        counts.schedulerKills++
        yield* scheduler.kill
        yield* sometime(0, 1500)
        yield* scheduler.start
        break
      case "pause":
        counts.schedulerPauses++
        yield* scheduler.pause
        yield* Effect.ensuring(sometime(100, 2000), scheduler.resume)
        break
      case "backup":
        counts.schedulerBackups++
        yield* restart("backup")
        break
      case "forget":
        counts.schedulerForgets++
        yield* restart("nothing")
    }
  })
  return Effect.forever(round)
}

/** Goes on until it is interrupted. */
export const tortureDatabase = (database: Database, counts: MisfortuneCounts): Effect.Effect<never> =>
  Effect.forever(
    Effect.gen(function* () {
      yield* sometime(2000, 10_000)
      counts.databaseKills++
      yield* database.kill
      yield* sometime(0, 1000)
      yield* database.start
    })
  )
