/**
 * The cluster under torture as its misfortunes see it: what they are done to, what they wait for, and what came of them.
 */
import { Duration, Effect, Option, Random, type Semaphore } from "effect"
import type { Database } from "../torture/TortureStore.ts"
import type { TorturedServer } from "./TorturedServer.ts"
import type { Watch } from "./Watch.ts"

/** What misfortunes are done to, and what came of them. */
export interface World {
  readonly servers: ReadonlyArray<TorturedServer>
  readonly database: Database
  readonly databaseTurn: Semaphore.Semaphore
  readonly watch: Watch
  readonly lockExpiration: Duration.Duration
  /** Within which time all partitions have to be looked after, whatever has happened. */
  readonly takeOverWithin: Duration.Duration
  readonly record: MisfortuneRecord
}

/** Whether nothing else happens at the same time. */
export type Company = "alone" | "with others"

/** Milliseconds in which a server still suffers from what is over. */
const afterwards = 30_000
const ofDatabase = /cannot open|cannot be opened|The store cannot be written to|Shard lock storage/

export class MisfortuneRecord {
  readonly counts = new Map<string, number>()
  /** Milliseconds from each misfortune that came alone until the others looked after everything. */
  readonly takeOvers = new Map<string, Array<number>>()
  /** The same, from when all was well again with processes and network. */
  readonly recoveries: Array<number> = []
  /** For people. */
  readonly faults: Array<string> = []
  /** What the servers said or did and should not have, for people. */
  readonly complaints: Array<string> = []
  /** What was done when, for people. */
  readonly log: Array<string> = []
  private databaseTroubles = 0
  private lastDatabaseTroubleAt = 0

  /** What happens meanwhile and shortly after, happens to servers that do not reach their database. */
  readonly withoutDatabase = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      this.databaseTroubles++
      return effect
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          this.databaseTroubles--
          this.lastDatabaseTroubleAt = Date.now()
        })
      )
    )

  /** A server said that something is wrong, or ended. Without its database it may say that. */
  complain(name: string, line: string): void {
    this.say(`server ${name}: ${line}`)
    const isExpected = this.databaseTroubles > 0 || Date.now() < this.lastDatabaseTroubleAt + afterwards
    if (!isExpected || !ofDatabase.test(line)) this.complaints.push(`server ${name}: ${line}`)
  }

  say(line: string): void {
    this.log.push(`${new Date().toISOString().slice(11, 23)} (${Date.now()}) ${line}`)
  }
}

/** A moment somewhere between two others, in milliseconds. */
export const sometime = (minimum: number, maximum: number) =>
  Effect.flatMap(Random.nextBetween(minimum, maximum), (millis) => Effect.sleep(millis))

export const chance = (share: number) => Effect.map(Random.next, (value) => value < share)

export const expiry = ({ lockExpiration }: World) => Duration.toMillis(lockExpiration)

/** Waits until all is looked after; the milliseconds from `since`, or `undefined` and a fault if that takes too long. */
export const awaitWhole = Effect.fnUntraced(function* (world: World, what: string, since: number) {
  const taken = yield* Effect.timeoutOption(world.watch.wholeAfter(since), world.takeOverWithin)
  if (Option.isSome(taken)) return taken.value
  const { faults } = world.record
  faults.push(
    `${what}: not every partition was looked after within ${Duration.format(world.takeOverWithin)} of ${since}; last seen: ${world.watch.lastSeen}`
  )
  world.record.say(faults.at(-1) ?? "")
  return undefined
})

/** How long a misfortune lasts: often until the others have taken over, which must come soon if nothing else happens. */
export const endure = Effect.fnUntraced(function* (
  world: World,
  name: string,
  company: Company,
  since: number
) {
  if (company === "alone" && (yield* chance(0.8))) {
    const millis = yield* awaitWhole(world, name, since)
    if (millis === undefined) return
    const { takeOvers } = world.record
    takeOvers.set(name, [...(takeOvers.get(name) ?? []), millis])
    world.record.say(`${name}: taken over after ${millis} ms`)
    yield* sometime(0, expiry(world) / 2)
  } else yield* sometime(0, 2 * expiry(world))
})
